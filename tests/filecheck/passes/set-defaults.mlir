// RUN: helion-ir-opt %s -p set-defaults --split-input-file | filecheck %s

// A large product of what is loaded, on an H200: the target's tile, two warp groups, three stages, grouped rows.
// CHECK:      knob.declare @m : pow2 16 to 4096 = 128
// CHECK-NEXT: knob.declare @n : pow2 16 to 4096 = 256
// CHECK-NEXT: knob.declare @k : pow2 16 to 4096 = 64
// CHECK-NEXT: knob.declare @m_n.loop_order : permutation 2 = [0, 1]
// CHECK-NEXT: knob.declare @m_n.l2_grouping : pow2 1 to 64 = 8
// CHECK:      knob.declare @num_warps : pow2 1 to 32 = 8
// CHECK-NEXT: knob.declare @num_stages : int 1 to 6 = 3
builtin.module attributes {helion_ir.target = "h200"} {
  knob.declare @m : pow2 16 to 4096 = 16 in "block_sizes" by "frontend" doc "rows"
  knob.declare @n : pow2 16 to 4096 = 16 in "block_sizes" by "frontend" doc "columns"
  knob.declare @k : pow2 16 to 4096 = 16 in "block_sizes" by "frontend" doc "inner"
  knob.declare @m_n.loop_order : permutation 2 = [0, 1] in "loop_orders" by "map-grid" doc "order"
  knob.declare @m_n.l2_grouping : pow2 1 to 64 = 1 in "l2_groupings" by "map-grid" doc "rows together"
  knob.declare @num_warps : pow2 1 to 32 = 4 by "convert-tile-to-triton" doc "warps"
  knob.declare @num_stages : int 1 to 6 = 2 by "convert-tile-to-triton" doc "stages"
  tile.kernel @large (%x: !tile.ref<[4096, 4096], bf16, strides = [4096, 1]>, %y: !tile.ref<[4096, 4096], bf16, strides = [4096, 1]>, %out: !tile.ref<[4096, 4096], f32, strides = [4096, 1]>) names ["x", "y", "out"] {
    tile.parallel "m_n" (%m = 0 to 4096 : !tile.range<@m>, %n = 0 to 4096 : !tile.range<@n>) {
      %zero = tile.full <0.0> -> !tile.tile<[@m, @n], f32>
      %r = tile.for "k" (%k = 0 to 4096 : !tile.range<@k>) iter_args (%acc = %zero : !tile.tile<[@m, @n], f32>) {
        %a = tile.load "x" %x[%m, %k] : !tile.ref<[4096, 4096], bf16, strides = [4096, 1]>[!tile.range<@m>, !tile.range<@k>] -> !tile.tile<[@m, @k], bf16>
        %b = tile.load "y" %y[%k, %n] : !tile.ref<[4096, 4096], bf16, strides = [4096, 1]>[!tile.range<@k>, !tile.range<@n>] -> !tile.tile<[@k, @n], bf16>
        %t = tile.dot %a, %b, %acc precision "tf32" : !tile.tile<[@m, @k], bf16>, !tile.tile<[@k, @n], bf16>, !tile.tile<[@m, @n], f32> -> !tile.tile<[@m, @n], f32>
        tile.yield %t : !tile.tile<[@m, @n], f32>
      }
      tile.store "out" %r, %out[%m, %n] : !tile.tile<[@m, @n], f32> : !tile.ref<[4096, 4096], f32, strides = [4096, 1]>[!tile.range<@m>, !tile.range<@n>]
    }
  }
}

// -----

