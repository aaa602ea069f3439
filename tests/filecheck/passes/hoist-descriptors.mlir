// RUN: helion-ir-opt %s -p hoist-descriptors --split-input-file | filecheck %s

// Two accesses of one tensor by one block share a descriptor, which exists where either uses it.
// CHECK:      triton.kernel @copy
// CHECK-NEXT:   %d = knob.choose <@load.x.indexing eq "tensor_descriptor" or @store.x.indexing eq "tensor_descriptor"> -> (!triton.descriptor<[@bm, 64], f32>) case 1 {
// CHECK-NEXT:     %d_1 = triton.make_descriptor %x shape
// CHECK-NEXT:     knob.yield %d_1
// CHECK-NEXT:   } case 0 {
// CHECK-NEXT:     %{{.*}} = triton.undefined : !triton.descriptor<[@bm, 64], f32>
// CHECK-NEXT:     knob.yield
// CHECK-NEXT:   }
// CHECK-NEXT:   %i = index.apply <0>
// CHECK-NEXT:   triton.for
// CHECK-NEXT:     %v = knob.choose <@load.x.indexing>
// CHECK:            triton.descriptor_load %d[%k, %i]
// CHECK:          knob.choose <@store.x.indexing> case "pointer"
// CHECK:            triton.descriptor_store %d[%k, %i], %v
// CHECK-NOT:      triton.make_descriptor
builtin.module attributes {helion_ir.target = "h200"} {
  knob.declare @bm : pow2 16 to 64 = 32 in "block_sizes" by "frontend" doc "rows"
  knob.declare @load.x.indexing : one_of "pointer", "tensor_descriptor" = "pointer" in "indexing" by "choose-indexing" doc "x"
  knob.declare @store.x.indexing : one_of "pointer", "tensor_descriptor" = "pointer" in "indexing" by "choose-indexing" doc "x"
  triton.kernel @copy (%x: !tile.tile<[], !triton.ptr<f32>>) names ["x"] constexprs {} launch {} {
    %i = index.apply <0>() : () -> !tile.tile<[], i32>
    triton.for %k = <0> to <1024> step <@bm> options {} {
      %v = knob.choose <@load.x.indexing> -> (!tile.tile<[@bm, 64], f32>) case "pointer" {
        %z = triton.full <0.0> shape [#index.expr<@bm>, #index.expr<64>] -> !tile.tile<[@bm, 64], f32>
        knob.yield %z : !tile.tile<[@bm, 64], f32>
      } case "tensor_descriptor" {
        %d = triton.make_descriptor %x shape [#index.expr<1024>, #index.expr<64>] strides [#index.expr<64>, #index.expr<1>] block [#index.expr<@bm>, #index.expr<64>] : !tile.tile<[], !triton.ptr<f32>> -> !triton.descriptor<[@bm, 64], f32>
        %l = triton.descriptor_load %d[%k, %i] : !triton.descriptor<[@bm, 64], f32>[!tile.tile<[], i32>, !tile.tile<[], i32>] -> !tile.tile<[@bm, 64], f32>
        knob.yield %l : !tile.tile<[@bm, 64], f32>
      }
      knob.choose <@store.x.indexing> case "pointer" {
        knob.yield
      } case "tensor_descriptor" {
        %e = triton.make_descriptor %x shape [#index.expr<1024>, #index.expr<64>] strides [#index.expr<64>, #index.expr<1>] block [#index.expr<@bm>, #index.expr<64>] : !tile.tile<[], !triton.ptr<f32>> -> !triton.descriptor<[@bm, 64], f32>
        triton.descriptor_store %e[%k, %i], %v : !triton.descriptor<[@bm, 64], f32>[!tile.tile<[], i32>, !tile.tile<[], i32>], !tile.tile<[@bm, 64], f32>
        knob.yield
      }
      triton.yield
    }
  }
}

// -----

// Where the host may make it, it is a parameter of the kernel, whose numbers the host knows.
// CHECK:      triton.kernel @zero
// CHECK-NEXT:   %d = knob.choose <@host_tensor_descriptors> -> (!triton.descriptor<[@bm, 64], f32>) case 1 {
// CHECK-NEXT:     %d_1 = triton.host_descriptor %x shape [#index.expr<1024>, #index.expr<64>] strides [#index.expr<64>, #index.expr<1>] block [#index.expr<@bm>, #index.expr<64>] when #index.expr<@store.x.indexing eq "tensor_descriptor">
// CHECK-NEXT:     knob.yield %d_1
// CHECK-NEXT:   } case 0 {
// CHECK-NEXT:     %{{.*}} = knob.choose <@store.x.indexing eq "tensor_descriptor">
// CHECK-NEXT:       %d_{{.*}} = triton.make_descriptor %x shape
// CHECK:            triton.undefined
// A tensor that may be empty has none of the host's.
// CHECK:        %e = knob.choose <@store.x.indexing eq "tensor_descriptor">
// CHECK-NEXT:     %e_1 = triton.make_descriptor %y shape [#index.expr<n>
builtin.module attributes {helion_ir.target = "h200"} {
  knob.declare @bm : pow2 16 to 64 = 32 in "block_sizes" by "frontend" doc "rows"
  knob.declare @store.x.indexing : one_of "pointer", "tensor_descriptor" = "pointer" in "indexing" by "choose-indexing" doc "x"
  knob.declare @host_tensor_descriptors : bool = false by "hoist-descriptors" doc "who makes them" when <@store.x.indexing eq "tensor_descriptor">
  triton.kernel @zero (%x: !tile.tile<[], !triton.ptr<f32>>, %y: !tile.tile<[], !triton.ptr<f32>>) names ["x", "y"] constexprs {} launch {} {
    %i = index.apply <0>() : () -> !tile.tile<[], i32>
    knob.choose <@store.x.indexing> case "pointer" {
      knob.yield
    } case "tensor_descriptor" {
      %z = triton.full <0.0> shape [#index.expr<@bm>, #index.expr<64>] -> !tile.tile<[@bm, 64], f32>
      %d = triton.make_descriptor %x shape [#index.expr<1024>, #index.expr<64>] strides [#index.expr<64>, #index.expr<1>] block [#index.expr<@bm>, #index.expr<64>] : !tile.tile<[], !triton.ptr<f32>> -> !triton.descriptor<[@bm, 64], f32>
      triton.descriptor_store %d[%i, %i], %z : !triton.descriptor<[@bm, 64], f32>[!tile.tile<[], i32>, !tile.tile<[], i32>], !tile.tile<[@bm, 64], f32>
      %e = triton.make_descriptor %y shape [#index.expr<n>, #index.expr<64>] strides [#index.expr<64>, #index.expr<1>] block [#index.expr<@bm>, #index.expr<64>] : !tile.tile<[], !triton.ptr<f32>> -> !triton.descriptor<[@bm, 64], f32>
      triton.descriptor_store %e[%i, %i], %z : !triton.descriptor<[@bm, 64], f32>[!tile.tile<[], i32>, !tile.tile<[], i32>], !tile.tile<[@bm, 64], f32>
      knob.yield
    }
  }
}
