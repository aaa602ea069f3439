// softmax over rows of a [m, 300] tensor, online: the row's maximum and sum are carried through a loop over chunks of it.
// The number of rows is known at run time alone.
builtin.module attributes {helion_ir.target = "cpu"} {
  knob.declare @tile_m.block_size : pow2 1 to 16 = 4 in "block_sizes" by "frontend" doc "rows"
  knob.declare @reduction.n : one_of 64, 128 = 64 in "reduction_loops" by "roll-reductions" doc "columns at a time"
  knob.declare @pid_type : one_of "flat", "persistent_interleaved" = "flat" in "pid_type" by "map-grid" doc "launch"
  host.func @softmax ["x"] {
    host.python "m, n = x.size()\nout = torch.full_like(x, float('nan'))"
    host.launch @_softmax ["x", "out", "x.size(0)"]
    host.python "return out"
  }
  triton.kernel @_softmax (%x: !tile.tile<[], !triton.ptr<f32>>, %out: !tile.tile<[], !triton.ptr<f32>>, %m: !tile.tile<[], i32>) names ["x", "out", "m"]
      constexprs {block_m = #index.expr<@tile_m.block_size>, chunk = #index.expr<@reduction.n>}
      launch {num_warps = 4 : i64} attributes {scalars = {total_programs = #index.expr<m ceildiv @tile_m.block_size>}} {
    triton.program_loop %pid of <m ceildiv @tile_m.block_size> kind #index.expr<@pid_type> {
      %lane = triton.arange <block_m> : !tile.tile<[@tile_m.block_size], i32>
      %column = triton.arange <chunk> : !tile.tile<[@reduction.n], i32>
      %row = index.apply <d0 * block_m + d1>(%pid, %lane) : (!tile.tile<[], i32>, !tile.tile<[@tile_m.block_size], i32>) -> !tile.tile<[@tile_m.block_size], i32>
      %rows = triton.expand_dims <1> %row : !tile.tile<[@tile_m.block_size], i32> -> !tile.tile<[@tile_m.block_size, 1], i32>
      %low = triton.full <-inf> shape [#index.expr<block_m>] -> !tile.tile<[@tile_m.block_size], f32>
      %none = triton.full <0.0> shape [#index.expr<block_m>] -> !tile.tile<[@tile_m.block_size], f32>
      %top, %sum = triton.for %k = <0> to <300> step <chunk> iter_args (%mx = %low : !tile.tile<[@tile_m.block_size], f32>, %s = %none : !tile.tile<[@tile_m.block_size], f32>) options {} {
        %at = index.apply <d0 + d1>(%k, %column) : (!tile.tile<[], i32>, !tile.tile<[@reduction.n], i32>) -> !tile.tile<[@reduction.n], i32>
        %cols = triton.expand_dims <0> %at : !tile.tile<[@reduction.n], i32> -> !tile.tile<[1, @reduction.n], i32>
        %offset = index.apply <d0 * 300 + d1>(%rows, %cols) : (!tile.tile<[@tile_m.block_size, 1], i32>, !tile.tile<[1, @reduction.n], i32>) -> !tile.tile<[@tile_m.block_size, @reduction.n], i32>
        %inside = index.apply <d0 lt m and d1 lt 300>(%rows, %cols) : (!tile.tile<[@tile_m.block_size, 1], i32>, !tile.tile<[1, @reduction.n], i32>) -> !tile.tile<[@tile_m.block_size, @reduction.n], i1>
        %pointer = triton.addptr %x, %offset : !tile.tile<[], !triton.ptr<f32>>, !tile.tile<[@tile_m.block_size, @reduction.n], i32> -> !tile.tile<[@tile_m.block_size, @reduction.n], !triton.ptr<f32>>
        %loaded = triton.load %pointer mask %inside : !tile.tile<[@tile_m.block_size, @reduction.n], i1> : !tile.tile<[@tile_m.block_size, @reduction.n], !triton.ptr<f32>> -> !tile.tile<[@tile_m.block_size, @reduction.n], f32>
        %infinity = triton.full <-inf> shape [] -> !tile.tile<[], f32>
        %known = index.apply <d0 lt 300>(%cols) : (!tile.tile<[1, @reduction.n], i32>) -> !tile.tile<[1, @reduction.n], i1>
        %v = triton.call "tl.where"(%known, %loaded, %infinity) {} : (!tile.tile<[1, @reduction.n], i1>, !tile.tile<[@tile_m.block_size, @reduction.n], f32>, !tile.tile<[], f32>) -> !tile.tile<[@tile_m.block_size, @reduction.n], f32>
        %part = triton.reduce "plain.fmax_nan" 1 : i64 %v : !tile.tile<[@tile_m.block_size, @reduction.n], f32> -> !tile.tile<[@tile_m.block_size], f32>
        %mx2 = triton.call "tl.maximum"(%mx, %part) {propagate_nan = "tl.PropagateNan.ALL"} : (!tile.tile<[@tile_m.block_size], f32>, !tile.tile<[@tile_m.block_size], f32>) -> !tile.tile<[@tile_m.block_size], f32>
        %mx3 = triton.expand_dims <1> %mx2 : !tile.tile<[@tile_m.block_size], f32> -> !tile.tile<[@tile_m.block_size, 1], f32>
        %d = triton.binary "-" %v, %mx3 : !tile.tile<[@tile_m.block_size, @reduction.n], f32>, !tile.tile<[@tile_m.block_size, 1], f32> -> !tile.tile<[@tile_m.block_size, @reduction.n], f32>
        %e = triton.call "tl.exp"(%d) {} : (!tile.tile<[@tile_m.block_size, @reduction.n], f32>) -> !tile.tile<[@tile_m.block_size, @reduction.n], f32>
        %es = triton.reduce "tl.sum" 1 : i64 %e : !tile.tile<[@tile_m.block_size, @reduction.n], f32> -> !tile.tile<[@tile_m.block_size], f32>
        %less = triton.binary "-" %mx, %mx2 : !tile.tile<[@tile_m.block_size], f32>, !tile.tile<[@tile_m.block_size], f32> -> !tile.tile<[@tile_m.block_size], f32>
        %scale = triton.call "tl.exp"(%less) {} : (!tile.tile<[@tile_m.block_size], f32>) -> !tile.tile<[@tile_m.block_size], f32>
        %old = triton.binary "*" %s, %scale : !tile.tile<[@tile_m.block_size], f32>, !tile.tile<[@tile_m.block_size], f32> -> !tile.tile<[@tile_m.block_size], f32>
        %s2 = triton.binary "+" %old, %es : !tile.tile<[@tile_m.block_size], f32>, !tile.tile<[@tile_m.block_size], f32> -> !tile.tile<[@tile_m.block_size], f32>
        triton.yield %mx2, %s2 : !tile.tile<[@tile_m.block_size], f32>, !tile.tile<[@tile_m.block_size], f32>
      }
      %tops = triton.expand_dims <1> %top : !tile.tile<[@tile_m.block_size], f32> -> !tile.tile<[@tile_m.block_size, 1], f32>
      %sums = triton.expand_dims <1> %sum : !tile.tile<[@tile_m.block_size], f32> -> !tile.tile<[@tile_m.block_size, 1], f32>
      triton.for %j = <0> to <300> step <chunk> options {} {
        %at4 = index.apply <d0 + d1>(%j, %column) : (!tile.tile<[], i32>, !tile.tile<[@reduction.n], i32>) -> !tile.tile<[@reduction.n], i32>
        %cols4 = triton.expand_dims <0> %at4 : !tile.tile<[@reduction.n], i32> -> !tile.tile<[1, @reduction.n], i32>
        %offset4 = index.apply <d0 * 300 + d1>(%rows, %cols4) : (!tile.tile<[@tile_m.block_size, 1], i32>, !tile.tile<[1, @reduction.n], i32>) -> !tile.tile<[@tile_m.block_size, @reduction.n], i32>
        %inside4 = index.apply <d0 lt m and d1 lt 300>(%rows, %cols4) : (!tile.tile<[@tile_m.block_size, 1], i32>, !tile.tile<[1, @reduction.n], i32>) -> !tile.tile<[@tile_m.block_size, @reduction.n], i1>
        %pointer4 = triton.addptr %x, %offset4 : !tile.tile<[], !triton.ptr<f32>>, !tile.tile<[@tile_m.block_size, @reduction.n], i32> -> !tile.tile<[@tile_m.block_size, @reduction.n], !triton.ptr<f32>>
        %v4 = triton.load %pointer4 mask %inside4 : !tile.tile<[@tile_m.block_size, @reduction.n], i1> : !tile.tile<[@tile_m.block_size, @reduction.n], !triton.ptr<f32>> -> !tile.tile<[@tile_m.block_size, @reduction.n], f32>
        %d4 = triton.binary "-" %v4, %tops : !tile.tile<[@tile_m.block_size, @reduction.n], f32>, !tile.tile<[@tile_m.block_size, 1], f32> -> !tile.tile<[@tile_m.block_size, @reduction.n], f32>
        %e4 = triton.call "tl.exp"(%d4) {} : (!tile.tile<[@tile_m.block_size, @reduction.n], f32>) -> !tile.tile<[@tile_m.block_size, @reduction.n], f32>
        %q4 = triton.call "tl.div_rn"(%e4, %sums) {} : (!tile.tile<[@tile_m.block_size, @reduction.n], f32>, !tile.tile<[@tile_m.block_size, 1], f32>) -> !tile.tile<[@tile_m.block_size, @reduction.n], f32>
        %to4 = triton.addptr %out, %offset4 : !tile.tile<[], !triton.ptr<f32>>, !tile.tile<[@tile_m.block_size, @reduction.n], i32> -> !tile.tile<[@tile_m.block_size, @reduction.n], !triton.ptr<f32>>
        triton.store %to4, %q4 mask %inside4 : !tile.tile<[@tile_m.block_size, @reduction.n], i1> : !tile.tile<[@tile_m.block_size, @reduction.n], !triton.ptr<f32>>, !tile.tile<[@tile_m.block_size, @reduction.n], f32>
        triton.yield
      }
    }
  }
}
