// RUN: helion-ir-opt %s -p flatten-loops --split-input-file --no-locations | filecheck %s

// One range has the indices of both dimensions; accesses are subscripted by its quotients and remainders.
// CHECK:      knob.require <@pid_type ne "xyz">
// CHECK:      tile.parallel "mn" (%flat = 0 to 3300 : !tile.range<@m * @n>) {
// CHECK-NEXT:   %flat.index = tile.index %flat : !tile.range<@m * @n> -> !tile.tile<[@m * @n], i32>
// CHECK-NEXT:   %flat.index_1 = tile.reshape %flat.index
// CHECK-NEXT:   %m = index.apply <d0 floordiv 33>
// CHECK-NEXT:   %n = index.apply <d0 mod 33>
// CHECK-NEXT:   %v = tile.load "x" %x[%m, %n] : {{.*}} -> !tile.tile<[1, @m * @n], f32>
// CHECK-NEXT:   %n_1 = index.apply <d0 mod 33>(%{{.*}}) : (!tile.tile<[@m * @n], i32>)
// CHECK-NEXT:   %b_1 = tile.load "b" %b[%n_1] : {{.*}} -> !tile.tile<[@m * @n], f32>
// CHECK-NEXT:   %w = tile.broadcast %b_1 : !tile.tile<[@m * @n], f32> -> !tile.tile<[1, @m * @n], f32>
// CHECK-NEXT:   %s = tile.add %v, %w : !tile.tile<[1, @m * @n], f32>
// CHECK-NEXT:   tile.store "out" %s, %out[%m, %n]
builtin.module attributes {helion_ir.target = "h200"} {
  knob.declare @m : pow2 1 to 128 = 32 in "block_sizes" by "frontend" doc "rows"
  knob.declare @n : pow2 1 to 64 = 32 in "block_sizes" by "frontend" doc "columns"
  knob.declare @pid_type : one_of "flat", "xyz" = "flat" by "map-grid" doc "programs"
  tile.kernel @add (%x: !tile.ref<[100, 33], f32, strides = [33, 1]>, %b: !tile.ref<[33], f32, strides = [1]>, %out: !tile.ref<[100, 33], f32, strides = [33, 1]>) names ["x", "b", "out"] {
    tile.parallel "mn" (%m = 0 to 100 : !tile.range<@m>, %n = 0 to 33 : !tile.range<@n>) attributes {schedule = {flatten = #knob.value<1>}} {
      %v = tile.load "x" %x[%m, %n] : !tile.ref<[100, 33], f32, strides = [33, 1]>[!tile.range<@m>, !tile.range<@n>] -> !tile.tile<[@m, @n], f32>
      %b_1 = tile.load "b" %b[%n] : !tile.ref<[33], f32, strides = [1]>[!tile.range<@n>] -> !tile.tile<[@n], f32>
      %w = tile.broadcast %b_1 : !tile.tile<[@n], f32> -> !tile.tile<[@m, @n], f32>
      %s = tile.add %v, %w : !tile.tile<[@m, @n], f32>
      tile.store "out" %s, %out[%m, %n] : !tile.tile<[@m, @n], f32> : !tile.ref<[100, 33], f32, strides = [33, 1]>[!tile.range<@m>, !tile.range<@n>]
    }
  }
}
