// RUN: helion-ir-opt %s -p propose-evictions{always=true} --split-input-file | filecheck %s

// The rows of x are read by one loop and again by the next; programs share w.
// CHECK:      knob.declare @load.x.eviction : one_of "", "evict_first", "evict_last" = "evict_last" {{.*}}; by default evict_last, since a later loop reads it again"
// CHECK-NEXT: knob.declare @load.x.1.eviction : one_of "", "evict_first", "evict_last" = "evict_first" {{.*}}; by default evict_first, since it is read for the last time"
// CHECK-NEXT: knob.declare @load.w.eviction : one_of "", "evict_first", "evict_last" = "" {{.*}} doc "w"
builtin.module attributes {helion_ir.target = "h200"} {
  knob.declare @m : pow2 1 to 64 = 1 in "block_sizes" by "frontend" doc "rows"
  knob.declare @n : pow2 1 to 4096 = 1024 in "block_sizes" by "frontend" doc "columns"
  knob.declare @n.1 : pow2 1 to 4096 = 512 in "block_sizes" by "frontend" doc "columns"
  knob.declare @load.x.eviction : one_of "", "evict_first", "evict_last" = "" in "load_eviction_policies" by "choose-indexing" doc "x"
  knob.declare @load.x.1.eviction : one_of "", "evict_first", "evict_last" = "" in "load_eviction_policies" by "choose-indexing" doc "x"
  knob.declare @load.w.eviction : one_of "", "evict_first", "evict_last" = "" in "load_eviction_policies" by "choose-indexing" doc "w"
  tile.kernel @twice (%x: !tile.ref<[4096, 4096], f32, strides = [4096, 1]>, %w: !tile.ref<[4096], f32, strides = [1]>, %out: !tile.ref<[4096, 4096], f32, strides = [4096, 1]>) names ["x", "w", "out"] {
    tile.parallel "m" (%m = 0 to 4096 : !tile.range<@m>) {
      %zero = tile.full <0.0> -> !tile.tile<[@m], f32>
      %sum = tile.for "n" (%n = 0 to 4096 : !tile.range<@n>) iter_args (%acc = %zero : !tile.tile<[@m], f32>) {
        %a = tile.load "x" %x[%m, %n] : !tile.ref<[4096, 4096], f32, strides = [4096, 1]>[!tile.range<@m>, !tile.range<@n>] -> !tile.tile<[@m, @n], f32>
        %s = tile.reduce "sum" <1> %a : !tile.tile<[@m, @n], f32> -> !tile.tile<[@m], f32>
        %t = tile.add %acc, %s : !tile.tile<[@m], f32>
        tile.yield %t : !tile.tile<[@m], f32>
      }
      tile.for "n.1" (%n.1 = 0 to 4096 : !tile.range<@n.1>) {
        %b = tile.load "x.1" %x[%m, %n.1] : !tile.ref<[4096, 4096], f32, strides = [4096, 1]>[!tile.range<@m>, !tile.range<@n.1>] -> !tile.tile<[@m, @n.1], f32>
        %w1 = tile.load "w" %w[%n.1] : !tile.ref<[4096], f32, strides = [1]>[!tile.range<@n.1>] -> !tile.tile<[@n.1], f32>
        %w2 = tile.broadcast %w1 : !tile.tile<[@n.1], f32> -> !tile.tile<[@m, @n.1], f32>
        %p = tile.mul %b, %w2 : !tile.tile<[@m, @n.1], f32>
        tile.store "out" %p, %out[%m, %n.1] : !tile.tile<[@m, @n.1], f32> : !tile.ref<[4096, 4096], f32, strides = [4096, 1]>[!tile.range<@m>, !tile.range<@n.1>]
        tile.yield
      }
    }
  }
}

// -----

// What is looped over by default is walked once for its sum and once more for what the sum divides; whole rows are not.
// CHECK:      knob.declare @load.x.eviction : one_of "", "evict_first", "evict_last" = "evict_last" {{.*}}since n is walked again, in chunks"
// CHECK:      knob.declare @load.y.eviction : one_of "", "evict_first", "evict_last" = "" {{.*}} doc "y"
builtin.module attributes {helion_ir.target = "h200"} {
  knob.declare @m : pow2 1 to 64 = 1 in "block_sizes" by "frontend" doc "rows"
  knob.declare @reduction.n : one_of none, 1024 = 1024 in "reduction_loops" by "roll-reductions" doc "n"
  knob.declare @reduction.k : one_of none, 64 = none in "reduction_loops" by "roll-reductions" doc "k"
  knob.declare @load.x.eviction : one_of "", "evict_first", "evict_last" = "" in "load_eviction_policies" by "choose-indexing" doc "x"
  knob.declare @load.y.eviction : one_of "", "evict_first", "evict_last" = "" in "load_eviction_policies" by "choose-indexing" doc "y"
  tile.kernel @normed (%x: !tile.ref<[4096, 8192], f32, strides = [8192, 1]>, %y: !tile.ref<[4096, 128], f32, strides = [128, 1]>, %out: !tile.ref<[4096, 8192], f32, strides = [8192, 1]>) names ["x", "y", "out"] {
    tile.parallel "m" (%m = 0 to 4096 : !tile.range<@m>) {
      %n = tile.axis "n" 0 to 8192 : !tile.range<8192>
      %k = tile.axis "k" 0 to 128 : !tile.range<128>
      %a = tile.load "x" %x[%m, %n] : !tile.ref<[4096, 8192], f32, strides = [8192, 1]>[!tile.range<@m>, !tile.range<8192>] -> !tile.tile<[@m, 8192], f32>
      %b = tile.load "y" %y[%m, %k] : !tile.ref<[4096, 128], f32, strides = [128, 1]>[!tile.range<@m>, !tile.range<128>] -> !tile.tile<[@m, 128], f32>
      %s = tile.reduce "sum" <1> %a : !tile.tile<[@m, 8192], f32> -> !tile.tile<[@m], f32>
      %t = tile.reduce "sum" <1> %b : !tile.tile<[@m, 128], f32> -> !tile.tile<[@m], f32>
      %u = tile.add %s, %t : !tile.tile<[@m], f32>
      %w = tile.broadcast %u : !tile.tile<[@m], f32> -> !tile.tile<[@m, 8192], f32>
      %q = tile.div %a, %w : !tile.tile<[@m, 8192], f32>
      tile.store "out" %q, %out[%m, %n] : !tile.tile<[@m, 8192], f32> : !tile.ref<[4096, 8192], f32, strides = [8192, 1]>[!tile.range<@m>, !tile.range<8192>]
    }
  }
}
