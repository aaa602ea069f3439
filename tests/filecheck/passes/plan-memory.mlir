// RUN: helion-ir-opt %s -p plan-memory --split-input-file | filecheck %s

// The operands of the dot, as often as the pipeline holds them, and once where there is no pipeline; the accumulator.
// Products of 64 rows and more run beside other work, which takes a further copy.
// CHECK: knob.require <@bm * 512 le @num_warps * 32640>, "registers: 32640 bytes a warp for the values that a loop carries" by "plan-memory"
// CHECK: knob.require <[[SHARED:.*]] le 232448>, "shared memory: 232448 bytes a program" by "plan-memory"
// CHECK: tile.kernel @matmul
// CHECK-SAME: shared_least = #index.expr<[[SHARED]]>,
// CHECK-SAME: registers = #index.expr<@bm * 512>,
// CHECK-SAME: products = #index.expr<(512 ceildiv @bk) * (512 ceildiv @bm) * @bk * @bm * 256>
builtin.module attributes {helion_ir.target = "h200"} {
  knob.declare @bm : pow2 16 to 256 = 64 in "block_sizes" by "frontend" doc "rows"
  knob.declare @bk : pow2 16 to 256 = 32 in "block_sizes" by "frontend" doc "depth"
  knob.declare @num_stages : int 1 to 6 = 2 by "convert-tile-to-triton" doc "stages"
  knob.declare @num_warps : pow2 1 to 32 = 4 by "convert-tile-to-triton" doc "warps"
  knob.declare @loop.k.num_stages : one_of none, 1, 2, 3 = none in "range_num_stages" by "convert-tile-to-triton" doc "stages of k"
  tile.kernel @matmul (%x: !tile.ref<[512, 512], bf16, strides = [512, 1]>, %y: !tile.ref<[512, 128], bf16, strides = [128, 1]>) names ["x", "y"] attributes {explicit_masks} {
    triton.program_loop %pid of <512 ceildiv @bm> kind #index.expr<"flat"> {
      %m = tile.block %pid of 0 to 512 : !tile.range<@bm>
      %n = tile.axis "n" 0 to 128 : !tile.range<128>
      %z = tile.full <0.0> -> !tile.tile<[@bm, 128], f32>
      %r = tile.for "k" (%k = 0 to 512 : !tile.range<@bk>) iter_args (%acc = %z : !tile.tile<[@bm, 128], f32>) {
        %a = tile.load "x" %x[%m, %k] : !tile.ref<[512, 512], bf16, strides = [512, 1]>[!tile.range<@bm>, !tile.range<@bk>] -> !tile.tile<[@bm, @bk], bf16>
        %b = tile.load "y" %y[%k, %n] : !tile.ref<[512, 128], bf16, strides = [128, 1]>[!tile.range<@bk>, !tile.range<128>] -> !tile.tile<[@bk, 128], bf16>
        %d = tile.dot %a, %b, %acc precision "tf32" : !tile.tile<[@bm, @bk], bf16>, !tile.tile<[@bk, 128], bf16>, !tile.tile<[@bm, 128], f32> -> !tile.tile<[@bm, 128], f32>
        tile.yield %d : !tile.tile<[@bm, 128], f32>
      }
      "test.op"(%r) : (!tile.tile<[@bm, 128], f32>) -> ()
    }
  }
}

// -----

// No product and no loop: nothing is staged or carried; what a tile may hold is checked all the same.
// What every configuration satisfies is not written.
// CHECK-NOT:  knob.require
// CHECK:      tile.kernel @none
// CHECK-SAME: memory = {shared = #index.expr<0>,
// CHECK-SAME: registers = #index.expr<@bm * 64>,
builtin.module attributes {helion_ir.target = "h200"} {
  knob.declare @bm : pow2 16 to 64 = 64 in "block_sizes" by "frontend" doc "rows"
  tile.kernel @none (%x: !tile.ref<[512, 30], bf16, strides = [30, 1]>) names ["x"] attributes {explicit_masks} {
    triton.program_loop %pid of <512 ceildiv @bm> kind #index.expr<"flat"> {
      %m = tile.block %pid of 0 to 512 : !tile.range<@bm>
      %n = tile.axis "n" 0 to 30 : !tile.range<30>
      %a = tile.load "x" %x[%m, %n] : !tile.ref<[512, 30], bf16, strides = [30, 1]>[!tile.range<@bm>, !tile.range<30>] -> !tile.tile<[@bm, 30], bf16>
      "test.op"(%a) : (!tile.tile<[@bm, 30], bf16>) -> ()
    }
  }
}
