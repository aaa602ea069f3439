// RUN: not helion-ir-opt %s | filecheck %s

// CHECK:      verify.mlir:[[# @LINE + 6]]:3: error: tile.reduce: [8] remain, the result is !tile.tile<[4], f32>
// CHECK-NEXT:     %s = tile.reduce "sum" <1> %x
// CHECK-NEXT:     ^^
// CHECK-NOT:  Traceback
builtin.module {
  %x = "test.op"() : () -> !tile.tile<[8, 4], f32>
  %s = tile.reduce "sum" <1> %x : !tile.tile<[8, 4], f32> -> !tile.tile<[4], f32>
}
