// RUN: helion-ir-opt %s -p lift-constexprs | filecheck %s

// An extent that a call fixes is a constexpr parameter, since Triton's shapes are constants; how many blocks there are
// is a plain integer, so that calls of other sizes need no other kernel. Types keep what they mean.
// CHECK:      triton.kernel @k {{.*}} constexprs {n_block = #index.expr<next_power_of_2(n)>, m_block_size = #index.expr<@m.block_size>} launch {} attributes {scalars = {total_programs = #index.expr<n ceildiv @m.block_size>}} {
// CHECK-NEXT:   triton.program_loop %pid of <n ceildiv @m.block_size> kind "flat" {
// CHECK-NEXT:     %a = triton.arange <n_block> : !tile.tile<[next_power_of_2(n)], i32>
// CHECK-NEXT:     %z = triton.full <0.0> shape [#index.expr<m_block_size>, #index.expr<n_block>] -> !tile.tile<[@m.block_size, next_power_of_2(n)], f32>
// CHECK-NEXT:     %p = index.apply <d0 + n>(%pid)
builtin.module {
  knob.declare @m.block_size : pow2 16 to 64 = 32 in "block_sizes" by "frontend" doc "rows"
  triton.kernel @k (%x: !tile.tile<[], !triton.ptr<f32>>, %n: !tile.tile<[], i32>) names ["x", "n"] constexprs {} launch {} {
    triton.program_loop %pid of <n ceildiv @m.block_size> kind "flat" {
      %a = triton.arange <next_power_of_2(n)> : !tile.tile<[next_power_of_2(n)], i32>
      %z = triton.full <0.0> shape [#index.expr<@m.block_size>, #index.expr<next_power_of_2(n)>] -> !tile.tile<[@m.block_size, next_power_of_2(n)], f32>
      %p = index.apply <d0 + n>(%pid) : (!tile.tile<[], i32>) -> !tile.tile<[], i32>
    }
  }
}