// A product of 512 x 512 occupies few compute units, so its tile shrinks; 64 KiB of an MI300X hold two stages.
// CHECK:      knob.declare @m : pow2 16 to 512 = 64
// CHECK-NEXT: knob.declare @n : pow2 16 to 512 = 64
// CHECK-NEXT: knob.declare @k : pow2 16 to 512 = 32
// CHECK:      knob.declare @num_warps : pow2 1 to 16 = 4
// CHECK-NEXT: knob.declare @num_stages : int 1 to 6 = 2
builtin.module attributes {helion_ir.target = "mi300x"} {
  knob.declare @m : pow2 16 to 512 = 16 in "block_sizes" by "frontend" doc "rows"
  knob.declare @n : pow2 16 to 512 = 16 in "block_sizes" by "frontend" doc "columns"
  knob.declare @k : pow2 16 to 512 = 16 in "block_sizes" by "frontend" doc "inner"
  knob.declare @m_n.loop_order : permutation 2 = [0, 1] in "loop_orders" by "map-grid" doc "order"
  knob.declare @m_n.l2_grouping : pow2 1 to 64 = 1 in "l2_groupings" by "map-grid" doc "rows together"
  knob.declare @num_warps : pow2 1 to 16 = 4 by "convert-tile-to-triton" doc "warps"
  knob.declare @num_stages : int 1 to 6 = 2 by "convert-tile-to-triton" doc "stages"
  tile.kernel @small (%x: !tile.ref<[512, 512], f32, strides = [512, 1]>, %y: !tile.ref<[512, 512], f32, strides = [512, 1]>, %out: !tile.ref<[512, 512], f32, strides = [512, 1]>) names ["x", "y", "out"] {
    tile.parallel "m_n" (%m = 0 to 512 : !tile.range<@m>, %n = 0 to 512 : !tile.range<@n>) {
      %zero = tile.full <0.0> -> !tile.tile<[@m, @n], f32>
      %r = tile.for "k" (%k = 0 to 512 : !tile.range<@k>) iter_args (%acc = %zero : !tile.tile<[@m, @n], f32>) {
        %a = tile.load "x" %x[%m, %k] : !tile.ref<[512, 512], f32, strides = [512, 1]>[!tile.range<@m>, !tile.range<@k>] -> !tile.tile<[@m, @k], f32>
        %b = tile.load "y" %y[%k, %n] : !tile.ref<[512, 512], f32, strides = [512, 1]>[!tile.range<@k>, !tile.range<@n>] -> !tile.tile<[@k, @n], f32>
        %t = tile.dot %a, %b, %acc precision "ieee" : !tile.tile<[@m, @k], f32>, !tile.tile<[@k, @n], f32>, !tile.tile<[@m, @n], f32> -> !tile.tile<[@m, @n], f32>
        tile.yield %t : !tile.tile<[@m, @n], f32>
      }
      tile.store "out" %r, %out[%m, %n] : !tile.tile<[@m, @n], f32> : !tile.ref<[512, 512], f32, strides = [512, 1]>[!tile.range<@m>, !tile.range<@n>]
    }
  }
}

// -----

// Elementwise: 1024 elements, along contiguous memory first, which blocks follow, too.
// CHECK:      knob.declare @r : pow2 1 to 4096 = 2
// CHECK-NEXT: knob.declare @c : pow2 1 to 512 = 512
// CHECK-NEXT: knob.declare @r_c.loop_order : permutation 2 = [1, 0]
// CHECK:      knob.declare @num_warps : pow2 1 to 32 = 4
builtin.module attributes {helion_ir.target = "h200"} {
  knob.declare @r : pow2 1 to 4096 = 32 in "block_sizes" by "frontend" doc "rows"
  knob.declare @c : pow2 1 to 512 = 32 in "block_sizes" by "frontend" doc "columns"
  knob.declare @r_c.loop_order : permutation 2 = [0, 1] in "loop_orders" by "map-grid" doc "order"
  knob.declare @r_c.l2_grouping : pow2 1 to 64 = 1 in "l2_groupings" by "map-grid" doc "rows together"
  knob.declare @num_warps : pow2 1 to 32 = 4 by "convert-tile-to-triton" doc "warps"
  knob.declare @num_stages : int 1 to 6 = 1 by "convert-tile-to-triton" doc "stages"
  tile.kernel @twice (%x: !tile.ref<[4096, 512], f32, strides = [512, 1]>) names ["x"] {
    tile.parallel "r_c" (%r = 0 to 4096 : !tile.range<@r>, %c = 0 to 512 : !tile.range<@c>) {
      %v = tile.load "x" %x[%r, %c] : !tile.ref<[4096, 512], f32, strides = [512, 1]>[!tile.range<@r>, !tile.range<@c>] -> !tile.tile<[@r, @c], f32>
      %w = tile.add %v, %v : !tile.tile<[@r, @c], f32>
      tile.store "x" %w, %x[%r, %c] : !tile.tile<[@r, @c], f32> : !tile.ref<[4096, 512], f32, strides = [512, 1]>[!tile.range<@r>, !tile.range<@c>]
    }
  }
}

// -----

