// RUN: helion-ir-opt %s -p declare-schedules | filecheck %s
// RUN: helion-ir-opt %s -p declare-schedules | filecheck %s --check-prefix=NONE

// What is legal for each access: rows of 16 bytes along some dimension for descriptors, rectangles for either, no mask
// of the author's.
// CHECK: knob.declare @load.ok.indexing : one_of "pointer", "block_ptr", "tensor_descriptor" =
// CHECK: knob.declare @load.odd.indexing : one_of "pointer", "block_ptr" =
// CHECK: knob.ruled_out @load.odd.indexing : "tensor_descriptor", "the tensor's rows are not known to be a multiple of 16 bytes apart"
// CHECK: knob.declare @load.t.indexing : one_of "pointer", "block_ptr", "tensor_descriptor" =
// CHECK: knob.ruled_out @load.gather.indexing : "block_ptr", "tensor_descriptor", "it is subscripted by a tile of indices" by "choose-indexing"
// CHECK: knob.declare @load.column.indexing : one_of "pointer", "block_ptr" =
// CHECK: knob.declare @load.half.indexing : one_of "pointer", "block_ptr", "tensor_descriptor" =
// CHECK: knob.declare @load.point.eviction
// NONE-NOT: declare @load.gather.indexing
// NONE-NOT: declare @load.masked.indexing
// NONE-NOT: declare @load.point.indexing
builtin.module attributes {helion_ir.target = "h200"} {
  knob.declare @bm : pow2 1 to 512 = 32 in "block_sizes" by "frontend" doc "rows"
  tile.kernel @legal (%ok: !tile.ref<[1024, 64], f16, strides = [64, 1]>, %odd: !tile.ref<[1024, 64], f16, strides = [65, 1]>, %t: !tile.ref<[64, 1024], f16, strides = [1, 64]>, %p: !tile.tile<[@bm], i1>) names ["ok", "odd", "t", "p"] {
    tile.parallel "m" (%m = 0 to 1024 : !tile.range<@bm>) {
      %n = tile.axis "n" 0 to 64 : !tile.range<64>
      %half = tile.axis "half" 0 to 32 : !tile.range<32>
      %c = tile.full <3> -> !tile.tile<[], i32>
      %i = tile.index %m : !tile.range<@bm> -> !tile.tile<[@bm], i32>
      %v0 = tile.load "ok" %ok[%m, %n] : !tile.ref<[1024, 64], f16, strides = [64, 1]>[!tile.range<@bm>, !tile.range<64>] -> !tile.tile<[@bm, 64], f16>
      %v1 = tile.load "odd" %odd[%m, %n] : !tile.ref<[1024, 64], f16, strides = [65, 1]>[!tile.range<@bm>, !tile.range<64>] -> !tile.tile<[@bm, 64], f16>
      %v2 = tile.load "t" %t[%n, %m] : !tile.ref<[64, 1024], f16, strides = [1, 64]>[!tile.range<64>, !tile.range<@bm>] -> !tile.tile<[64, @bm], f16>
      %v3 = tile.load "gather" %ok[%i, %n] : !tile.ref<[1024, 64], f16, strides = [64, 1]>[!tile.tile<[@bm], i32>, !tile.range<64>] -> !tile.tile<[@bm, 64], f16>
      %v4 = tile.load "column" %ok[%m, %c] : !tile.ref<[1024, 64], f16, strides = [64, 1]>[!tile.range<@bm>, !tile.tile<[], i32>] -> !tile.tile<[@bm], f16>
      %v5 = tile.load "half" %ok[%m, %half] : !tile.ref<[1024, 64], f16, strides = [64, 1]>[!tile.range<@bm>, !tile.range<32>] -> !tile.tile<[@bm, 32], f16>
      %v6 = tile.load "masked" %ok[%m, %c] mask %p : !tile.ref<[1024, 64], f16, strides = [64, 1]>[!tile.range<@bm>, !tile.tile<[], i32>] mask !tile.tile<[@bm], i1> -> !tile.tile<[@bm], f16>
      %v7 = tile.load "point" %ok[%c, %c] : !tile.ref<[1024, 64], f16, strides = [64, 1]>[!tile.tile<[], i32>, !tile.tile<[], i32>] -> !tile.tile<[], f16>
      "test.op"(%v0, %v1, %v2, %v3, %v4, %v5, %v6, %v7) : (!tile.tile<[@bm, 64], f16>, !tile.tile<[@bm, 64], f16>, !tile.tile<[64, @bm], f16>, !tile.tile<[@bm, 64], f16>, !tile.tile<[@bm], f16>, !tile.tile<[@bm, 32], f16>, !tile.tile<[@bm], f16>, !tile.tile<[], f16>) -> ()
    }
  }
}
