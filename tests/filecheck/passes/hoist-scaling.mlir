// RUN: helion-ir-opt %s -p hoist-scaling --no-locations | filecheck %s

// The rows of a product's operand are scaled: the product takes them as they are loaded, and the sum is scaled behind the loop.
// CHECK:      %acc = tile.for "k"
// CHECK-NEXT:   %v = tile.load "x"
// CHECK-NEXT:   %w = tile.load "y"
// CHECK-NEXT:   %d = tile.dot %v, %w, %a
// CHECK-NEXT:   tile.yield %d
// CHECK-NEXT: }
// CHECK-NEXT: %0 = tile.broadcast %f : !tile.tile<[@m.block_size, 1], f32> -> !tile.tile<[@m.block_size, 32], f32>
// CHECK-NEXT: %acc_1 = tile.mul %acc, %0
// CHECK-NEXT: tile.store "out" %acc_1, %out[%m, %n]
builtin.module {
  knob.declare @k.block_size : pow2 16 to 32 = 16 in "block_sizes" by "frontend" doc "columns of x"
  knob.declare @m.block_size : pow2 16 to 32 = 16 in "block_sizes" by "frontend" doc "rows of x"
  knob.declare @loop.k.hoist_scaling : bool = false by "hoist-scaling" doc "whether the sum is scaled"
  tile.kernel @_f (%x: !tile.ref<[64, 128], bf16, strides = [128, 1]>, %y: !tile.ref<[128, 32], bf16, strides = [32, 1]>, %scale: !tile.ref<[64], f32, strides = [1]>, %out: !tile.ref<[64, 32], f32, strides = [32, 1]>) names ["x", "y", "scale", "out"] {
    tile.parallel "m" (%m = 0 to 64 : !tile.range<@m.block_size>) {
      %n = tile.axis "n" 0 to 32 : !tile.range<32>
      %s = tile.load "scale" %scale[%m] : !tile.ref<[64], f32, strides = [1]>[!tile.range<@m.block_size>] -> !tile.tile<[@m.block_size], f32>
      %f = tile.reshape %s : !tile.tile<[@m.block_size], f32> -> !tile.tile<[@m.block_size, 1], f32>
      %zero = tile.full <0.0> -> !tile.tile<[@m.block_size, 32], f32>
      %acc = tile.for "k" (%k = 0 to 128 : !tile.range<@k.block_size>) iter_args (%a = %zero : !tile.tile<[@m.block_size, 32], f32>) attributes {schedule = {scaling = #knob.value<true>}} {
        %v = tile.load "x" %x[%m, %k] : !tile.ref<[64, 128], bf16, strides = [128, 1]>[!tile.range<@m.block_size>, !tile.range<@k.block_size>] -> !tile.tile<[@m.block_size, @k.block_size], bf16>
        %c = tile.cast %v : !tile.tile<[@m.block_size, @k.block_size], bf16> -> !tile.tile<[@m.block_size, @k.block_size], f32>
        %b = tile.broadcast %f : !tile.tile<[@m.block_size, 1], f32> -> !tile.tile<[@m.block_size, @k.block_size], f32>
        %p = tile.mul %c, %b : !tile.tile<[@m.block_size, @k.block_size], f32>
        %l = tile.cast %p : !tile.tile<[@m.block_size, @k.block_size], f32> -> !tile.tile<[@m.block_size, @k.block_size], bf16>
        %w = tile.load "y" %y[%k, %n] : !tile.ref<[128, 32], bf16, strides = [32, 1]>[!tile.range<@k.block_size>, !tile.range<32>] -> !tile.tile<[@k.block_size, 32], bf16>
        %d = tile.dot %l, %w, %a precision "tf32" : !tile.tile<[@m.block_size, @k.block_size], bf16>, !tile.tile<[@k.block_size, 32], bf16>, !tile.tile<[@m.block_size, 32], f32> -> !tile.tile<[@m.block_size, 32], f32>
        tile.yield %d : !tile.tile<[@m.block_size, 32], f32>
      }
      tile.store "out" %acc, %out[%m, %n] : !tile.tile<[@m.block_size, 32], f32> : !tile.ref<[64, 32], f32, strides = [32, 1]>[!tile.range<@m.block_size>, !tile.range<32>]
    }
  }
}