// Long rows: one a program, with more warps; and where no device is, the frontend's defaults stand.
// CHECK:      knob.declare @m : pow2 1 to 4096 = 1
// CHECK:      knob.declare @num_warps : pow2 1 to 32 = 8
// CHECK:      knob.declare @m : pow2 1 to 4096 = 32
// CHECK:      knob.declare @num_warps : pow2 1 to 32 = 4
builtin.module attributes {helion_ir.target = "b200"} {
  knob.declare @m : pow2 1 to 4096 = 32 in "block_sizes" by "frontend" doc "rows"
  knob.declare @num_warps : pow2 1 to 32 = 4 by "convert-tile-to-triton" doc "warps"
  knob.declare @num_stages : int 1 to 6 = 1 by "convert-tile-to-triton" doc "stages"
  tile.kernel @sums (%x: !tile.ref<[4096, 8000], f32, strides = [8000, 1]>, %out: !tile.ref<[4096], f32, strides = [1]>) names ["x", "out"] {
    tile.parallel "m" (%m = 0 to 4096 : !tile.range<@m>) {
      %n = tile.axis "n" 0 to 8000 : !tile.range<8000>
      %v = tile.load "x" %x[%m, %n] : !tile.ref<[4096, 8000], f32, strides = [8000, 1]>[!tile.range<@m>, !tile.range<8000>] -> !tile.tile<[@m, 8000], f32>
      %s = tile.reduce "sum" <1> %v : !tile.tile<[@m, 8000], f32> -> !tile.tile<[@m], f32>
      tile.store "out" %s, %out[%m] : !tile.tile<[@m], f32> : !tile.ref<[4096], f32, strides = [1]>[!tile.range<@m>]
    }
  }
}

// -----

builtin.module {
  knob.declare @m : pow2 1 to 4096 = 32 in "block_sizes" by "frontend" doc "rows"
  knob.declare @num_warps : pow2 1 to 32 = 4 by "convert-tile-to-triton" doc "warps"
  knob.declare @num_stages : int 1 to 6 = 1 by "convert-tile-to-triton" doc "stages"
  tile.kernel @sums (%x: !tile.ref<[4096, 8000], f32, strides = [8000, 1]>, %out: !tile.ref<[4096], f32, strides = [1]>) names ["x", "out"] {
    tile.parallel "m" (%m = 0 to 4096 : !tile.range<@m>) {
      %n = tile.axis "n" 0 to 8000 : !tile.range<8000>
      %v = tile.load "x" %x[%m, %n] : !tile.ref<[4096, 8000], f32, strides = [8000, 1]>[!tile.range<@m>, !tile.range<8000>] -> !tile.tile<[@m, 8000], f32>
      %s = tile.reduce "sum" <1> %v : !tile.tile<[@m, 8000], f32> -> !tile.tile<[@m], f32>
      tile.store "out" %s, %out[%m] : !tile.tile<[@m], f32> : !tile.ref<[4096], f32, strides = [1]>[!tile.range<@m>]
    }
  }
}

// -----

// Products that follow on each other. Keys and values of two stages fit beside the queries, 64 KiB, which stay; a thread
// holds operands, too, so that a warp has 16 rows.
// CHECK:      knob.declare @m : pow2 16 to 4096 = 128
// CHECK-NEXT: knob.declare @n : pow2 16 to 4096 = 16
// CHECK-NEXT: knob.declare @num_warps : pow2 1 to 32 = 8
// CHECK-NEXT: knob.declare @num_stages : int 1 to 6 = 2
// CHECK-NEXT: knob.declare @maxnreg : one_of none, 128, 256 = none
builtin.module attributes {helion_ir.target = "rtx5090"} {
  knob.declare @m : pow2 16 to 4096 = 16 in "block_sizes" by "frontend" doc "queries"
  knob.declare @n : pow2 16 to 4096 = 16 in "block_sizes" by "frontend" doc "keys"
  knob.declare @num_warps : pow2 1 to 32 = 4 by "convert-tile-to-triton" doc "warps"
  knob.declare @num_stages : int 1 to 6 = 2 by "convert-tile-to-triton" doc "stages"
  knob.declare @maxnreg : one_of none, 128, 256 = none by "convert-tile-to-triton" doc "registers"
  tile.kernel @attend (%q: !tile.ref<[32768, 128], f32, strides = [128, 1]>, %k: !tile.ref<[128, 4096], f32, strides = [4096, 1]>, %v: !tile.ref<[4096, 128], f32, strides = [128, 1]>, %out: !tile.ref<[32768, 128], f32, strides = [128, 1]>) names ["q", "k", "v", "out"] {
    tile.parallel "m" (%m = 0 to 32768 : !tile.range<@m>) {
      %d = tile.axis "d" 0 to 128 : !tile.range<128>
      %a = tile.load "q" %q[%m, %d] : !tile.ref<[32768, 128], f32, strides = [128, 1]>[!tile.range<@m>, !tile.range<128>] -> !tile.tile<[@m, 128], f32>
      %zero = tile.full <0.0> -> !tile.tile<[@m, 128], f32>
      %none = tile.full <0.0> -> !tile.tile<[@m, @n], f32>
      %r = tile.for "n" (%n = 0 to 4096 : !tile.range<@n>) iter_args (%acc = %zero : !tile.tile<[@m, 128], f32>) {
        %b = tile.load "k" %k[%d, %n] : !tile.ref<[128, 4096], f32, strides = [4096, 1]>[!tile.range<128>, !tile.range<@n>] -> !tile.tile<[128, @n], f32>
        %s = tile.dot %a, %b, %none precision "tf32" : !tile.tile<[@m, 128], f32>, !tile.tile<[128, @n], f32>, !tile.tile<[@m, @n], f32> -> !tile.tile<[@m, @n], f32>
        %c = tile.load "v" %v[%n, %d] : !tile.ref<[4096, 128], f32, strides = [128, 1]>[!tile.range<@n>, !tile.range<128>] -> !tile.tile<[@n, 128], f32>
        %t = tile.dot %s, %c, %acc precision "tf32" : !tile.tile<[@m, @n], f32>, !tile.tile<[@n, 128], f32>, !tile.tile<[@m, 128], f32> -> !tile.tile<[@m, 128], f32>
        tile.yield %t : !tile.tile<[@m, 128], f32>
      }
      tile.store "out" %r, %out[%m, %d] : !tile.tile<[@m, 128], f32> : !tile.ref<[32768, 128], f32, strides = [128, 1]>[!tile.range<@m>, !tile.range<128>]
    }
  }
}

