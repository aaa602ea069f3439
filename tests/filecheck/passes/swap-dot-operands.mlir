// RUN: helion-ir-opt %s -p swap-dot-operands --split-input-file --no-locations | filecheck %s

// The loop carries the transpose of what it sums, made as one at the start, and is transposed once at the end.
// CHECK-LABEL: tile.kernel @few
// CHECK:         %zero = tile.full <0.0> -> !tile.tile<[8, 128], f32>
// CHECK-NEXT:    %zero_1 = tile.full <0.0> -> !tile.tile<[128, 8], f32>
// CHECK-NEXT:    %acc = tile.for "k" (%k = 0 to 64 : !tile.range<16>) iter_args (%a = %zero_1 : !tile.tile<[128, 8], f32>) {
// CHECK-NEXT:      %x_1 = tile.load "x"
// CHECK-NEXT:      %y_1 = tile.load "y"
// CHECK-NEXT:      %y_2 = tile.permute <1, 0> %y_1 : !tile.tile<[16, 128], f32> -> !tile.tile<[128, 16], f32>
// CHECK-NEXT:      %x_2 = tile.permute <1, 0> %x_1 : !tile.tile<[8, 16], f32> -> !tile.tile<[16, 8], f32>
// CHECK-NEXT:      %d = tile.dot %y_2, %x_2, %a precision "tf32"
// CHECK-NEXT:      tile.yield %d : !tile.tile<[128, 8], f32>
// CHECK-NEXT:    }
// CHECK-NEXT:    %acc_1 = tile.permute <1, 0> %acc : !tile.tile<[128, 8], f32> -> !tile.tile<[8, 128], f32>
// CHECK-NEXT:    tile.store "out" %acc_1
builtin.module {
  tile.kernel @few (%x: !tile.ref<[8, 64], f32, strides = [64, 1]>, %y: !tile.ref<[64, 128], f32, strides = [128, 1]>, %out: !tile.ref<[8, 128], f32, strides = [128, 1]>) names ["x", "y", "out"] {
    tile.parallel "mn" (%m = 0 to 8 : !tile.range<8>, %n = 0 to 128 : !tile.range<128>) {
      %zero = tile.full <0.0> -> !tile.tile<[8, 128], f32>
      %acc = tile.for "k" (%k = 0 to 64 : !tile.range<16>) iter_args (%a = %zero : !tile.tile<[8, 128], f32>) attributes {schedule = {swap = #knob.value<true>}} {
        %x_1 = tile.load "x" %x[%m, %k] : !tile.ref<[8, 64], f32, strides = [64, 1]>[!tile.range<8>, !tile.range<16>] -> !tile.tile<[8, 16], f32>
        %y_1 = tile.load "y" %y[%k, %n] : !tile.ref<[64, 128], f32, strides = [128, 1]>[!tile.range<16>, !tile.range<128>] -> !tile.tile<[16, 128], f32>
        %d = tile.dot %x_1, %y_1, %a precision "tf32" : !tile.tile<[8, 16], f32>, !tile.tile<[16, 128], f32>, !tile.tile<[8, 128], f32> -> !tile.tile<[8, 128], f32>
        tile.yield %d : !tile.tile<[8, 128], f32>
      }
      tile.store "out" %acc, %out[%m, %n] : !tile.tile<[8, 128], f32> : !tile.ref<[8, 128], f32, strides = [128, 1]>[!tile.range<8>, !tile.range<128>]
    }
  }
}
