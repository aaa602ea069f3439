// RUN: not helion-ir-opt %s | filecheck %s

// CHECK:      syntax.mlir:[[# @LINE + 7]]:19: error: Expected ':'
// CHECK-NEXT:     %e = tile.exp %f, %f : !tile.tile<[8], f32>
// CHECK-NEXT:                    ^
// CHECK-NOT:  Traceback
builtin.module {
  "test.op"() : () -> () loc("k.py":1:1)
  %f = "test.op"() : () -> !tile.tile<[8], f32>
  %e = tile.exp %f, %f : !tile.tile<[8], f32>
}
