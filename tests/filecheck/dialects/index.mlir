// RUN: helion-ir-opt %s | filecheck %s
// Index expressions: every operator, their precedence, and the two forms of the op.

builtin.module {
// CHECK: builtin.module {
  "test.op"() {a = #index.expr<@tile_m.block_size * d0 + 4>, b = #index.expr<(@a + 1) * (n - 2)>} : () -> ()
  // CHECK-NEXT: "test.op"() {a = #index.expr<@tile_m.block_size * d0 + 4>, b = #index.expr<(@a + 1) * (n - 2)>} : () -> ()
  "test.op"() {c = #index.expr<n floordiv 4 floordiv 2>, d = #index.expr<n floordiv (4 floordiv m)>, e = #index.expr<n ceildiv @bm>} : () -> ()
  // CHECK-NEXT: "test.op"() {c = #index.expr<n floordiv 4 floordiv 2>, d = #index.expr<n floordiv (4 floordiv m)>, e = #index.expr<n ceildiv @bm>} : () -> ()
  "test.op"() {f = #index.expr<n mod @bm ne 0>, g = #index.expr<min(n, max(m, 3))>, h = #index.expr<next_power_of_2(n)>} : () -> ()
  // CHECK-NEXT: "test.op"() {f = #index.expr<n mod @bm ne 0>, g = #index.expr<min(n, max(m, 3))>, h = #index.expr<next_power_of_2(n)>} : () -> ()
  "test.op"() {i = #index.expr<@pid_type eq "flat" or not (n lt m and n le 4)>, j = #index.expr<@reduction.n eq none>} : () -> ()
  // CHECK-NEXT: "test.op"() {i = #index.expr<@pid_type eq "flat" or not (n lt m and n le 4)>, j = #index.expr<@reduction.n eq none>} : () -> ()
  "test.op"() {k = #index.expr<-n>, l = #index.expr<-n * 2 - 3>, m = #index.expr<1>} : () -> ()
  // CHECK-NEXT: "test.op"() {k = #index.expr<-n>, l = #index.expr<-n * 2 - 3>, m = #index.expr<1>} : () -> ()
  %n = "test.op"() : () -> !tile.tile<[], i32>
  // CHECK-NEXT: %n = "test.op"() : () -> !tile.tile<[], i32>
  %t = "test.op"() : () -> !tile.tile<[@bm], i32>
  // CHECK-NEXT: %t = "test.op"() : () -> !tile.tile<[@bm], i32>
  %a = index.apply <7>() : () -> !tile.tile<[], i64> loc("k.py":1:2)
  // CHECK-NEXT: %a = index.apply <7>() : () -> !tile.tile<[], i64> loc("k.py":1:2)
  %b = index.apply <d0 * 64 + d1>(%n, %t) : (!tile.tile<[], i32>, !tile.tile<[@bm], i32>) -> !tile.tile<[@bm], i32> loc("k.py":2:4)
  // CHECK-NEXT: %b = index.apply <d0 * 64 + d1>(%n, %t) : (!tile.tile<[], i32>, !tile.tile<[@bm], i32>) -> !tile.tile<[@bm], i32> loc("k.py":2:4)
  %c = index.apply <d0 lt n>(%b) : (!tile.tile<[@bm], i32>) -> !tile.tile<[@bm], i1> loc("simplify-index"("k.py":3:4))
  // CHECK-NEXT: %c = index.apply <d0 lt n>(%b) : (!tile.tile<[@bm], i32>) -> !tile.tile<[@bm], i1> loc("simplify-index"("k.py":3:4))
}
// CHECK-NEXT: }
