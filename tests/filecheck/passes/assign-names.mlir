// RUN: helion-ir-opt %s -p assign-names | filecheck %s

// The parameters' names stay with them, those of constexprs, of Python and of Triton are not taken; a number that the
// text would drop is kept apart from one that counts. Alternatives share names, and are named like the result.
// CHECK:      triton.kernel @k (%x: !tile.tile<[], i32>, %0: !tile.tile<[], i32>) names ["x", "size_1"]
// CHECK-NEXT:   triton.program_loop %pid of <8>
// CHECK-NEXT:     %v = triton.binary "+" %x, %x
// CHECK-NEXT:     %x1 = triton.binary "+" %v, %x
// CHECK-NEXT:     %block1 = triton.binary "+" %x1, %x
// CHECK-NEXT:     %range1 = triton.binary "+" %block1, %x
// CHECK-NEXT:     %lambda1 = triton.binary "+" %range1, %x
// CHECK-NEXT:     %h0 = triton.binary "+" %lambda1, %x
// CHECK-NEXT:     %h0n1 = triton.binary "*" %h0, %x
// CHECK-NEXT:     %h = triton.binary "*" %h0n1, %x
// CHECK-NEXT:     %h1 = triton.binary "-" %h, %x
// CHECK-NEXT:     %r = knob.choose <@order> -> (!tile.tile<[], i32>) case [0, 1] {
// CHECK-NEXT:       %t = index.apply <d0 + 1>(%h1)
// CHECK-NEXT:       %r_1 = index.apply <d0 + 2>(%t)
// CHECK-NEXT:       knob.yield %r_1
// CHECK-NEXT:     } case [1, 0] {
// CHECK-NEXT:       %t2 = index.apply <d0 + 3>(%h1)
// CHECK-NEXT:       %r_2 = index.apply <d0 + 5>(%t2)
// CHECK-NEXT:       knob.yield %r_2
// CHECK-NEXT:     }
// CHECK-NEXT:     %t1 = index.apply <d0 + 4>(%r)
builtin.module {
  knob.declare @order : permutation 2 = [0, 1] by "map-grid" doc "order"
  triton.kernel @k (%arg: !tile.tile<[], i32>, %b_2: !tile.tile<[], i32>) names ["x", "size_1"] constexprs {block = #index.expr<16>} launch {} {
    triton.program_loop %pid of <8> kind #index.expr<"flat"> {
      %0 = triton.binary "+" %arg, %arg : !tile.tile<[], i32>, !tile.tile<[], i32> -> !tile.tile<[], i32>
      %x = triton.binary "+" %0, %arg : !tile.tile<[], i32>, !tile.tile<[], i32> -> !tile.tile<[], i32>
      %block = triton.binary "+" %x, %arg : !tile.tile<[], i32>, !tile.tile<[], i32> -> !tile.tile<[], i32>
      %range = triton.binary "+" %block, %arg : !tile.tile<[], i32>, !tile.tile<[], i32> -> !tile.tile<[], i32>
      %lambda = triton.binary "+" %range, %arg : !tile.tile<[], i32>, !tile.tile<[], i32> -> !tile.tile<[], i32>
      %h0 = triton.binary "+" %lambda, %arg : !tile.tile<[], i32>, !tile.tile<[], i32> -> !tile.tile<[], i32>
      %h0_1 = triton.binary "*" %h0, %arg : !tile.tile<[], i32>, !tile.tile<[], i32> -> !tile.tile<[], i32>
      %h = triton.binary "*" %h0_1, %arg : !tile.tile<[], i32>, !tile.tile<[], i32> -> !tile.tile<[], i32>
      %h_1 = triton.binary "-" %h, %arg : !tile.tile<[], i32>, !tile.tile<[], i32> -> !tile.tile<[], i32>
      %r = knob.choose <@order> -> (!tile.tile<[], i32>) case [0, 1] {
        %t = index.apply <d0 + 1>(%h_1) : (!tile.tile<[], i32>) -> !tile.tile<[], i32>
        %q = index.apply <d0 + 2>(%t) : (!tile.tile<[], i32>) -> !tile.tile<[], i32>
        knob.yield %q : !tile.tile<[], i32>
      } case [1, 0] {
        %t2 = index.apply <d0 + 3>(%h_1) : (!tile.tile<[], i32>) -> !tile.tile<[], i32>
        %t = index.apply <d0 + 5>(%t2) : (!tile.tile<[], i32>) -> !tile.tile<[], i32>
        knob.yield %t : !tile.tile<[], i32>
      }
      %t_1 = index.apply <d0 + 4>(%r) : (!tile.tile<[], i32>) -> !tile.tile<[], i32>
      "test.op"(%t_1) : (!tile.tile<[], i32>) -> ()
    }
  }
}
