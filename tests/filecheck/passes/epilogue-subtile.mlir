// RUN: helion-ir-opt %s -p epilogue-subtile --split-input-file --no-locations | filecheck %s

// The product is split in halves; what is loaded and added for its columns, and the store, are there once a half.
// CHECK-LABEL: tile.kernel @bias
// CHECK:         %d = tile.dot
// CHECK-NEXT:    %d_1 = tile.slice %d dim 1 : i64 from <0> step <1>
// CHECK-NEXT:    %d_2 = tile.slice %d dim 1 : i64 from <@n floordiv 2> step <1>
// CHECK-NEXT:    %n_1 = tile.part %n at <0> : !tile.range<@n> -> !tile.range<@n floordiv 2>
// CHECK-NEXT:    %b_1 = tile.load "b" %b[%n_1]
// CHECK-NEXT:    %w = tile.broadcast
// CHECK-NEXT:    %s = tile.add %d_1, %w
// CHECK-NEXT:    tile.store "out" %s, %out[%m, %n_1]
// CHECK-NEXT:    %n_2 = tile.part %n at <1>
// CHECK-NEXT:    %b_2 = tile.load "b" %b[%n_2]
// CHECK:         tile.store "out" %{{.*}}, %out[%m, %n_2]
// CHECK-NOT:     tile.store
builtin.module attributes {helion_ir.target = "h200"} {
  knob.declare @n : pow2 16 to 64 = 32 in "block_sizes" by "frontend" doc "columns"
  tile.kernel @bias (%x: !tile.ref<[16, 64], f32, strides = [64, 1]>, %y: !tile.ref<[64, 512], f32, strides = [512, 1]>, %b: !tile.ref<[512], f32, strides = [1]>, %out: !tile.ref<[16, 512], f32, strides = [512, 1]>) names ["x", "y", "b", "out"] {
    tile.parallel "mn" (%m = 0 to 16 : !tile.range<16>, %n = 0 to 512 : !tile.range<@n>) {
      %k = tile.axis "k" 0 to 64 : !tile.range<64>
      %zero = tile.full <0.0> -> !tile.tile<[16, @n], f32>
      %x_1 = tile.load "x" %x[%m, %k] : !tile.ref<[16, 64], f32, strides = [64, 1]>[!tile.range<16>, !tile.range<64>] -> !tile.tile<[16, 64], f32>
      %y_1 = tile.load "y" %y[%k, %n] : !tile.ref<[64, 512], f32, strides = [512, 1]>[!tile.range<64>, !tile.range<@n>] -> !tile.tile<[64, @n], f32>
      %d = tile.dot %x_1, %y_1, %zero precision "tf32" : !tile.tile<[16, 64], f32>, !tile.tile<[64, @n], f32>, !tile.tile<[16, @n], f32> -> !tile.tile<[16, @n], f32>
      %b_1 = tile.load "b" %b[%n] : !tile.ref<[512], f32, strides = [1]>[!tile.range<@n>] -> !tile.tile<[@n], f32>
      %w = tile.broadcast %b_1 : !tile.tile<[@n], f32> -> !tile.tile<[16, @n], f32>
      %s = tile.add %d, %w : !tile.tile<[16, @n], f32>
      tile.store "out" %s, %out[%m, %n] attributes {schedule = {subtile = #knob.value<2>}} : !tile.tile<[16, @n], f32> : !tile.ref<[16, 512], f32, strides = [512, 1]>[!tile.range<16>, !tile.range<@n>]
    }
  }
}
