// RUN: helion-ir-opt %s | filecheck %s
// The author's Triton and assembly, printing and stopping.

builtin.module {
// CHECK: builtin.module {
  %x, %i, %ref = "test.op"() : () -> (!tile.tile<[@m], f32>, !tile.tile<[@m], i32>, !tile.ref<[64], f32, strides = [1]>)
  // CHECK-NEXT: %x, %i, %ref = "test.op"() : () -> (!tile.tile<[@m], f32>, !tile.tile<[@m], i32>, !tile.ref<[64], f32, strides = [1]>)
  %a = tile.inline_triton "{0} + {1}"(%x, %i) : (!tile.tile<[@m], f32>, !tile.tile<[@m], i32>) -> (!tile.tile<[@m], f32>) loc("k.py":1:4)
  // CHECK-NEXT: %a = tile.inline_triton "{0} + {1}"(%x, %i) : (!tile.tile<[@m], f32>, !tile.tile<[@m], i32>) -> (!tile.tile<[@m], f32>) loc("k.py":1:4)
  %b, %c = tile.inline_triton "y = {0}\0Ay, y"(%x) : (!tile.tile<[@m], f32>) -> (!tile.tile<[@m], f32>, !tile.tile<[@m], f32>)
  // CHECK-NEXT: %b, %c = tile.inline_triton "y = {0}\0Ay, y"(%x) : (!tile.tile<[@m], f32>) -> (!tile.tile<[@m], f32>, !tile.tile<[@m], f32>)
  tile.inline_triton "tl.store({0}, 1.0)"(%ref) : (!tile.ref<[64], f32, strides = [1]>) -> ()
  // CHECK-NEXT: tile.inline_triton "tl.store({0}, 1.0)"(%ref) : (!tile.ref<[64], f32, strides = [1]>) -> ()
  tile.inline_triton "tl.debug_barrier()"() : () -> ()
  // CHECK-NEXT: tile.inline_triton "tl.debug_barrier()"() : () -> ()
  %d = tile.triton_call "f"(%x) from ["N = 3", "@triton.jit\0Adef f(x):\0A    return x * N"] : (!tile.tile<[@m], f32>) -> (!tile.tile<[@m], f32>)
  // CHECK-NEXT: %d = tile.triton_call "f"(%x) from ["N = 3", "@triton.jit\0Adef f(x):\0A    return x * N"] : (!tile.tile<[@m], f32>) -> (!tile.tile<[@m], f32>)
  %e = tile.inline_assembly "neg.f32 $0, $1;" constraints "=f,f" pack 1 : i64 pure true(%x) : (!tile.tile<[@m], f32>) -> (!tile.tile<[@m], f32>)
  // CHECK-NEXT: %e = tile.inline_assembly "neg.f32 $0, $1;" constraints "=f,f" pack 1 : i64 pure true(%x) : (!tile.tile<[@m], f32>) -> (!tile.tile<[@m], f32>)
  %f, %g = tile.inline_assembly "a" constraints "=f,=r,f" pack 4 : i64 pure false(%x) : (!tile.tile<[@m], f32>) -> (!tile.tile<[@m], f32>, !tile.tile<[@m], i32>)
  // CHECK-NEXT: %f, %g = tile.inline_assembly "a" constraints "=f,=r,f" pack 4 : i64 pure false(%x) : (!tile.tile<[@m], f32>) -> (!tile.tile<[@m], f32>, !tile.tile<[@m], i32>)
  tile.print "x: "(%x, %i) : (!tile.tile<[@m], f32>, !tile.tile<[@m], i32>)
  // CHECK-NEXT: tile.print "x: "(%x, %i) : (!tile.tile<[@m], f32>, !tile.tile<[@m], i32>)
  tile.print "here"() : ()
  // CHECK-NEXT: tile.print "here"() : ()
  tile.breakpoint
  // CHECK-NEXT: tile.breakpoint
}
// CHECK-NEXT: }
