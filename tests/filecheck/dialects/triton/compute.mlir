// RUN: helion-ir-opt %s | filecheck %s
// Values: constants, arithmetic, calls, shapes, reductions and products.

builtin.module {
// CHECK: builtin.module {
  %z = triton.full <0.0> shape [#index.expr<m>, #index.expr<64>] -> !tile.tile<[@m, 64], f32> loc("k.py":1:4)
  // CHECK-NEXT: %z = triton.full <0.0> shape [#index.expr<m>, #index.expr<64>] -> !tile.tile<[@m, 64], f32> loc("k.py":1:4)
  %s = triton.full <-inf> shape [] -> !tile.tile<[], f32>
  // CHECK-NEXT: %s = triton.full <-inf> shape [] -> !tile.tile<[], f32>
  %r = triton.arange <m> : !tile.tile<[@m], i32>
  // CHECK-NEXT: %r = triton.arange <m> : !tile.tile<[@m], i32>
  %n = triton.unary "-" %z : !tile.tile<[@m, 64], f32> -> !tile.tile<[@m, 64], f32>
  // CHECK-NEXT: %n = triton.unary "-" %z : !tile.tile<[@m, 64], f32> -> !tile.tile<[@m, 64], f32>
  %b = triton.binary "*" %z, %s : !tile.tile<[@m, 64], f32>, !tile.tile<[], f32> -> !tile.tile<[@m, 64], f32>
  // CHECK-NEXT: %b = triton.binary "*" %z, %s : !tile.tile<[@m, 64], f32>, !tile.tile<[], f32> -> !tile.tile<[@m, 64], f32>
  %c = triton.call "tl.where"(%r) {other = "0.0"} : (!tile.tile<[@m], i32>) -> !tile.tile<[@m], f32>
  // CHECK-NEXT: %c = triton.call "tl.where"(%r) {other = "0.0"} : (!tile.tile<[@m], i32>) -> !tile.tile<[@m], f32>
  %d = triton.call "libdevice.tanh"(%z) {} : (!tile.tile<[@m, 64], f32>) -> !tile.tile<[@m, 64], f32>
  // CHECK-NEXT: %d = triton.call "libdevice.tanh"(%z) {} : (!tile.tile<[@m, 64], f32>) -> !tile.tile<[@m, 64], f32>
  %e = triton.cast %z : !tile.tile<[@m, 64], f32> -> !tile.tile<[@m, 64], bf16>
  // CHECK-NEXT: %e = triton.cast %z : !tile.tile<[@m, 64], f32> -> !tile.tile<[@m, 64], bf16>
  %f = triton.bitcast %z : !tile.tile<[@m, 64], f32> -> !tile.tile<[@m, 64], i32>
  // CHECK-NEXT: %f = triton.bitcast %z : !tile.tile<[@m, 64], f32> -> !tile.tile<[@m, 64], i32>
  %g = triton.expand_dims <0, 2> %r : !tile.tile<[@m], i32> -> !tile.tile<[1, @m, 1], i32>
  // CHECK-NEXT: %g = triton.expand_dims <0, 2> %r : !tile.tile<[@m], i32> -> !tile.tile<[1, @m, 1], i32>
  %h = triton.broadcast_to %g shape [#index.expr<4>, #index.expr<m>, #index.expr<8>] : !tile.tile<[1, @m, 1], i32> -> !tile.tile<[4, @m, 8], i32>
  // CHECK-NEXT: %h = triton.broadcast_to %g shape [#index.expr<4>, #index.expr<m>, #index.expr<8>] : !tile.tile<[1, @m, 1], i32> -> !tile.tile<[4, @m, 8], i32>
  %i = triton.reshape %h shape [#index.expr<4>, #index.expr<m * 8>] : !tile.tile<[4, @m, 8], i32> -> !tile.tile<[4, @m * 8], i32>
  // CHECK-NEXT: %i = triton.reshape %h shape [#index.expr<4>, #index.expr<m * 8>] : !tile.tile<[4, @m, 8], i32> -> !tile.tile<[4, @m * 8], i32>
  %j = triton.permute <1, 0> %z : !tile.tile<[@m, 64], f32> -> !tile.tile<[64, @m], f32>
  // CHECK-NEXT: %j = triton.permute <1, 0> %z : !tile.tile<[@m, 64], f32> -> !tile.tile<[64, @m], f32>
  %k = triton.join %z, %z : !tile.tile<[@m, 64], f32>, !tile.tile<[@m, 64], f32> -> !tile.tile<[@m, 64, 2], f32>
  // CHECK-NEXT: %k = triton.join %z, %z : !tile.tile<[@m, 64], f32>, !tile.tile<[@m, 64], f32> -> !tile.tile<[@m, 64, 2], f32>
  %l, %l2 = triton.split %k : !tile.tile<[@m, 64, 2], f32> -> !tile.tile<[@m, 64], f32>, !tile.tile<[@m, 64], f32>
  // CHECK-NEXT: %l, %l2 = triton.split %k : !tile.tile<[@m, 64, 2], f32> -> !tile.tile<[@m, 64], f32>, !tile.tile<[@m, 64], f32>
  %o = triton.reduce "tl.sum" 1 : i64 %z : !tile.tile<[@m, 64], f32> -> !tile.tile<[@m], f32>
  // CHECK-NEXT: %o = triton.reduce "tl.sum" 1 : i64 %z : !tile.tile<[@m, 64], f32> -> !tile.tile<[@m], f32>
  %q = triton.arg_reduce "plain.argmax_nan" 0 : i64 %o, %r : !tile.tile<[@m], f32>, !tile.tile<[@m], i32> -> !tile.tile<[], i32>
  // CHECK-NEXT: %q = triton.arg_reduce "plain.argmax_nan" 0 : i64 %o, %r : !tile.tile<[@m], f32>, !tile.tile<[@m], i32> -> !tile.tile<[], i32>
  %t = triton.scan "tl.cumsum" 0 : i64 %o reverse true : !tile.tile<[@m], f32> -> !tile.tile<[@m], f32>
  // CHECK-NEXT: %t = triton.scan "tl.cumsum" 0 : i64 %o reverse true : !tile.tile<[@m], f32> -> !tile.tile<[@m], f32>
  %u = triton.custom_reduce %o axis 0 : i64 {
  // CHECK-NEXT: %u = triton.custom_reduce %o axis 0 : i64 {
  ^bb0(%a0: !tile.tile<[], f32>, %a1: !tile.tile<[], f32>):
  // CHECK-NEXT: ^{{.*}}(%a0: !tile.tile<[], f32>{{.*}}, %a1: !tile.tile<[], f32>{{.*}}):
    triton.yield %a0 : !tile.tile<[], f32>
    // CHECK-NEXT: triton.yield %a0 : !tile.tile<[], f32>
  } : !tile.tile<[@m], f32> -> !tile.tile<[], f32>
  // CHECK-NEXT: } : !tile.tile<[@m], f32> -> !tile.tile<[], f32>
  %v = triton.custom_scan %o axis 0 : i64 reverse false {
  // CHECK-NEXT: %v = triton.custom_scan %o axis 0 : i64 reverse false {
  ^bb0(%c0: !tile.tile<[], f32>, %c1: !tile.tile<[], f32>):
  // CHECK-NEXT: ^{{.*}}(%c0: !tile.tile<[], f32>{{.*}}, %c1: !tile.tile<[], f32>{{.*}}):
    triton.yield %c1 : !tile.tile<[], f32>
    // CHECK-NEXT: triton.yield %c1 : !tile.tile<[], f32>
  } : !tile.tile<[@m], f32> -> !tile.tile<[@m], f32>
  // CHECK-NEXT: } : !tile.tile<[@m], f32> -> !tile.tile<[@m], f32>
  %w = triton.dot %e, %j, %y0 precision "ieee" : !tile.tile<[@m, 64], bf16>, !tile.tile<[64, @m], f32>, !tile.tile<[@m, @m], f32> -> !tile.tile<[@m, @m], f32> loc("k.py":20:4)
  // CHECK-NEXT: %w = triton.dot %e, %j, %y0 precision "ieee" : !tile.tile<[@m, 64], bf16>, !tile.tile<[64, @m], f32>, !tile.tile<[@m, @m], f32> -> !tile.tile<[@m, @m], f32> loc("k.py":20:4)
  %y0 = "test.op"() : () -> !tile.tile<[@m, @m], f32>
  // CHECK-NEXT: %y0 = "test.op"() : () -> !tile.tile<[@m, @m], f32>
}
// CHECK-NEXT: }
