// RUN: helion-ir-opt %s | filecheck %s
// Products of microscaled operands.

builtin.module {
// CHECK: builtin.module {
  %a, %sa, %b, %sb, %c = "test.op"() : () -> (!tile.tile<[@m, 32], ui8>, !tile.tile<[@m, 2], ui8>, !tile.tile<[64, @n], f8E4M3FN>, !tile.tile<[@n, 2], ui8>, !tile.tile<[@m, @n], f32>)
  // CHECK-NEXT: %a, %sa, %b, %sb, %c = "test.op"() : () -> (!tile.tile<[@m, 32], ui8>, !tile.tile<[@m, 2], ui8>, !tile.tile<[64, @n], f8E4M3FN>, !tile.tile<[@n, 2], ui8>, !tile.tile<[@m, @n], f32>)
  %r = triton.dot_scaled "e2m1" %a, %sa "e4m3" %b, %sb, %c : !tile.tile<[@m, 32], ui8>, !tile.tile<[@m, 2], ui8>, !tile.tile<[64, @n], f8E4M3FN>, !tile.tile<[@n, 2], ui8>, !tile.tile<[@m, @n], f32> -> !tile.tile<[@m, @n], f32> loc("k.py":1:4)
  // CHECK-NEXT: %r = triton.dot_scaled "e2m1" %a, %sa "e4m3" %b, %sb, %c : !tile.tile<[@m, 32], ui8>, !tile.tile<[@m, 2], ui8>, !tile.tile<[64, @n], f8E4M3FN>, !tile.tile<[@n, 2], ui8>, !tile.tile<[@m, @n], f32> -> !tile.tile<[@m, @n], f32> loc("k.py":1:4)
}
// CHECK-NEXT: }
