// RUN: helion-ir-opt %s -p materialize-config | filecheck %s
// RUN: helion-ir-opt %s -p 'materialize-config{config="{\"load.x.indexing\": \"block_ptr\", \"bm\": 64}"}' | filecheck %s --check-prefix=BLOCK
// RUN: not helion-ir-opt %s -p 'materialize-config{config="{\"reduction.n\": 64}"}' | filecheck %s --check-prefix=STRUCTURE

// No knob is left: the values of the defaults, the alternative they choose.
// CHECK-NOT:  knob.{{d|r|c}}
// CHECK:      triton.kernel @k (%x: !tile.tile<[], i32>) names ["x"] constexprs {bm = #index.expr<32>} launch {num_warps = #index.expr<4>} attributes {memory = {shared = #index.expr<128>}} {
// CHECK-NEXT:   triton.program_loop %pid of <32> kind #knob.value<"flat"> {
// CHECK-NEXT:     %a = triton.arange <bm> : !tile.tile<[32], i32>
// CHECK-NEXT:     %p = index.apply <bm * d1 + d0>(%a, %pid) : (!tile.tile<[32], i32>, !tile.tile<[], i32>) -> !tile.tile<[32], i32>
// CHECK-NEXT:     "test.op"(%p)
// CHECK-NEXT:   }
// CHECK-NEXT: }

// BLOCK:      launch {num_warps = #index.expr<4>} attributes {memory = {shared = #index.expr<256>}} {
// BLOCK-NEXT:   triton.program_loop %pid of <16>
// BLOCK-NEXT:     %a = triton.arange <bm> : !tile.tile<[64], i32>
// BLOCK-NEXT:     "test.op"(%a)

// STRUCTURE: error: {{.*}}this template was lowered for @reduction.n ne none = 0; the config has 1: lower it anew
builtin.module attributes {helion_ir.structure = [#index.expr<@reduction.n ne none>, #knob.value<0>]} {
  knob.declare @bm : pow2 16 to 64 = 32 in "block_sizes" by "frontend" doc "rows"
  knob.declare @reduction.n : one_of none, 64 = none in "reduction_loops" by "roll-reductions" doc "chunks"
  knob.declare @pid_type : one_of "flat", "persistent_blocked" = "flat" by "map-grid" doc "kind"
  knob.declare @load.x.indexing : one_of "pointer", "block_ptr" = "pointer" in "indexing" by "choose-indexing" doc "x"
  knob.declare @num_warps : pow2 1 to 32 = 4 by "convert-tile-to-triton" doc "warps"
  knob.require <@bm * @num_warps le 2048>, "room" by "plan-memory"
  triton.kernel @k (%x: !tile.tile<[], i32>) names ["x"] constexprs {bm = #index.expr<@bm>} launch {num_warps = #index.expr<@num_warps>} attributes {memory = {shared = #index.expr<@bm * 4>}} {
    triton.program_loop %pid of <1000 ceildiv @bm> kind #index.expr<@pid_type> {
      %a = triton.arange <bm> : !tile.tile<[@bm], i32>
      %c = knob.choose <@load.x.indexing> -> (!tile.tile<[@bm], i32>) case "pointer" {
        %p = index.apply <d0 + d1 * bm>(%a, %pid) : (!tile.tile<[@bm], i32>, !tile.tile<[], i32>) -> !tile.tile<[@bm], i32>
        knob.yield %p : !tile.tile<[@bm], i32>
      } case "block_ptr" {
        knob.yield %a : !tile.tile<[@bm], i32>
      }
      "test.op"(%c) : (!tile.tile<[@bm], i32>) -> ()
    }
  }
}
