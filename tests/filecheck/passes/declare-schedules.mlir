// RUN: helion-ir-opt %s -p declare-schedules --split-input-file | filecheck %s

// The knobs of every pass, in the order of the pipeline, after those of the frontend; the axis gets an open schedule.
// CHECK:      knob.declare @m.block_size
// CHECK-NEXT: knob.declare @reduction.n : one_of none, 16, 32, 64, 128, 256, 512 = none in "reduction_loops" by "roll-reductions"
// CHECK-NEXT: knob.declare @pid_type : one_of "flat", {{.*}} = "flat" by "map-grid"
// CHECK-NEXT: knob.declare @num_sm_multiplier : pow2 1 to {{.*}} = 1 by "map-grid" {{.*}} when <
// CHECK-NEXT: knob.declare @load.x.indexing : one_of "pointer", "block_ptr" = "pointer" in "indexing" by "choose-indexing"
// CHECK-NEXT: knob.ruled_out @load.x.indexing : "tensor_descriptor", "the tensor's rows are not known to be a multiple of 16 bytes apart" by "choose-indexing"
// CHECK-NEXT: knob.declare @store.out.indexing : one_of "pointer", "block_ptr", "tensor_descriptor" = "pointer" in "indexing" by "choose-indexing"
// CHECK-NEXT: knob.declare @num_warps : pow2 1 to 32 = 4 by "convert-tile-to-triton"
// CHECK-NEXT: knob.declare @num_stages : int 1 to 6 = 1 by "convert-tile-to-triton"
// CHECK:      knob.declare @loop.n.sum.num_stages : {{.*}} in "range_num_stages" by "convert-tile-to-triton" {{.*}} when <@reduction.n ne none and not @loop.n.sum.static>
// CHECK-NEXT: knob.declare @loop.n.sum.loop_unroll_factor : {{.*}} in "range_unroll_factors" by "convert-tile-to-triton" {{.*}} when <@reduction.n ne none and not @loop.n.sum.static>
// CHECK:      tile.kernel @sums
// CHECK-NEXT:   tile.parallel "m" (%m = 0 to 1000 : !tile.range<@m.block_size>) {
// CHECK-NEXT:     %n = tile.axis "n" 0 to 1021 attributes {schedule = #index.expr<@reduction.n ne none>} : !tile.range<1021>
// CHECK-NEXT:     %v = tile.load "x" %x[%m, %n] :
// CHECK-NEXT:     %s = tile.reduce "sum" <1> %v
// CHECK-NEXT:     tile.store "out" %s, %out[%m] :
builtin.module {
  knob.declare @m.block_size : pow2 1 to 64 = 4 in "block_sizes" by "frontend" doc "rows of m"
  tile.kernel @sums (%x: !tile.ref<[1000, 1021], f32, strides = [1021, 1]>, %out: !tile.ref<[1000], f32, strides = [1]>) names ["x", "out"] {
    tile.parallel "m" (%m = 0 to 1000 : !tile.range<@m.block_size>) {
      %n = tile.axis "n" 0 to 1021 : !tile.range<1021>
      %v = tile.load "x" %x[%m, %n] : !tile.ref<[1000, 1021], f32, strides = [1021, 1]>[!tile.range<@m.block_size>, !tile.range<1021>] -> !tile.tile<[@m.block_size, 1021], f32>
      %s = tile.reduce "sum" <1> %v : !tile.tile<[@m.block_size, 1021], f32> -> !tile.tile<[@m.block_size], f32>
      tile.store "out" %s, %out[%m] : !tile.tile<[@m.block_size], f32> : !tile.ref<[1000], f32, strides = [1]>[!tile.range<@m.block_size>]
    }
  }
}

// -----

// Which knobs there are depends on the kernel and on the target: two dimensions of a grid have an order.
// CHECK:      builtin.module attributes {helion_ir.target = "h200"} {
// CHECK-NEXT: knob.ruled_out @m.flatten : true, "not every dimension of the loop has a block size of its own" by "flatten-loops"
// CHECK-NEXT: knob.declare @m.loop_order : permutation 2 = [0, 1] in "loop_orders" by "map-grid"
// CHECK-NEXT: knob.declare @m.l2_grouping : pow2 1 to 64 = 1 in "l2_groupings" by "map-grid"
// CHECK-NEXT: knob.declare @pid_type
// CHECK-NEXT: knob.declare @num_sm_multiplier
// CHECK-NEXT: knob.declare @load.x.indexing : one_of "pointer", "block_ptr", "tensor_descriptor"
// CHECK-NEXT: knob.declare @load.x.eviction : one_of "", "evict_first", "evict_last" = "" in "load_eviction_policies"
// CHECK-NEXT: knob.declare @load.x.cache : one_of "", ".cg" = "" in "load_cache_modifiers"
// CHECK-NEXT: knob.declare @store.x.indexing : one_of "pointer", "block_ptr", "tensor_descriptor"
// CHECK-NEXT: knob.declare @store.x.cache : one_of "", ".cs" = "" in "store_cache_modifiers"
// CHECK-NEXT: knob.declare @num_warps
// CHECK-NEXT: knob.declare @num_stages
// CHECK:      tile.kernel @copy
builtin.module attributes {helion_ir.target = "h200"} {
  tile.kernel @copy (%x: !tile.ref<[64, 12], f32, strides = [12, 1]>) names ["x"] {
    tile.parallel "m" (%m = 0 to 64 : !tile.range<16>, %n = 0 to 12 : !tile.range<4>) {
      %v = tile.load "x" %x[%m, %n] : !tile.ref<[64, 12], f32, strides = [12, 1]>[!tile.range<16>, !tile.range<4>] -> !tile.tile<[16, 4], f32>
      tile.store "x" %v, %x[%m, %n] : !tile.tile<[16, 4], f32> : !tile.ref<[64, 12], f32, strides = [12, 1]>[!tile.range<16>, !tile.range<4>]
    }
  }
}

// -----

// A knob that is there already stays as it is, and an axis too short for chunks has no schedule.
// CHECK:      knob.declare @num_warps : pow2 8 to 8 = 8 by "frontend" doc "kept"
// CHECK-NOT:  @num_warps
// CHECK-NOT:  @reduction.n
// CHECK:      tile.kernel @keep
// CHECK:        %n = tile.axis "n" 0 to 12 : !tile.range<12>
builtin.module {
  knob.declare @num_warps : pow2 8 to 8 = 8 by "frontend" doc "kept"
  tile.kernel @keep (%x: !tile.ref<[64], f32, strides = [1]>) names ["x"] {
    tile.parallel "m" (%m = 0 to 64 : !tile.range<16>) {
      %n = tile.axis "n" 0 to 12 : !tile.range<12>
      %v = tile.load "x" %x[%n] : !tile.ref<[64], f32, strides = [1]>[!tile.range<12>] -> !tile.tile<[12], f32>
      %s = tile.reduce "sum" <0> %v : !tile.tile<[12], f32> -> !tile.tile<[], f32>
      %w = tile.load "x.1" %x[%m] : !tile.ref<[64], f32, strides = [1]>[!tile.range<16>] -> !tile.tile<[16], f32>
      %t = tile.broadcast %s : !tile.tile<[], f32> -> !tile.tile<[16], f32>
      %u = tile.add %w, %t : !tile.tile<[16], f32>
      tile.store "x" %u, %x[%m] : !tile.tile<[16], f32> : !tile.ref<[64], f32, strides = [1]>[!tile.range<16>]
    }
  }
}
