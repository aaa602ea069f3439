// RUN: helion-ir-opt %s -p avoid-faults --split-input-file --no-locations | filecheck %s

// No clusters, so no knob for them, and the reason.
// CHECK:      knob.declare @num_warps
// CHECK-NEXT: knob.ruled_out @num_ctas : 2, 4, "clusters: kernels of several thread blocks leave elements unwritten, access memory they may not (H200, Triton 3.6), or do not compile" by "avoid-faults"
// CHECK-NOT:  knob.declare @num_ctas
// CHECK:      tile.kernel @sums
builtin.module attributes {helion_ir.target = "h200"} {
  knob.declare @m : pow2 1 to 64 = 4 in "block_sizes" by "frontend" doc "rows of m"
  knob.declare @num_warps : pow2 1 to 32 = 4 by "convert-tile-to-triton" doc "warps of one program"
  knob.declare @num_ctas : one_of 1, 2, 4 = 1 by "convert-tile-to-triton" doc "blocks of a cluster"
  tile.kernel @sums (%x: !tile.ref<[1000, 1024], f32, strides = [1024, 1]>, %out: !tile.ref<[1000], f32, strides = [1]>) names ["x", "out"] {
    tile.parallel "m" (%m = 0 to 1000 : !tile.range<@m>) {
      %n = tile.axis "n" 0 to 1024 : !tile.range<1024>
      %v = tile.load "x" %x[%m, %n] : !tile.ref<[1000, 1024], f32, strides = [1024, 1]>[!tile.range<@m>, !tile.range<1024>] -> !tile.tile<[@m, 1024], f32>
      %s = tile.reduce "sum" <1> %v : !tile.tile<[@m, 1024], f32> -> !tile.tile<[@m], f32>
      tile.store "out" %s, %out[%m] : !tile.tile<[@m], f32> : !tile.ref<[1000], f32, strides = [1]>[!tile.range<@m>]
    }
  }
}

// -----

// A product on Blackwell: what other knobs decide is a requirement, and the root's loop keeps its place in the list.
// CHECK:      knob.require <not (@maxnreg ne none and
// CHECK-SAME:   "registers: ptxas refuses a product whose result has more elements a thread than that" by "avoid-faults"
// CHECK:      knob.ruled_out @num_ctas : 2, 4, "clusters:
// CHECK:      knob.ruled_out @loop.m_n.warp_specialize : true, "warp specialization of a persistent loop fails in Triton"
// CHECK:      knob.declare @loop.m_n.warp_specialize : one_of false = false in "range_warp_specializes"
// CHECK:      knob.require <not (@loop.k.warp_specialize ne 0 and (@num_warps lt 4 or 8 lt @num_warps))>, "warp specialization needs 4 to 8 warps"
// CHECK-NEXT: knob.require <not (@loop.k.warp_specialize ne 0 and @m lt 64)>, "warp specialization needs products of at least 64 rows"
// CHECK-NEXT: knob.declare @loop.k.warp_specialize : bool = false in "range_warp_specializes"
builtin.module attributes {helion_ir.target = "b200"} {
  knob.declare @m : pow2 16 to 256 = 16 in "block_sizes" by "frontend" doc "rows"
  knob.declare @n : pow2 16 to 256 = 16 in "block_sizes" by "frontend" doc "columns"
  knob.declare @k : pow2 16 to 256 = 16 in "block_sizes" by "frontend" doc "inner"
  knob.declare @num_warps : pow2 1 to 32 = 4 by "convert-tile-to-triton" doc "warps"
  knob.declare @maxnreg : one_of none, 32, 64, 96, 128 = none by "convert-tile-to-triton" doc "registers"
  knob.declare @num_ctas : one_of 1, 2, 4 = 1 by "convert-tile-to-triton" doc "blocks of a cluster"
  knob.declare @loop.m_n.warp_specialize : bool = false in "range_warp_specializes" by "convert-tile-to-triton" doc "roles"
  knob.declare @loop.k.warp_specialize : bool = false in "range_warp_specializes" by "convert-tile-to-triton" doc "roles"
  tile.kernel @product (%x: !tile.ref<[256, 4096], bf16, strides = [4096, 1]>, %y: !tile.ref<[4096, 256], bf16, strides = [256, 1]>, %out: !tile.ref<[256, 256], f32, strides = [256, 1]>) names ["x", "y", "out"] {
    tile.parallel "m_n" (%m = 0 to 256 : !tile.range<@m>, %n = 0 to 256 : !tile.range<@n>) {
      %zero = tile.full <0.0> -> !tile.tile<[@m, @n], f32>
      %r = tile.for "k" (%k = 0 to 4096 : !tile.range<@k>) iter_args (%acc = %zero : !tile.tile<[@m, @n], f32>) {
        %a = tile.load "x" %x[%m, %k] : !tile.ref<[256, 4096], bf16, strides = [4096, 1]>[!tile.range<@m>, !tile.range<@k>] -> !tile.tile<[@m, @k], bf16>
        %b = tile.load "y" %y[%k, %n] : !tile.ref<[4096, 256], bf16, strides = [256, 1]>[!tile.range<@k>, !tile.range<@n>] -> !tile.tile<[@k, @n], bf16>
        %t = tile.dot %a, %b, %acc precision "tf32" : !tile.tile<[@m, @k], bf16>, !tile.tile<[@k, @n], bf16>, !tile.tile<[@m, @n], f32> -> !tile.tile<[@m, @n], f32>
        tile.yield %t : !tile.tile<[@m, @n], f32>
      }
      tile.store "out" %r, %out[%m, %n] : !tile.tile<[@m, @n], f32> : !tile.ref<[256, 256], f32, strides = [256, 1]>[!tile.range<@m>, !tile.range<@n>]
    }
  }
}

