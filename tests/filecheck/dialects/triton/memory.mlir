// RUN: helion-ir-opt %s | filecheck %s
// Loads and stores by pointers, block pointers and descriptors; atomics and the barrier.

builtin.module {
// CHECK: builtin.module {
  %x = "test.op"() : () -> !tile.tile<[], !triton.ptr<f32>>
  // CHECK-NEXT: %x = "test.op"() : () -> !tile.tile<[], !triton.ptr<f32>>
  %o = "test.op"() : () -> !tile.tile<[@m], i32>
  // CHECK-NEXT: %o = "test.op"() : () -> !tile.tile<[@m], i32>
  %i = "test.op"() : () -> !tile.tile<[], i32>
  // CHECK-NEXT: %i = "test.op"() : () -> !tile.tile<[], i32>
  %c = "test.op"() : () -> !tile.tile<[@m], i1>
  // CHECK-NEXT: %c = "test.op"() : () -> !tile.tile<[@m], i1>
  %p = triton.addptr %x, %o : !tile.tile<[], !triton.ptr<f32>>, !tile.tile<[@m], i32> -> !tile.tile<[@m], !triton.ptr<f32>> loc("k.py":2:4)
  // CHECK-NEXT: %p = triton.addptr %x, %o : !tile.tile<[], !triton.ptr<f32>>, !tile.tile<[@m], i32> -> !tile.tile<[@m], !triton.ptr<f32>> loc("k.py":2:4)
  %a = triton.load %p : !tile.tile<[@m], !triton.ptr<f32>> -> !tile.tile<[@m], f32>
  // CHECK-NEXT: %a = triton.load %p : !tile.tile<[@m], !triton.ptr<f32>> -> !tile.tile<[@m], f32>
  %b = triton.load %p mask %c : !tile.tile<[@m], i1> eviction #index.expr<load_x_eviction> : !tile.tile<[@m], !triton.ptr<f32>> -> !tile.tile<[@m], f32> loc("k.py":3:4)
  // CHECK-NEXT: %b = triton.load %p mask %c : !tile.tile<[@m], i1> eviction #index.expr<load_x_eviction> : !tile.tile<[@m], !triton.ptr<f32>> -> !tile.tile<[@m], f32> loc("k.py":3:4)
  triton.store %p, %a : !tile.tile<[@m], !triton.ptr<f32>>, !tile.tile<[@m], f32>
  // CHECK-NEXT: triton.store %p, %a : !tile.tile<[@m], !triton.ptr<f32>>, !tile.tile<[@m], f32>
  triton.store %p, %b mask %c : !tile.tile<[@m], i1> : !tile.tile<[@m], !triton.ptr<f32>>, !tile.tile<[@m], f32>
  // CHECK-NEXT: triton.store %p, %b mask %c : !tile.tile<[@m], i1> : !tile.tile<[@m], !triton.ptr<f32>>, !tile.tile<[@m], f32>
  %e = triton.load %p eviction "evict_last" cache #index.expr<load_x_cache> : !tile.tile<[@m], !triton.ptr<f32>> -> !tile.tile<[@m], f32>
  // CHECK-NEXT: %e = triton.load %p eviction "evict_last" cache #index.expr<load_x_cache> : !tile.tile<[@m], !triton.ptr<f32>> -> !tile.tile<[@m], f32>
  triton.store %p, %e cache ".cs" : !tile.tile<[@m], !triton.ptr<f32>>, !tile.tile<[@m], f32>
  // CHECK-NEXT: triton.store %p, %e cache ".cs" : !tile.tile<[@m], !triton.ptr<f32>>, !tile.tile<[@m], f32>
  %q = triton.atomic "add" "relaxed" %p, %a mask %c : !tile.tile<[@m], i1> : !tile.tile<[@m], !triton.ptr<f32>>, !tile.tile<[@m], f32> -> !tile.tile<[@m], f32>
  // CHECK-NEXT: %q = triton.atomic "add" "relaxed" %p, %a mask %c : !tile.tile<[@m], i1> : !tile.tile<[@m], !triton.ptr<f32>>, !tile.tile<[@m], f32> -> !tile.tile<[@m], f32>
  triton.atomic "cas" "acq_rel" %p, %a, %b : !tile.tile<[@m], !triton.ptr<f32>>, !tile.tile<[@m], f32>, !tile.tile<[@m], f32>
  // CHECK-NEXT: triton.atomic "cas" "acq_rel" %p, %a, %b : !tile.tile<[@m], !triton.ptr<f32>>, !tile.tile<[@m], f32>, !tile.tile<[@m], f32>
  %bp = triton.make_block_ptr %x[%i, %i] shape [#index.expr<n>, #index.expr<64>] strides [#index.expr<64>, #index.expr<1>] block [#index.expr<@m>, #index.expr<64>] order <1, 0> : !tile.tile<[], !triton.ptr<f32>>[!tile.tile<[], i32>, !tile.tile<[], i32>] -> !triton.block_ptr<[@m, 64], f32>
  // CHECK-NEXT: %bp = triton.make_block_ptr %x[%i, %i] shape [#index.expr<n>, #index.expr<64>] strides [#index.expr<64>, #index.expr<1>] block [#index.expr<@m>, #index.expr<64>] order <1, 0> : !tile.tile<[], !triton.ptr<f32>>[!tile.tile<[], i32>, !tile.tile<[], i32>] -> !triton.block_ptr<[@m, 64], f32>
  %bl = triton.block_load %bp boundary <0> eviction "evict_first" : !triton.block_ptr<[@m, 64], f32> -> !tile.tile<[@m, 64], f32>
  // CHECK-NEXT: %bl = triton.block_load %bp boundary <0> eviction "evict_first" : !triton.block_ptr<[@m, 64], f32> -> !tile.tile<[@m, 64], f32>
  triton.block_store %bp, %bl boundary <> : !triton.block_ptr<[@m, 64], f32>, !tile.tile<[@m, 64], f32>
  // CHECK-NEXT: triton.block_store %bp, %bl boundary <> : !triton.block_ptr<[@m, 64], f32>, !tile.tile<[@m, 64], f32>
  %g = triton.host_descriptor %x shape [#index.expr<n>, #index.expr<64>] strides [#index.expr<64>, #index.expr<1>] block [#index.expr<@m>, #index.expr<64>] : !tile.tile<[], !triton.ptr<f32>> -> !triton.descriptor<[@m, 64], f32>
  // CHECK-NEXT: %g = triton.host_descriptor %x shape [#index.expr<n>, #index.expr<64>] strides [#index.expr<64>, #index.expr<1>] block [#index.expr<@m>, #index.expr<64>] : !tile.tile<[], !triton.ptr<f32>> -> !triton.descriptor<[@m, 64], f32>
  %gw = triton.host_descriptor %x shape [#index.expr<n>, #index.expr<64>] strides [#index.expr<64>, #index.expr<1>] block [#index.expr<@m>, #index.expr<64>] when #index.expr<@load.x.indexing eq "tensor_descriptor"> : !tile.tile<[], !triton.ptr<f32>> -> !triton.descriptor<[@m, 64], f32>
  // CHECK-NEXT: %gw = triton.host_descriptor %x shape [#index.expr<n>, #index.expr<64>] strides [#index.expr<64>, #index.expr<1>] block [#index.expr<@m>, #index.expr<64>] when #index.expr<@load.x.indexing eq "tensor_descriptor"> : !tile.tile<[], !triton.ptr<f32>> -> !triton.descriptor<[@m, 64], f32>
  %d = triton.make_descriptor %x shape [#index.expr<n>, #index.expr<64>] strides [#index.expr<64>, #index.expr<1>] block [#index.expr<@m>, #index.expr<64>] : !tile.tile<[], !triton.ptr<f32>> -> !triton.descriptor<[@m, 64], f32>
  // CHECK-NEXT: %d = triton.make_descriptor %x shape [#index.expr<n>, #index.expr<64>] strides [#index.expr<64>, #index.expr<1>] block [#index.expr<@m>, #index.expr<64>] : !tile.tile<[], !triton.ptr<f32>> -> !triton.descriptor<[@m, 64], f32>
  %u = triton.undefined : !triton.descriptor<[@m, 64], f32>
  // CHECK-NEXT: %u = triton.undefined : !triton.descriptor<[@m, 64], f32>
  %dl = triton.descriptor_load %d[%i, %i] : !triton.descriptor<[@m, 64], f32>[!tile.tile<[], i32>, !tile.tile<[], i32>] -> !tile.tile<[@m, 64], f32>
  // CHECK-NEXT: %dl = triton.descriptor_load %d[%i, %i] : !triton.descriptor<[@m, 64], f32>[!tile.tile<[], i32>, !tile.tile<[], i32>] -> !tile.tile<[@m, 64], f32>
  triton.descriptor_store %d[%i, %i], %dl : !triton.descriptor<[@m, 64], f32>[!tile.tile<[], i32>, !tile.tile<[], i32>], !tile.tile<[@m, 64], f32>
  // CHECK-NEXT: triton.descriptor_store %d[%i, %i], %dl : !triton.descriptor<[@m, 64], f32>[!tile.tile<[], i32>, !tile.tile<[], i32>], !tile.tile<[@m, 64], f32>
  triton.descriptor_atomic "add" %d[%i, %i], %dl : !triton.descriptor<[@m, 64], f32>[!tile.tile<[], i32>, !tile.tile<[], i32>], !tile.tile<[@m, 64], f32>
  // CHECK-NEXT: triton.descriptor_atomic "add" %d[%i, %i], %dl : !triton.descriptor<[@m, 64], f32>[!tile.tile<[], i32>, !tile.tile<[], i32>], !tile.tile<[@m, 64], f32>
  triton.barrier loc("k.py":9:4)
  // CHECK-NEXT: triton.barrier loc("k.py":9:4)
}
// CHECK-NEXT: }
