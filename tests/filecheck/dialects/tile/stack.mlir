// RUN: helion-ir-opt %s | filecheck %s
// Accesses by addresses.

builtin.module {
// CHECK: builtin.module {
  %p, %o, %k, %v = "test.op"() : () -> (!tile.tile<[@m], ui64>, !tile.tile<[@m], i64>, !tile.tile<[@m], i1>, !tile.tile<[@m], f32>)
  // CHECK-NEXT: %p, %o, %k, %v = "test.op"() : () -> (!tile.tile<[@m], ui64>, !tile.tile<[@m], i64>, !tile.tile<[@m], i1>, !tile.tile<[@m], f32>)
  %a = tile.stack_load %p, %o : !tile.tile<[@m], ui64>, !tile.tile<[@m], i64> -> !tile.tile<[@m], f32> loc("k.py":1:4)
  // CHECK-NEXT: %a = tile.stack_load %p, %o : !tile.tile<[@m], ui64>, !tile.tile<[@m], i64> -> !tile.tile<[@m], f32> loc("k.py":1:4)
  %b = tile.stack_load %p, %o mask %k : !tile.tile<[@m], ui64>, !tile.tile<[@m], i64>, !tile.tile<[@m], i1> -> !tile.tile<[@m], f32>
  // CHECK-NEXT: %b = tile.stack_load %p, %o mask %k : !tile.tile<[@m], ui64>, !tile.tile<[@m], i64>, !tile.tile<[@m], i1> -> !tile.tile<[@m], f32>
  tile.stack_store %v, %p, %o : !tile.tile<[@m], f32>, !tile.tile<[@m], ui64>, !tile.tile<[@m], i64>
  // CHECK-NEXT: tile.stack_store %v, %p, %o : !tile.tile<[@m], f32>, !tile.tile<[@m], ui64>, !tile.tile<[@m], i64>
  tile.stack_store %v, %p, %o mask %k : !tile.tile<[@m], f32>, !tile.tile<[@m], ui64>, !tile.tile<[@m], i64>, !tile.tile<[@m], i1>
  // CHECK-NEXT: tile.stack_store %v, %p, %o mask %k : !tile.tile<[@m], f32>, !tile.tile<[@m], ui64>, !tile.tile<[@m], i64>, !tile.tile<[@m], i1>
}
// CHECK-NEXT: }
