// RUN: helion-ir-opt %s | filecheck %s
// The author's Triton and assembly, printing and stopping.

builtin.module {
// CHECK: builtin.module {
  %x, %i, %p = "test.op"() : () -> (!tile.tile<[@m], f32>, !tile.tile<[@m], i32>, !tile.tile<[], !triton.ptr<f32>>)
  // CHECK-NEXT: %x, %i, %p = "test.op"() : () -> (!tile.tile<[@m], f32>, !tile.tile<[@m], i32>, !tile.tile<[], !triton.ptr<f32>>)
  %a = triton.inline "{0} + {1}"(%x, %i) shapes [[#index.expr<m_block_size>]] : (!tile.tile<[@m], f32>, !tile.tile<[@m], i32>) -> (!tile.tile<[@m], f32>) loc("k.py":1:4)
  // CHECK-NEXT: %a = triton.inline "{0} + {1}"(%x, %i) shapes {{\[\[}}#index.expr<m_block_size>]] : (!tile.tile<[@m], f32>, !tile.tile<[@m], i32>) -> (!tile.tile<[@m], f32>) loc("k.py":1:4)
  triton.inline "tl.store({0}, 1.0)"(%p) shapes [] : (!tile.tile<[], !triton.ptr<f32>>) -> ()
  // CHECK-NEXT: triton.inline "tl.store({0}, 1.0)"(%p) shapes [] : (!tile.tile<[], !triton.ptr<f32>>) -> ()
  %d = triton.function "f"(%x) from ["@triton.jit\0Adef f(x):\0A    return x"] shapes [[#index.expr<m_block_size>]] : (!tile.tile<[@m], f32>) -> (!tile.tile<[@m], f32>)
  // CHECK-NEXT: %d = triton.function "f"(%x) from ["@triton.jit\0Adef f(x):\0A    return x"] shapes {{\[\[}}#index.expr<m_block_size>]] : (!tile.tile<[@m], f32>) -> (!tile.tile<[@m], f32>)
  %e = triton.assembly "neg.f32 $0, $1;" constraints "=f,f" pack 1 : i64 pure true(%x) : (!tile.tile<[@m], f32>) -> (!tile.tile<[@m], f32>)
  // CHECK-NEXT: %e = triton.assembly "neg.f32 $0, $1;" constraints "=f,f" pack 1 : i64 pure true(%x) : (!tile.tile<[@m], f32>) -> (!tile.tile<[@m], f32>)
  triton.print "x: "(%x, %i) : (!tile.tile<[@m], f32>, !tile.tile<[@m], i32>)
  // CHECK-NEXT: triton.print "x: "(%x, %i) : (!tile.tile<[@m], f32>, !tile.tile<[@m], i32>)
  triton.print "here"() : ()
  // CHECK-NEXT: triton.print "here"() : ()
  triton.breakpoint
  // CHECK-NEXT: triton.breakpoint
}
// CHECK-NEXT: }
