// RUN: helion-ir-opt %s -p peel-masks --split-input-file | filecheck %s

// The last tile is split off, where the block size may not divide; the two loops together run what the one did.
// CHECK-LABEL: tile.kernel @last
// CHECK:         %acc = tile.for "k" (%k = 0 to (100 floordiv @k.block_size) * @k.block_size : !tile.range<@k.block_size>) iter_args (%a = %zero : !tile.tile<[4], f32>) {
// CHECK-NEXT:      %v = tile.load "x" %x[%m, %k]
// CHECK-NEXT:      %s = tile.reduce "sum" <1> %v
// CHECK-NEXT:      %b = tile.add %a, %s
// CHECK-NEXT:      tile.yield %b
// CHECK-NEXT:    }
// CHECK-NEXT:    %acc_1 = tile.for "k.rest" (%k_1 = (100 floordiv @k.block_size) * @k.block_size to 100 : !tile.range<@k.block_size>) iter_args (%a_1 = %acc : !tile.tile<[4], f32>) {
// CHECK-NEXT:      %v_1 = tile.load "x" %x[%m, %k_1]
// CHECK-NEXT:      %s_1 = tile.reduce "sum" <1> %v_1
// CHECK-NEXT:      %b_1 = tile.add %a_1, %s_1
// CHECK-NEXT:      tile.yield %b_1
// CHECK-NEXT:    }
// CHECK-NEXT:    tile.store "out" %acc_1, %out[%m]
builtin.module {
  knob.declare @k.block_size : pow2 16 to 64 = 32 in "block_sizes" by "frontend" doc "columns"
  tile.kernel @last (%x: !tile.ref<[8, 100], f32, strides = [100, 1]>, %out: !tile.ref<[8], f32, strides = [1]>) names ["x", "out"] {
    tile.parallel "m" (%m = 0 to 8 : !tile.range<4>) {
      %zero = tile.full <0.0> -> !tile.tile<[4], f32>
      %acc = tile.for "k" (%k = 0 to 100 : !tile.range<@k.block_size>) iter_args (%a = %zero : !tile.tile<[4], f32>) attributes {schedule = {peel = #knob.value<1>}} {
        %v = tile.load "x" %x[%m, %k] : !tile.ref<[8, 100], f32, strides = [100, 1]>[!tile.range<4>, !tile.range<@k.block_size>] -> !tile.tile<[4, @k.block_size], f32>
        %s = tile.reduce "sum" <1> %v : !tile.tile<[4, @k.block_size], f32> -> !tile.tile<[4], f32>
        %b = tile.add %a, %s : !tile.tile<[4], f32>
        tile.yield %b : !tile.tile<[4], f32>
      }
      tile.store "out" %acc, %out[%m] : !tile.tile<[4], f32> : !tile.ref<[8], f32, strides = [1]>[!tile.range<4>]
    }
  }
}

// -----

// Below the diagonal no score is compared: a tile is full if it ends at or before the first row.
// CHECK-LABEL: tile.kernel @causal
// CHECK:         %0 = tile.begin %m
// CHECK-NEXT:    %acc = tile.for "k" (%k = 0 to (max(min(d0 + 1, 64), 0) floordiv 16) * 16 : !tile.range<16>) with (%0 : !tile.tile<[], i32>)
// CHECK-NEXT:      %v = tile.load "x" %x[%m, %k]
// CHECK-NEXT:      %b = tile.add %a, %v
// CHECK-NEXT:      tile.yield %b
// CHECK-NEXT:    }
// CHECK-NEXT:    %acc_1 = tile.for "k.rest" (%k_1 = (max(min(d0 + 1, 64), 0) floordiv 16) * 16 to 64 : !tile.range<16>) with (%0 : !tile.tile<[], i32>)
// CHECK:           tile.compare "ge"
// CHECK-NEXT:      tile.where
builtin.module {
  tile.kernel @causal (%x: !tile.ref<[64, 64], f32, strides = [64, 1]>, %out: !tile.ref<[64, 64], f32, strides = [64, 1]>) names ["x", "out"] {
    tile.parallel "m" (%m = 0 to 64 : !tile.range<16>) {
      %zero = tile.full <0.0> -> !tile.tile<[16, 16], f32>
      %acc = tile.for "k" (%k = 0 to 64 : !tile.range<16>) iter_args (%a = %zero : !tile.tile<[16, 16], f32>) attributes {schedule = {peel = #knob.value<1>}} {
        %v = tile.load "x" %x[%m, %k] : !tile.ref<[64, 64], f32, strides = [64, 1]>[!tile.range<16>, !tile.range<16>] -> !tile.tile<[16, 16], f32>
        %i = tile.index %m : !tile.range<16> -> !tile.tile<[16], i32>
        %i1 = tile.reshape %i : !tile.tile<[16], i32> -> !tile.tile<[16, 1], i32>
        %in = tile.broadcast %i1 : !tile.tile<[16, 1], i32> -> !tile.tile<[16, 16], i32>
        %j = tile.index %k : !tile.range<16> -> !tile.tile<[16], i32>
        %j1 = tile.reshape %j : !tile.tile<[16], i32> -> !tile.tile<[1, 16], i32>
        %jn = tile.broadcast %j1 : !tile.tile<[1, 16], i32> -> !tile.tile<[16, 16], i32>
        %below = tile.compare "ge" %in, %jn : !tile.tile<[16, 16], i32> -> !tile.tile<[16, 16], i1>
        %w = tile.where %below, %v, %zero : !tile.tile<[16, 16], i1>, !tile.tile<[16, 16], f32>
        %b = tile.add %a, %w : !tile.tile<[16, 16], f32>
        tile.yield %b : !tile.tile<[16, 16], f32>
      }
      %k = tile.axis "k" 0 to 16 : !tile.range<16>
      tile.store "out" %acc, %out[%m, %k] : !tile.tile<[16, 16], f32> : !tile.ref<[64, 64], f32, strides = [64, 1]>[!tile.range<16>, !tile.range<16>]
    }
  }
}