// -----

// One of the two hints to the caches.
// CHECK:      knob.require <not (@load.x.eviction ne "" and @load.x.cache ne "")>, "a load that goes through chosen caches takes no eviction policy" by "avoid-faults"
// CHECK-NEXT: knob.declare @load.x.eviction
builtin.module attributes {helion_ir.target = "h200"} {
  knob.declare @m : pow2 1 to 64 = 4 in "block_sizes" by "frontend" doc "rows of m"
  knob.declare @load.x.cache : one_of "", ".cg" = "" in "load_cache_modifiers" by "choose-indexing" doc "x"
  knob.declare @load.x.eviction : one_of "", "evict_first" = "" in "load_eviction_policies" by "choose-indexing" doc "x"
  tile.kernel @copy (%x: !tile.ref<[1024], f32, strides = [1]>) names ["x"] {
    tile.parallel "m" (%m = 0 to 1024 : !tile.range<@m>) {
      %v = tile.load "x" %x[%m] : !tile.ref<[1024], f32, strides = [1]>[!tile.range<@m>] -> !tile.tile<[@m], f32>
      tile.store "x" %v, %x[%m] : !tile.tile<[@m], f32> : !tile.ref<[1024], f32, strides = [1]>[!tile.range<@m>]
    }
  }
}

// -----

// What a program stores and loads afterwards goes through no copy engine, and its loop is not pipelined.
// CHECK:      knob.ruled_out @store.x.indexing : "tensor_descriptor", "the copy engine's accesses are not ordered
// CHECK:      knob.ruled_out @load.y.indexing : "tensor_descriptor", "the copy engine's accesses are not ordered
// CHECK:      knob.ruled_out @loop.m.num_stages : 2, 3, "a pipelined loop reads before it stores what it may read"
// CHECK-NOT:  knob.ruled_out @load.x
builtin.module attributes {helion_ir.target = "h200"} {
  knob.declare @m : pow2 1 to 64 = 4 in "block_sizes" by "frontend" doc "rows of m"
  knob.declare @store.x.indexing : one_of "pointer", "tensor_descriptor" = "pointer" in "indexing" by "choose-indexing" doc "x"
  knob.declare @load.x.indexing : one_of "pointer", "tensor_descriptor" = "pointer" in "indexing" by "choose-indexing" doc "x"
  knob.declare @load.y.indexing : one_of "pointer", "tensor_descriptor" = "pointer" in "indexing" by "choose-indexing" doc "y"
  knob.declare @loop.m.num_stages : one_of none, 1, 2, 3 = none in "range_num_stages" by "declare-schedules" doc "m"
  tile.kernel @overlapping (%x: !tile.ref<[1024], f32, strides = [1]>, %y: !tile.ref<[1024], f32, strides = [1]>) names ["x", "y"] {
    tile.parallel "m" (%m = 0 to 1024 : !tile.range<@m>) {
      %v = tile.load "x" %x[%m] : !tile.ref<[1024], f32, strides = [1]>[!tile.range<@m>] -> !tile.tile<[@m], f32>
      tile.store "x" %v, %x[%m] : !tile.tile<[@m], f32> : !tile.ref<[1024], f32, strides = [1]>[!tile.range<@m>]
      %w = tile.load "y" %y[%m] : !tile.ref<[1024], f32, strides = [1]>[!tile.range<@m>] -> !tile.tile<[@m], f32>
      tile.store "y" %w, %y[%m] : !tile.tile<[@m], f32> : !tile.ref<[1024], f32, strides = [1]>[!tile.range<@m>]
    }
  }
}

