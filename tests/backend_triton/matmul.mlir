// A product of 100x50 and 50x70 matrices, lowered: pointers or block pointers, two orders, three kinds of launch.
builtin.module attributes {helion_ir.target = "h200"} {
  knob.declare @tile_m.block_size : pow2 16 to 128 = 64 in "block_sizes" by "frontend" doc "rows"
  knob.declare @tile_n.block_size : pow2 16 to 128 = 64 in "block_sizes" by "frontend" doc "columns"
  knob.declare @tile_k.block_size : pow2 16 to 128 = 32 in "block_sizes" by "frontend" doc "depth"
  knob.declare @grid.loop_order : permutation 2 = [0, 1] in "loop_orders" by "map-grid" doc "which tile varies fastest"
  knob.declare @load.x.indexing : one_of "pointer", "block_ptr" = "pointer" in "indexing" by "choose-indexing" doc "how x is read"
  knob.declare @load.x.eviction : one_of "", "first", "last" = "" in "load_eviction_policies" by "choose-indexing" doc "cache hint"
  knob.declare @loop.k.num_stages : int 1 to 4 = 2 in "range_num_stages" by "convert-tile-to-triton" doc "stages"
  knob.declare @pid_type : one_of "flat", "persistent_blocked", "persistent_interleaved" = "flat" in "pid_type" by "map-grid" doc "launch"
  knob.declare @num_sm_multiplier : pow2 1 to 4 = 1 in "num_sm_multiplier" by "map-grid" doc "programs a multiprocessor"
  knob.declare @num_warps : pow2 1 to 8 = 4 in "num_warps" by "convert-tile-to-triton" doc "warps"
  knob.declare @num_stages : int 1 to 4 = 3 in "num_stages" by "convert-tile-to-triton" doc "stages"
  host.func @matmul ["x", "y"] {
    host.python "m, k = x.size()\nk2, n = y.size()"
    host.python "out = torch.empty([m, n], dtype=torch.float32, device=x.device)"
    host.launch @_matmul ["x", "y", "out"]
    host.python "return out"
  }
  triton.kernel @_matmul (%x: !tile.tile<[], !triton.ptr<f32>>, %y: !tile.tile<[], !triton.ptr<f32>>, %out: !tile.tile<[], !triton.ptr<f32>>) names ["x", "y", "out"] constexprs {
      block_m = #index.expr<@tile_m.block_size>, block_n = #index.expr<@tile_n.block_size>, block_k = #index.expr<@tile_k.block_size>,
      total_programs = #index.expr<(100 ceildiv @tile_m.block_size) * (70 ceildiv @tile_n.block_size)>,
      loop_k_num_stages = #index.expr<@loop.k.num_stages>, load_x_eviction = #index.expr<@load.x.eviction>}
      launch {num_warps = #index.expr<@num_warps>, num_stages = #index.expr<@num_stages>} {
    triton.program_loop %pid of <(100 ceildiv @tile_m.block_size) * (70 ceildiv @tile_n.block_size)> kind #index.expr<@pid_type> attributes {multiplier = #index.expr<@num_sm_multiplier>} {
      %programs_n = index.apply <70 ceildiv block_n>() : () -> !tile.tile<[], i32>
      %pid_m, %pid_n = knob.choose <@grid.loop_order> -> (!tile.tile<[], i32>, !tile.tile<[], i32>) case [0, 1] {
        %a0m = index.apply <d0 floordiv d1>(%pid, %programs_n) : (!tile.tile<[], i32>, !tile.tile<[], i32>) -> !tile.tile<[], i32>
        %a0n = index.apply <d0 mod d1>(%pid, %programs_n) : (!tile.tile<[], i32>, !tile.tile<[], i32>) -> !tile.tile<[], i32>
        knob.yield %a0m, %a0n : !tile.tile<[], i32>, !tile.tile<[], i32>
      } case [1, 0] {
        %a1m = index.apply <d0 mod (100 ceildiv block_m)>(%pid) : (!tile.tile<[], i32>) -> !tile.tile<[], i32>
        %a1n = index.apply <d0 floordiv (100 ceildiv block_m)>(%pid) : (!tile.tile<[], i32>) -> !tile.tile<[], i32>
        knob.yield %a1m, %a1n : !tile.tile<[], i32>, !tile.tile<[], i32>
      }
      %lane_m = triton.arange <block_m> : !tile.tile<[@tile_m.block_size], i32>
      %lane_n = triton.arange <block_n> : !tile.tile<[@tile_n.block_size], i32>
      %lane_k = triton.arange <block_k> : !tile.tile<[@tile_k.block_size], i32>
      %rows = index.apply <d0 * block_m + d1>(%pid_m, %lane_m) : (!tile.tile<[], i32>, !tile.tile<[@tile_m.block_size], i32>) -> !tile.tile<[@tile_m.block_size], i32>
      %cols = index.apply <d0 * block_n + d1>(%pid_n, %lane_n) : (!tile.tile<[], i32>, !tile.tile<[@tile_n.block_size], i32>) -> !tile.tile<[@tile_n.block_size], i32>
      %zero = triton.full <0.0> shape [#index.expr<block_m>, #index.expr<block_n>] -> !tile.tile<[@tile_m.block_size, @tile_n.block_size], f32>
      %r = triton.for %k = <0> to <50> step <block_k> iter_args (%acc = %zero : !tile.tile<[@tile_m.block_size, @tile_n.block_size], f32>) options {num_stages = #index.expr<loop_k_num_stages>} {
        %depth = index.apply <d0 + d1>(%k, %lane_k) : (!tile.tile<[], i32>, !tile.tile<[@tile_k.block_size], i32>) -> !tile.tile<[@tile_k.block_size], i32>
        %a = knob.choose <@load.x.indexing> -> (!tile.tile<[@tile_m.block_size, @tile_k.block_size], f32>) case "pointer" {
          %rows1 = triton.expand_dims <1> %rows : !tile.tile<[@tile_m.block_size], i32> -> !tile.tile<[@tile_m.block_size, 1], i32>
          %depth1 = triton.expand_dims <0> %depth : !tile.tile<[@tile_k.block_size], i32> -> !tile.tile<[1, @tile_k.block_size], i32>
          %xo = index.apply <d0 * 50 + d1>(%rows1, %depth1) : (!tile.tile<[@tile_m.block_size, 1], i32>, !tile.tile<[1, @tile_k.block_size], i32>) -> !tile.tile<[@tile_m.block_size, @tile_k.block_size], i32>
          %xm = index.apply <d0 lt 100 and d1 lt 50>(%rows1, %depth1) : (!tile.tile<[@tile_m.block_size, 1], i32>, !tile.tile<[1, @tile_k.block_size], i32>) -> !tile.tile<[@tile_m.block_size, @tile_k.block_size], i1>
          %xp = triton.addptr %x, %xo : !tile.tile<[], !triton.ptr<f32>>, !tile.tile<[@tile_m.block_size, @tile_k.block_size], i32> -> !tile.tile<[@tile_m.block_size, @tile_k.block_size], !triton.ptr<f32>>
          %xv = triton.load %xp mask %xm : !tile.tile<[@tile_m.block_size, @tile_k.block_size], i1> eviction #index.expr<load_x_eviction> : !tile.tile<[@tile_m.block_size, @tile_k.block_size], !triton.ptr<f32>> -> !tile.tile<[@tile_m.block_size, @tile_k.block_size], f32>
          knob.yield %xv : !tile.tile<[@tile_m.block_size, @tile_k.block_size], f32>
        } case "block_ptr" {
          %xb0 = index.apply <d0 * block_m>(%pid_m) : (!tile.tile<[], i32>) -> !tile.tile<[], i32>
          %xbp = triton.make_block_ptr %x [%xb0, %k] shape [#index.expr<100>, #index.expr<50>] strides [#index.expr<50>, #index.expr<1>] block [#index.expr<block_m>, #index.expr<block_k>] order <1, 0> : !tile.tile<[], !triton.ptr<f32>> [!tile.tile<[], i32>, !tile.tile<[], i32>] -> !triton.block_ptr<[@tile_m.block_size, @tile_k.block_size], f32>
          %xbv = triton.block_load %xbp boundary <0, 1> eviction #index.expr<load_x_eviction> : !triton.block_ptr<[@tile_m.block_size, @tile_k.block_size], f32> -> !tile.tile<[@tile_m.block_size, @tile_k.block_size], f32>
          knob.yield %xbv : !tile.tile<[@tile_m.block_size, @tile_k.block_size], f32>
        }
        %depth2 = triton.expand_dims <1> %depth : !tile.tile<[@tile_k.block_size], i32> -> !tile.tile<[@tile_k.block_size, 1], i32>
        %cols2 = triton.expand_dims <0> %cols : !tile.tile<[@tile_n.block_size], i32> -> !tile.tile<[1, @tile_n.block_size], i32>
        %yo = index.apply <d0 * 70 + d1>(%depth2, %cols2) : (!tile.tile<[@tile_k.block_size, 1], i32>, !tile.tile<[1, @tile_n.block_size], i32>) -> !tile.tile<[@tile_k.block_size, @tile_n.block_size], i32>
        %ym = index.apply <d0 lt 50 and d1 lt 70>(%depth2, %cols2) : (!tile.tile<[@tile_k.block_size, 1], i32>, !tile.tile<[1, @tile_n.block_size], i32>) -> !tile.tile<[@tile_k.block_size, @tile_n.block_size], i1>
        %yp = triton.addptr %y, %yo : !tile.tile<[], !triton.ptr<f32>>, !tile.tile<[@tile_k.block_size, @tile_n.block_size], i32> -> !tile.tile<[@tile_k.block_size, @tile_n.block_size], !triton.ptr<f32>>
        %b = triton.load %yp mask %ym : !tile.tile<[@tile_k.block_size, @tile_n.block_size], i1> : !tile.tile<[@tile_k.block_size, @tile_n.block_size], !triton.ptr<f32>> -> !tile.tile<[@tile_k.block_size, @tile_n.block_size], f32>
        %next = triton.dot %a, %b, %acc precision "ieee" : !tile.tile<[@tile_m.block_size, @tile_k.block_size], f32>, !tile.tile<[@tile_k.block_size, @tile_n.block_size], f32>, !tile.tile<[@tile_m.block_size, @tile_n.block_size], f32> -> !tile.tile<[@tile_m.block_size, @tile_n.block_size], f32>
        triton.yield %next : !tile.tile<[@tile_m.block_size, @tile_n.block_size], f32>
      }
      %rows3 = triton.expand_dims <1> %rows : !tile.tile<[@tile_m.block_size], i32> -> !tile.tile<[@tile_m.block_size, 1], i32>
      %cols3 = triton.expand_dims <0> %cols : !tile.tile<[@tile_n.block_size], i32> -> !tile.tile<[1, @tile_n.block_size], i32>
      %oo = index.apply <d0 * 70 + d1>(%rows3, %cols3) : (!tile.tile<[@tile_m.block_size, 1], i32>, !tile.tile<[1, @tile_n.block_size], i32>) -> !tile.tile<[@tile_m.block_size, @tile_n.block_size], i32>
      %om = index.apply <d0 lt 100 and d1 lt 70>(%rows3, %cols3) : (!tile.tile<[@tile_m.block_size, 1], i32>, !tile.tile<[1, @tile_n.block_size], i32>) -> !tile.tile<[@tile_m.block_size, @tile_n.block_size], i1>
      %op = triton.addptr %out, %oo : !tile.tile<[], !triton.ptr<f32>>, !tile.tile<[@tile_m.block_size, @tile_n.block_size], i32> -> !tile.tile<[@tile_m.block_size, @tile_n.block_size], !triton.ptr<f32>>
      triton.store %op, %r mask %om : !tile.tile<[@tile_m.block_size, @tile_n.block_size], i1> : !tile.tile<[@tile_m.block_size, @tile_n.block_size], !triton.ptr<f32>>, !tile.tile<[@tile_m.block_size, @tile_n.block_size], f32>
    }
  }
}
