// RUN: helion-ir-opt %s -p clip-loops --split-input-file --no-locations | filecheck %s

// The loop ends with the tile that has the last index any of the rows is compared with successfully.
// CHECK:      tile.parallel "rows" (%rows = 0 to 64 : !tile.range<16>) {
// CHECK:        %rows.begin = tile.begin %rows
// CHECK-NEXT:   %sum = tile.for "columns" (%columns = 0 to min((max(d0 + 16, 0) ceildiv 8) * 8, 64) : !tile.range<8>) with (%rows.begin : !tile.tile<[], i32>) iter_args
builtin.module {
  tile.kernel @prefix (%x: !tile.ref<[64, 64], f32, strides = [64, 1]>, %out: !tile.ref<[64], f32, strides = [1]>) names ["x", "out"] {
    tile.parallel "rows" (%rows = 0 to 64 : !tile.range<16>) {
      %zero = tile.full <0.0> -> !tile.tile<[16], f32>
      %sum = tile.for "columns" (%columns = 0 to 64 : !tile.range<8>) iter_args (%a = %zero : !tile.tile<[16], f32>) attributes {schedule = {clip = #knob.value<1>}} {
        %v = tile.load "x" %x[%rows, %columns] : !tile.ref<[64, 64], f32, strides = [64, 1]>[!tile.range<16>, !tile.range<8>] -> !tile.tile<[16, 8], f32>
        %i = tile.index %rows : !tile.range<16> -> !tile.tile<[16], i32>
        %i_1 = tile.reshape %i : !tile.tile<[16], i32> -> !tile.tile<[16, 1], i32>
        %i_2 = tile.broadcast %i_1 : !tile.tile<[16, 1], i32> -> !tile.tile<[16, 8], i32>
        %j = tile.index %columns : !tile.range<8> -> !tile.tile<[8], i32>
        %j_1 = tile.broadcast %j : !tile.tile<[8], i32> -> !tile.tile<[16, 8], i32>
        %below = tile.compare "ge" %i_2, %j_1 : !tile.tile<[16, 8], i32> -> !tile.tile<[16, 8], i1>
        %none = tile.full <0.0> -> !tile.tile<[16, 8], f32>
        %kept = tile.where %below, %v, %none : !tile.tile<[16, 8], i1>, !tile.tile<[16, 8], f32>
        %r = tile.reduce "sum" <1> %kept : !tile.tile<[16, 8], f32> -> !tile.tile<[16], f32>
        %s = tile.add %a, %r : !tile.tile<[16], f32>
        tile.yield %s : !tile.tile<[16], f32>
      }
      tile.store "out" %sum, %out[%rows] : !tile.tile<[16], f32> : !tile.ref<[64], f32, strides = [1]>[!tile.range<16>]
    }
  }
}