// -----

// A result of 512 columns: unrolled, the product of each copy but the last has its rows on all warps, 16 each, so that 16
// warps hold 256 rows of it, all registers of their threads twice over.
// CHECK:      knob.require <not ((@num_warps eq 4 or @num_warps eq 8 or @num_warps eq 16 or @num_warps eq 32) and (64 le @m and min(@num_warps * 8160, 65536) le where(1 lt where(@loop.k.loop_unroll_factor eq none, 1, @loop.k.loop_unroll_factor), max(@m, @num_warps * 16), @m) * 512))>, "registers: a thread's share of a product's result takes all that it may have, and ptxas 12.8 spills it wrongly" by "avoid-faults"
// CHECK-NEXT: knob.declare @num_warps
builtin.module attributes {helion_ir.target = "h200"} {
  knob.declare @m : pow2 16 to 256 = 16 in "block_sizes" by "frontend" doc "rows"
  knob.declare @k : pow2 16 to 256 = 16 in "block_sizes" by "frontend" doc "inner"
  knob.declare @num_warps : pow2 1 to 32 = 4 by "convert-tile-to-triton" doc "warps"
  knob.declare @loop.k.loop_unroll_factor : one_of none, 2, 3, 4 = none in "range_unroll_factors" by "convert-tile-to-triton" doc "copies"
  tile.kernel @product (%x: !tile.ref<[256, 4096], bf16, strides = [4096, 1]>, %y: !tile.ref<[4096, 512], bf16, strides = [512, 1]>, %out: !tile.ref<[256, 512], f32, strides = [512, 1]>) names ["x", "y", "out"] {
    tile.parallel "m" (%m = 0 to 256 : !tile.range<@m>) {
      %n = tile.axis "n" 0 to 512 : !tile.range<512>
      %zero = tile.full <0.0> -> !tile.tile<[@m, 512], f32>
      %r = tile.for "k" (%k = 0 to 4096 : !tile.range<@k>) iter_args (%acc = %zero : !tile.tile<[@m, 512], f32>) {
        %a = tile.load "x" %x[%m, %k] : !tile.ref<[256, 4096], bf16, strides = [4096, 1]>[!tile.range<@m>, !tile.range<@k>] -> !tile.tile<[@m, @k], bf16>
        %b = tile.load "y" %y[%k, %n] : !tile.ref<[4096, 512], bf16, strides = [512, 1]>[!tile.range<@k>, !tile.range<512>] -> !tile.tile<[@k, 512], bf16>
        %t = tile.dot %a, %b, %acc precision "tf32" : !tile.tile<[@m, @k], bf16>, !tile.tile<[@k, 512], bf16>, !tile.tile<[@m, 512], f32> -> !tile.tile<[@m, 512], f32>
        tile.yield %t : !tile.tile<[@m, 512], f32>
      }
      tile.store "out" %r, %out[%m, %n] : !tile.tile<[@m, 512], f32> : !tile.ref<[256, 512], f32, strides = [512, 1]>[!tile.range<@m>, !tile.range<512>]
    }
  }
}

// -----

