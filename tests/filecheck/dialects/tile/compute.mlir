// RUN: helion-ir-opt %s | filecheck %s
// Constants, views, reductions, scans, products and the rest that mixes lanes.

builtin.module {
// CHECK: builtin.module {
  %f = tile.full <-0.0> -> !tile.tile<[@m, 64], f32> loc("k.py":1:4)
  // CHECK-NEXT: %f = tile.full <-0.0> -> !tile.tile<[@m, 64], f32> loc("k.py":1:4)
  %inf = tile.full <-inf> -> !tile.tile<[@m, 64], f32>
  // CHECK-NEXT: %inf = tile.full <-inf> -> !tile.tile<[@m, 64], f32>
  %nan = tile.full <nan> -> !tile.tile<[], f32>
  // CHECK-NEXT: %nan = tile.full <nan> -> !tile.tile<[], f32>
  %big = tile.full <1.0e-40> -> !tile.tile<[], f64>
  // CHECK-NEXT: %big = tile.full <1.0e-40> -> !tile.tile<[], f64>
  %int = tile.full <-9223372036854775808> -> !tile.tile<[64], i64>
  // CHECK-NEXT: %int = tile.full <-9223372036854775808> -> !tile.tile<[64], i64>
  %i = tile.iota <8> step <-1> : !tile.tile<[64], i32>
  // CHECK-NEXT: %i = tile.iota <8> step <-1> : !tile.tile<[64], i32>
  %b = tile.broadcast %nan : !tile.tile<[], f32> -> !tile.tile<[@m, 64], f32>
  // CHECK-NEXT: %b = tile.broadcast %nan : !tile.tile<[], f32> -> !tile.tile<[@m, 64], f32>
  %r = tile.reshape %f : !tile.tile<[@m, 64], f32> -> !tile.tile<[@m, 8, 8], f32>
  // CHECK-NEXT: %r = tile.reshape %f : !tile.tile<[@m, 64], f32> -> !tile.tile<[@m, 8, 8], f32>
  %p = tile.permute <2, 0, 1> %r : !tile.tile<[@m, 8, 8], f32> -> !tile.tile<[8, @m, 8], f32>
  // CHECK-NEXT: %p = tile.permute <2, 0, 1> %r : !tile.tile<[@m, 8, 8], f32> -> !tile.tile<[8, @m, 8], f32>
  %s = tile.slice %f dim 1 : i64 from <4> step <2> : !tile.tile<[@m, 64], f32> -> !tile.tile<[@m, 8], f32>
  // CHECK-NEXT: %s = tile.slice %f dim 1 : i64 from <4> step <2> : !tile.tile<[@m, 64], f32> -> !tile.tile<[@m, 8], f32>
  %flip = tile.flip <0, 1> %f : !tile.tile<[@m, 64], f32> -> !tile.tile<[@m, 64], f32>
  // CHECK-NEXT: %flip = tile.flip <0, 1> %f : !tile.tile<[@m, 64], f32> -> !tile.tile<[@m, 64], f32>
  %cat = tile.cat %f, %b dim 1 : i64 : !tile.tile<[@m, 64], f32>, !tile.tile<[@m, 64], f32> -> !tile.tile<[@m, 128], f32>
  // CHECK-NEXT: %cat = tile.cat %f, %b dim 1 : i64 : !tile.tile<[@m, 64], f32>, !tile.tile<[@m, 64], f32> -> !tile.tile<[@m, 128], f32>
  %sum = tile.reduce "sum" <1> %f : !tile.tile<[@m, 64], f32> -> !tile.tile<[@m], f32>
  // CHECK-NEXT: %sum = tile.reduce "sum" <1> %f : !tile.tile<[@m, 64], f32> -> !tile.tile<[@m], f32>
  %arg = tile.reduce "argmax" <0> %f : !tile.tile<[@m, 64], f32> -> !tile.tile<[64], i64>
  // CHECK-NEXT: %arg = tile.reduce "argmax" <0> %f : !tile.tile<[@m, 64], f32> -> !tile.tile<[64], i64>
  %all = tile.reduce "max" <0, 1> %f : !tile.tile<[@m, 64], f32> -> !tile.tile<[], f32>
  // CHECK-NEXT: %all = tile.reduce "max" <0, 1> %f : !tile.tile<[@m, 64], f32> -> !tile.tile<[], f32>
  %scan = tile.scan "prod" 1 : i64 %f reverse true : !tile.tile<[@m, 64], f32> -> !tile.tile<[@m, 64], f32>
  // CHECK-NEXT: %scan = tile.scan "prod" 1 : i64 %f reverse true : !tile.tile<[@m, 64], f32> -> !tile.tile<[@m, 64], f32>
  %cr, %cs = tile.custom_reduce %f, %b dim 1 : i64 other [#tile.number<0.0>, #tile.number<inf>] {
  // CHECK-NEXT: %cr, %cs = tile.custom_reduce %f, %b dim 1 : i64 other [#tile.number<0.0>, #tile.number<inf>] {
  ^bb0(%l0: !tile.tile<[], f32>, %l1: !tile.tile<[], f32>, %r0: !tile.tile<[], f32>, %r1: !tile.tile<[], f32>):
  // CHECK-NEXT: ^{{.*}}(%l0: !tile.tile<[], f32>{{.*}}, %l1: !tile.tile<[], f32>{{.*}}, %r0: !tile.tile<[], f32>{{.*}}, %r1: !tile.tile<[], f32>{{.*}}):
    %t = tile.add %l0, %r0 : !tile.tile<[], f32>
    // CHECK-NEXT: %t = tile.add %l0, %r0 : !tile.tile<[], f32>
    tile.yield %t, %l1 : !tile.tile<[], f32>, !tile.tile<[], f32>
    // CHECK-NEXT: tile.yield %t, %l1 : !tile.tile<[], f32>, !tile.tile<[], f32>
  } : !tile.tile<[@m, 64], f32>, !tile.tile<[@m, 64], f32> -> !tile.tile<[@m], f32>, !tile.tile<[@m], f32>
  // CHECK-NEXT: } : !tile.tile<[@m, 64], f32>, !tile.tile<[@m, 64], f32> -> !tile.tile<[@m], f32>, !tile.tile<[@m], f32>
  %cc = tile.custom_scan %f dim 0 : i64 reverse false {
  // CHECK-NEXT: %cc = tile.custom_scan %f dim 0 : i64 reverse false {
  ^bb0(%l: !tile.tile<[], f32>, %n: !tile.tile<[], f32>):
  // CHECK-NEXT: ^{{.*}}(%l: !tile.tile<[], f32>{{.*}}, %n: !tile.tile<[], f32>{{.*}}):
    %u = tile.mul %l, %n : !tile.tile<[], f32>
    // CHECK-NEXT: %u = tile.mul %l, %n : !tile.tile<[], f32>
    tile.yield %u : !tile.tile<[], f32>
    // CHECK-NEXT: tile.yield %u : !tile.tile<[], f32>
  } : !tile.tile<[@m, 64], f32> -> !tile.tile<[@m, 64], f32>
  // CHECK-NEXT: } : !tile.tile<[@m, 64], f32> -> !tile.tile<[@m, 64], f32>
  %c = tile.compare "lt" %f, %b : !tile.tile<[@m, 64], f32> -> !tile.tile<[@m, 64], i1>
  // CHECK-NEXT: %c = tile.compare "lt" %f, %b : !tile.tile<[@m, 64], f32> -> !tile.tile<[@m, 64], i1>
  %fill = tile.fill %f where %c with <-inf> : !tile.tile<[@m, 64], f32>, !tile.tile<[@m, 64], i1> -> !tile.tile<[@m, 64], f32>
  // CHECK-NEXT: %fill = tile.fill %f where %c with <-inf> : !tile.tile<[@m, 64], f32>, !tile.tile<[@m, 64], i1> -> !tile.tile<[@m, 64], f32>
  %lhs = tile.full <1.5> -> !tile.tile<[@m, @k], bf16>
  // CHECK-NEXT: %lhs = tile.full <1.5> -> !tile.tile<[@m, @k], bf16>
  %rhs = tile.full <2.5> -> !tile.tile<[@k, 64], bf16>
  // CHECK-NEXT: %rhs = tile.full <2.5> -> !tile.tile<[@k, 64], bf16>
  %dot = tile.dot %lhs, %rhs, %f precision "tf32" : !tile.tile<[@m, @k], bf16>, !tile.tile<[@k, 64], bf16>, !tile.tile<[@m, 64], f32> -> !tile.tile<[@m, 64], f32> loc("k.py":9:4)
  // CHECK-NEXT: %dot = tile.dot %lhs, %rhs, %f precision "tf32" : !tile.tile<[@m, @k], bf16>, !tile.tile<[@k, 64], bf16>, !tile.tile<[@m, 64], f32> -> !tile.tile<[@m, 64], f32> loc("k.py":9:4)
  %g = tile.gather %int[%i] dim 0 : i64 : !tile.tile<[64], i64>, !tile.tile<[64], i32> -> !tile.tile<[64], i64>
  // CHECK-NEXT: %g = tile.gather %int[%i] dim 0 : i64 : !tile.tile<[64], i64>, !tile.tile<[64], i32> -> !tile.tile<[64], i64>
  %v, %w = tile.sort %f descending true : !tile.tile<[@m, 64], f32> -> !tile.tile<[@m, 64], f32>, !tile.tile<[@m, 64], i64>
  // CHECK-NEXT: %v, %w = tile.sort %f descending true : !tile.tile<[@m, 64], f32> -> !tile.tile<[@m, 64], f32>, !tile.tile<[@m, 64], i64>
  %seed = tile.full <42> -> !tile.tile<[], i64>
  // CHECK-NEXT: %seed = tile.full <42> -> !tile.tile<[], i64>
  %rand = tile.random %seed, %i : !tile.tile<[], i64>, !tile.tile<[64], i32> -> !tile.tile<[64], f32>
  // CHECK-NEXT: %rand = tile.random %seed, %i : !tile.tile<[], i64>, !tile.tile<[64], i32> -> !tile.tile<[64], f32>
}
// CHECK-NEXT: }