// -----

// A B200 accumulates in tensor memory, so that four warps hold 128 x 128; between the products nothing is spilled in order
// that more programs run at once.
// CHECK:      knob.declare @m : pow2 16 to 4096 = 128
// CHECK-NEXT: knob.declare @n : pow2 16 to 4096 = 32
// CHECK-NEXT: knob.declare @num_warps : pow2 1 to 32 = 4
// CHECK-NEXT: knob.declare @num_stages : int 1 to 6 = 4
// CHECK-NEXT: knob.declare @maxnreg : one_of none, 128, 256 = 256
builtin.module attributes {helion_ir.target = "b200"} {
  knob.declare @m : pow2 16 to 4096 = 16 in "block_sizes" by "frontend" doc "queries"
  knob.declare @n : pow2 16 to 4096 = 16 in "block_sizes" by "frontend" doc "keys"
  knob.declare @num_warps : pow2 1 to 32 = 4 by "convert-tile-to-triton" doc "warps"
  knob.declare @num_stages : int 1 to 6 = 2 by "convert-tile-to-triton" doc "stages"
  knob.declare @maxnreg : one_of none, 128, 256 = none by "convert-tile-to-triton" doc "registers"
  tile.kernel @attend (%q: !tile.ref<[32768, 128], f32, strides = [128, 1]>, %k: !tile.ref<[128, 4096], f32, strides = [4096, 1]>, %v: !tile.ref<[4096, 128], f32, strides = [128, 1]>, %out: !tile.ref<[32768, 128], f32, strides = [128, 1]>) names ["q", "k", "v", "out"] {
    tile.parallel "m" (%m = 0 to 32768 : !tile.range<@m>) {
      %d = tile.axis "d" 0 to 128 : !tile.range<128>
      %a = tile.load "q" %q[%m, %d] : !tile.ref<[32768, 128], f32, strides = [128, 1]>[!tile.range<@m>, !tile.range<128>] -> !tile.tile<[@m, 128], f32>
      %zero = tile.full <0.0> -> !tile.tile<[@m, 128], f32>
      %none = tile.full <0.0> -> !tile.tile<[@m, @n], f32>
      %r = tile.for "n" (%n = 0 to 4096 : !tile.range<@n>) iter_args (%acc = %zero : !tile.tile<[@m, 128], f32>) {
        %b = tile.load "k" %k[%d, %n] : !tile.ref<[128, 4096], f32, strides = [4096, 1]>[!tile.range<128>, !tile.range<@n>] -> !tile.tile<[128, @n], f32>
        %s = tile.dot %a, %b, %none precision "tf32" : !tile.tile<[@m, 128], f32>, !tile.tile<[128, @n], f32>, !tile.tile<[@m, @n], f32> -> !tile.tile<[@m, @n], f32>
        %c = tile.load "v" %v[%n, %d] : !tile.ref<[4096, 128], f32, strides = [128, 1]>[!tile.range<@n>, !tile.range<128>] -> !tile.tile<[@n, 128], f32>
        %t = tile.dot %s, %c, %acc precision "tf32" : !tile.tile<[@m, @n], f32>, !tile.tile<[@n, 128], f32>, !tile.tile<[@m, 128], f32> -> !tile.tile<[@m, 128], f32>
        tile.yield %t : !tile.tile<[@m, 128], f32>
      }
      tile.store "out" %r, %out[%m, %d] : !tile.tile<[@m, 128], f32> : !tile.ref<[32768, 128], f32, strides = [128, 1]>[!tile.range<@m>, !tile.range<128>]
    }
  }
}