// The first of two products that follow each other has its rows on all warps, where nothing is unrolled too; the second not.
// CHECK:      knob.require <not ((@num_warps eq 4 or @num_warps eq 8 or @num_warps eq 16 or @num_warps eq 32) and (64 le @m and min(@num_warps * 8160, 65536) le max(@m, @num_warps * 16) * 256 or 64 le @m and min(@num_warps * 8160, 65536) le @m * 128))>, "registers:
builtin.module attributes {helion_ir.target = "h200"} {
  knob.declare @m : pow2 16 to 256 = 16 in "block_sizes" by "frontend" doc "rows"
  knob.declare @num_warps : pow2 1 to 32 = 4 by "convert-tile-to-triton" doc "warps"
  tile.kernel @products (%x: !tile.ref<[256, 64], bf16, strides = [64, 1]>, %y: !tile.ref<[64, 256], bf16, strides = [256, 1]>, %z: !tile.ref<[256, 128], bf16, strides = [128, 1]>, %out: !tile.ref<[256, 128], f32, strides = [128, 1]>) names ["x", "y", "z", "out"] {
    tile.parallel "m" (%m = 0 to 256 : !tile.range<@m>) {
      %k = tile.axis "k" 0 to 64 : !tile.range<64>
      %n = tile.axis "n" 0 to 256 : !tile.range<256>
      %j = tile.axis "j" 0 to 128 : !tile.range<128>
      %a = tile.load "x" %x[%m, %k] : !tile.ref<[256, 64], bf16, strides = [64, 1]>[!tile.range<@m>, !tile.range<64>] -> !tile.tile<[@m, 64], bf16>
      %b = tile.load "y" %y[%k, %n] : !tile.ref<[64, 256], bf16, strides = [256, 1]>[!tile.range<64>, !tile.range<256>] -> !tile.tile<[64, 256], bf16>
      %c = tile.load "z" %z[%n, %j] : !tile.ref<[256, 128], bf16, strides = [128, 1]>[!tile.range<256>, !tile.range<128>] -> !tile.tile<[256, 128], bf16>
      %zero = tile.full <0.0> -> !tile.tile<[@m, 256], f32>
      %s = tile.dot %a, %b, %zero precision "tf32" : !tile.tile<[@m, 64], bf16>, !tile.tile<[64, 256], bf16>, !tile.tile<[@m, 256], f32> -> !tile.tile<[@m, 256], f32>
      %p = tile.cast %s : !tile.tile<[@m, 256], f32> -> !tile.tile<[@m, 256], bf16>
      %none = tile.full <0.0> -> !tile.tile<[@m, 128], f32>
      %t = tile.dot %p, %c, %none precision "tf32" : !tile.tile<[@m, 256], bf16>, !tile.tile<[256, 128], bf16>, !tile.tile<[@m, 128], f32> -> !tile.tile<[@m, 128], f32>
      tile.store "out" %t, %out[%m, %j] : !tile.tile<[@m, 128], f32> : !tile.ref<[256, 128], f32, strides = [128, 1]>[!tile.range<@m>, !tile.range<128>]
    }
  }
}

// -----

// A loop that adds up sums of what it loads is not unrolled; one that halves what it had is lowered in another way.
// CHECK:      knob.ruled_out @loop.k.loop_unroll_factor : 2, 3, 4, "Triton moves a reduction of loaded tiles out of the loop and fails where the loop is unrolled" by "avoid-faults"
// CHECK:      knob.declare @loop.j.loop_unroll_factor : one_of none, 2, 3, 4
builtin.module attributes {helion_ir.target = "h200"} {
  knob.declare @m : pow2 16 to 256 = 16 in "block_sizes" by "frontend" doc "rows"
  knob.declare @k : pow2 16 to 256 = 16 in "block_sizes" by "frontend" doc "inner"
  knob.declare @loop.k.loop_unroll_factor : one_of none, 2, 3, 4 = none in "range_unroll_factors" by "convert-tile-to-triton" doc "copies"
  knob.declare @loop.j.loop_unroll_factor : one_of none, 2, 3, 4 = none in "range_unroll_factors" by "convert-tile-to-triton" doc "copies"
  tile.kernel @sums (%x: !tile.ref<[256, 4096], f32, strides = [4096, 1]>, %out: !tile.ref<[256], f32, strides = [1]>) names ["x", "out"] {
    tile.parallel "m" (%m = 0 to 256 : !tile.range<@m>) {
      %zero = tile.full <0.0> -> !tile.tile<[@m], f32>
      %half = tile.full <0.5> -> !tile.tile<[@m], f32>
      %a = tile.for "k" (%k = 0 to 4096 : !tile.range<@k>) iter_args (%s = %zero : !tile.tile<[@m], f32>) {
        %v = tile.load "x" %x[%m, %k] : !tile.ref<[256, 4096], f32, strides = [4096, 1]>[!tile.range<@m>, !tile.range<@k>] -> !tile.tile<[@m, @k], f32>
        %r = tile.reduce "sum" <1> %v : !tile.tile<[@m, @k], f32> -> !tile.tile<[@m], f32>
        %t = tile.add %s, %r : !tile.tile<[@m], f32>
        tile.yield %t : !tile.tile<[@m], f32>
      }
      %b = tile.for "j" (%j = 0 to 4096 : !tile.range<@k>) iter_args (%s = %a : !tile.tile<[@m], f32>) {
        %v = tile.load "x" %x[%m, %j] : !tile.ref<[256, 4096], f32, strides = [4096, 1]>[!tile.range<@m>, !tile.range<@k>] -> !tile.tile<[@m, @k], f32>
        %r = tile.reduce "sum" <1> %v : !tile.tile<[@m, @k], f32> -> !tile.tile<[@m], f32>
        %h = tile.mul %s, %half : !tile.tile<[@m], f32>
        %t = tile.add %h, %r : !tile.tile<[@m], f32>
        tile.yield %t : !tile.tile<[@m], f32>
      }
      tile.store "out" %b, %out[%m] : !tile.tile<[@m], f32> : !tile.ref<[256], f32, strides = [1]>[!tile.range<@m>]
    }
  }
}
