// RUN: helion-ir-opt %s | filecheck %s
// Addresses as pointers.

builtin.module {
// CHECK: builtin.module {
  %p = "test.op"() : () -> !tile.tile<[@m], ui64>
  // CHECK-NEXT: %p = "test.op"() : () -> !tile.tile<[@m], ui64>
  %q = triton.to_pointer %p : !tile.tile<[@m], ui64> -> !tile.tile<[@m], !triton.ptr<f32>> loc("k.py":1:4)
  // CHECK-NEXT: %q = triton.to_pointer %p : !tile.tile<[@m], ui64> -> !tile.tile<[@m], !triton.ptr<f32>> loc("k.py":1:4)
}
// CHECK-NEXT: }
