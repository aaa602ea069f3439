// RUN: helion-ir-opt %s | filecheck %s
// Words of the random generator.

builtin.module {
// CHECK: builtin.module {
  %seed, %offset = "test.op"() : () -> (!tile.tile<[], i64>, !tile.tile<[@m], i32>)
  // CHECK-NEXT: %seed, %offset = "test.op"() : () -> (!tile.tile<[], i64>, !tile.tile<[@m], i32>)
  %a = tile.random_word 0 : i64 %seed, %offset : !tile.tile<[], i64>, !tile.tile<[@m], i32> -> !tile.tile<[@m], i32> loc("k.py":1:4)
  // CHECK-NEXT: %a = tile.random_word 0 : i64 %seed, %offset : !tile.tile<[], i64>, !tile.tile<[@m], i32> -> !tile.tile<[@m], i32> loc("k.py":1:4)
  %b = tile.random_word 3 : i64 %seed, %offset : !tile.tile<[], i64>, !tile.tile<[@m], i32> -> !tile.tile<[@m], i32>
  // CHECK-NEXT: %b = tile.random_word 3 : i64 %seed, %offset : !tile.tile<[], i64>, !tile.tile<[@m], i32> -> !tile.tile<[@m], i32>
}
// CHECK-NEXT: }
