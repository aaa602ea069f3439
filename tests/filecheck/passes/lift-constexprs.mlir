// RUN: helion-ir-opt %s -p lift-constexprs | filecheck %s

// A parameter a knob that is printed, apart from the arguments' names and from Python's words. What it selects is an if
// over the parameter. Types, the kind and extent of the program loop and alternatives of its kinds keep their knobs, and so
// does the launch.
// CHECK:      triton.kernel @k {{.*}} constexprs {total_programs = #index.expr<1000 ceildiv @m.block_size>, m_block_size_ = #index.expr<@m.block_size>, pass_ = #index.expr<@pass>, order = #index.expr<@order>, loop_k_num_stages = #index.expr<@loop.k.num_stages>} launch {num_warps = #index.expr<@num_warps>} {
// CHECK-NEXT:   triton.program_loop %pid of <1000 ceildiv @m.block_size> kind #index.expr<@pid_type> {
// CHECK-NEXT:     %a = triton.arange <m_block_size_> : !tile.tile<[@m.block_size], i32>
// CHECK-NEXT:     %z = triton.full <0.0> shape [#index.expr<m_block_size_>, #index.expr<pass_>, #index.expr<4>] -> !tile.tile<[@m.block_size, @pass, 4], f32>
// CHECK-NEXT:     %p = index.apply <d0 * m_block_size_ + pass_>(%pid)
// CHECK-NEXT:     %c = triton.switch <order> -> (!tile.tile<[], i32>) case [0, 1] {
// CHECK-NEXT:       %q = index.apply <d0 + m_block_size_>(%pid)
// CHECK-NEXT:       triton.yield %q
// CHECK-NEXT:     } case [1, 0] {
// CHECK-NEXT:       triton.yield %p
// CHECK-NEXT:     }
// CHECK-NEXT:     knob.choose <@pid_type eq "flat"> case 0 {
// CHECK:          triton.for %k = <0> to <128> step <m_block_size_> options {num_stages = #index.expr<loop_k_num_stages>} {
builtin.module {
  knob.declare @m.block_size : pow2 16 to 64 = 32 in "block_sizes" by "frontend" doc "rows"
  knob.declare @pass : pow2 16 to 64 = 32 by "frontend" doc "a keyword"
  knob.declare @pid_type : one_of "flat", "persistent_blocked" = "flat" by "map-grid" doc "kind"
  knob.declare @order : permutation 2 = [0, 1] by "map-grid" doc "order"
  knob.declare @loop.k.num_stages : one_of none, 2 = none by "x" doc "stages"
  host.func @f ["x"] {
    host.launch @k ["x", "m_block_size"]
  }
  triton.kernel @k (%x: !tile.tile<[], i32>, %y: !tile.tile<[], i32>) names ["x", "m_block_size"] constexprs {} launch {num_warps = #index.expr<@num_warps>} {
    triton.program_loop %pid of <1000 ceildiv @m.block_size> kind #index.expr<@pid_type> {
      %a = triton.arange <@m.block_size> : !tile.tile<[@m.block_size], i32>
      %z = triton.full <0.0> shape [#index.expr<@m.block_size>, #index.expr<@pass>, #index.expr<4>] -> !tile.tile<[@m.block_size, @pass, 4], f32>
      %p = index.apply <d0 * @m.block_size + @pass>(%pid) : (!tile.tile<[], i32>) -> !tile.tile<[], i32>
      %c = knob.choose <@order> -> (!tile.tile<[], i32>) case [0, 1] {
        %q = index.apply <d0 + @m.block_size>(%pid) : (!tile.tile<[], i32>) -> !tile.tile<[], i32>
        knob.yield %q : !tile.tile<[], i32>
      } case [1, 0] {
        knob.yield %p : !tile.tile<[], i32>
      }
      knob.choose <@pid_type eq "flat"> case 0 {
        knob.yield
      } case 1 {
        knob.yield
      }
      triton.for %k = <0> to <128> step <@m.block_size> options {num_stages = #index.expr<@loop.k.num_stages>} {
        triton.yield
      }
      "test.op"(%a, %z, %p, %c) : (!tile.tile<[@m.block_size], i32>, !tile.tile<[@m.block_size, @pass, 4], f32>, !tile.tile<[], i32>, !tile.tile<[], i32>) -> ()
    }
  }
}
