// RUN: helion-ir-opt %s | filecheck %s
// Declarations of every kind of domain, a requirement, and a choice.

builtin.module {
// CHECK: builtin.module {
  knob.declare @tile_m.block_size : pow2 16 to 256 = 64 in "block_sizes" by "frontend" doc "rows a program computes"
  // CHECK-NEXT: knob.declare @tile_m.block_size : pow2 16 to 256 = 64 in "block_sizes" by "frontend" doc "rows a program computes"
  knob.declare @num_warps : one_of 4, 8, 16 = 4 in "num_warps" by "convert-tile-to-triton" doc "warps"
  // CHECK-NEXT: knob.declare @num_warps : one_of 4, 8, 16 = 4 in "num_warps" by "convert-tile-to-triton" doc "warps"
  knob.declare @stages : int 1 to 4 = 2 by "map-grid" doc "stages"
  // CHECK-NEXT: knob.declare @stages : int 1 to 4 = 2 by "map-grid" doc "stages"
  knob.declare @flatten : bool = false by "map-grid" doc "flatten"
  // CHECK-NEXT: knob.declare @flatten : bool = false by "map-grid" doc "flatten"
  knob.declare @order : permutation 3 = [0, 2, 1] in "loop_orders" by "map-grid" doc "order of the loops"
  // CHECK-NEXT: knob.declare @order : permutation 3 = [0, 2, 1] in "loop_orders" by "map-grid" doc "order of the loops"
  knob.declare @multi : one_of none, true, "x", 3 = none by "map-grid" doc "any values" when <@flatten eq 0 and @num_warps le 8>
  // CHECK-NEXT: knob.declare @multi : one_of none, true, "x", 3 = none by "map-grid" doc "any values" when <@flatten eq 0 and @num_warps le 8>
  knob.require <@tile_m.block_size * 128 le 65536>, "fits \22LDS\22" by "plan-memory"
  // CHECK-NEXT: knob.require <@tile_m.block_size * 128 le 65536>, "fits \22LDS\22" by "plan-memory"
  knob.ruled_out @num_ctas : 2, 4, "one product only" by "avoid-faults" loc("k.py":2:1)
  // CHECK-NEXT: knob.ruled_out @num_ctas : 2, 4, "one product only" by "avoid-faults" loc("k.py":2:1)
  knob.ruled_out @load.x.indexing : "block_ptr", "a mask" by "choose-indexing"
  // CHECK-NEXT: knob.ruled_out @load.x.indexing : "block_ptr", "a mask" by "choose-indexing"
  "test.op"() {v = #knob.value<[1, 0]>, w = #knob.value<"flat">, x = #knob.value<none>, y = #knob.value<true>, z = #knob.value<-1>, d = #knob.domain<pow2 1 to 8>} : () -> ()
  // CHECK-NEXT: "test.op"() {v = #knob.value<[1, 0]>, w = #knob.value<"flat">, x = #knob.value<none>, y = #knob.value<true>, z = #knob.value<-1>, d = #knob.domain<pow2 1 to 8>} : () -> ()
  %x = "test.op"() : () -> !tile.tile<[], i32>
  // CHECK-NEXT: %x = "test.op"() : () -> !tile.tile<[], i32>
  %r, %s = knob.choose <@load.x.indexing> -> (!tile.tile<[], i32>, !tile.tile<[], i32>) case "pointer" {
  // CHECK-NEXT: %r, %s = knob.choose <@load.x.indexing> -> (!tile.tile<[], i32>, !tile.tile<[], i32>) case "pointer" {
    %y = index.apply <d0 + 1>(%x) : (!tile.tile<[], i32>) -> !tile.tile<[], i32> loc("k.py":4:1)
    // CHECK-NEXT: %y = index.apply <d0 + 1>(%x) : (!tile.tile<[], i32>) -> !tile.tile<[], i32> loc("k.py":4:1)
    knob.yield %y, %x : !tile.tile<[], i32>, !tile.tile<[], i32>
    // CHECK-NEXT: knob.yield %y, %x : !tile.tile<[], i32>, !tile.tile<[], i32>
  } case "block_ptr" {
  // CHECK-NEXT: } case "block_ptr" {
    knob.yield %x, %x : !tile.tile<[], i32>, !tile.tile<[], i32> loc("k.py":5:1)
    // CHECK-NEXT: knob.yield %x, %x : !tile.tile<[], i32>, !tile.tile<[], i32> loc("k.py":5:1)
  } loc("k.py":3:1)
  // CHECK-NEXT: } loc("k.py":3:1)
  knob.choose <@flatten> case 0 {
  // CHECK-NEXT: knob.choose <@flatten> case 0 {
    knob.yield
    // CHECK-NEXT: knob.yield
  } case 1 {
  // CHECK-NEXT: } case 1 {
    knob.yield
    // CHECK-NEXT: knob.yield
  }
  // CHECK-NEXT: }
}
// CHECK-NEXT: }
