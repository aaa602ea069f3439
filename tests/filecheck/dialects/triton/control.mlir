// RUN: helion-ir-opt %s | filecheck %s
// Kernels with what they are launched by, the program loop, loops and branches; open decisions are expressions.

builtin.module {
// CHECK: builtin.module {
  triton.kernel @_k (%x: !tile.tile<[], !triton.ptr<bf16>>, %n: !tile.tile<[], i32>) names ["x", "n"] constexprs {m_block_size = #index.expr<@m.block_size>, eviction = #index.expr<@load.x.eviction>} launch {num_warps = #index.expr<@num_warps>, num_stages = 3 : i64} {
  // CHECK-NEXT: triton.kernel @_k (%x: !tile.tile<[], !triton.ptr<bf16>>, %n: !tile.tile<[], i32>) names ["x", "n"] constexprs {m_block_size = #index.expr<@m.block_size>, eviction = #index.expr<@load.x.eviction>} launch {num_warps = #index.expr<@num_warps>, num_stages = 3 : i64} {
    triton.program_loop %pid of <n ceildiv @m.block_size> kind #index.expr<@pid_type> attributes {multiplier = #index.expr<@num_sm_multiplier>, options = {flatten = #index.expr<@loop.pid.flatten>}} {
    // CHECK-NEXT: triton.program_loop %pid of <n ceildiv @m.block_size> kind #index.expr<@pid_type> attributes {multiplier = #index.expr<@num_sm_multiplier>, options = {flatten = #index.expr<@loop.pid.flatten>}} {
      %b = index.apply <d0 * m_block_size>(%pid) : (!tile.tile<[], i32>) -> !tile.tile<[], i32> loc("k.py":3:4)
      // CHECK-NEXT: %b = index.apply <d0 * m_block_size>(%pid) : (!tile.tile<[], i32>) -> !tile.tile<[], i32> loc("k.py":3:4)
      %r = triton.for %k = <0> to <d0> step <k_block_size> with (%n : !tile.tile<[], i32>) iter_args (%a = %b : !tile.tile<[], i32>) options {num_stages = #index.expr<@loop.k.num_stages>} {
      // CHECK-NEXT: %r = triton.for %k = <0> to <d0> step <k_block_size> with (%n : !tile.tile<[], i32>) iter_args (%a = %b : !tile.tile<[], i32>) options {num_stages = #index.expr<@loop.k.num_stages>} {
        triton.yield %a : !tile.tile<[], i32>
        // CHECK-NEXT: triton.yield %a : !tile.tile<[], i32>
      } loc("k.py":4:4)
      // CHECK-NEXT: } loc("k.py":4:4)
      triton.for %j = <0> to <8> step <1> options {} static #index.expr<@loop.j.static> {
      // CHECK-NEXT: triton.for %j = <0> to <8> step <1> options {} static #index.expr<@loop.j.static> {
        triton.yield
        // CHECK-NEXT: triton.yield
      }
      // CHECK-NEXT: }
      %f = index.apply <d0 lt 4>(%r) : (!tile.tile<[], i32>) -> !tile.tile<[], i1>
      // CHECK-NEXT: %f = index.apply <d0 lt 4>(%r) : (!tile.tile<[], i32>) -> !tile.tile<[], i1>
      %y = triton.if %f : !tile.tile<[], i1> -> (!tile.tile<[], i32>) {
      // CHECK-NEXT: %y = triton.if %f : !tile.tile<[], i1> -> (!tile.tile<[], i32>) {
        triton.yield %b : !tile.tile<[], i32>
        // CHECK-NEXT: triton.yield %b : !tile.tile<[], i32>
      } else {
      // CHECK-NEXT: } else {
        triton.yield %r : !tile.tile<[], i32>
        // CHECK-NEXT: triton.yield %r : !tile.tile<[], i32>
      }
      // CHECK-NEXT: }
      %w = triton.while(%b : !tile.tile<[], i32>) -> (!tile.tile<[], i32>) {
      // CHECK-NEXT: %w = triton.while(%b : !tile.tile<[], i32>) -> (!tile.tile<[], i32>) {
      ^bb0(%u: !tile.tile<[], i32>):
      // CHECK-NEXT: ^{{.*}}(%u: !tile.tile<[], i32>{{.*}}):
        %l = index.apply <d0 lt 100>(%u) : (!tile.tile<[], i32>) -> !tile.tile<[], i1>
        // CHECK-NEXT: %l = index.apply <d0 lt 100>(%u) : (!tile.tile<[], i32>) -> !tile.tile<[], i1>
        triton.condition %l : !tile.tile<[], i1>, %u : !tile.tile<[], i32>
        // CHECK-NEXT: triton.condition %l : !tile.tile<[], i1>, %u : !tile.tile<[], i32>
      } do {
      // CHECK-NEXT: } do {
      ^bb0(%h: !tile.tile<[], i32>):
      // CHECK-NEXT: ^{{.*}}(%h: !tile.tile<[], i32>{{.*}}):
        triton.yield %h : !tile.tile<[], i32>
        // CHECK-NEXT: triton.yield %h : !tile.tile<[], i32>
      }
      // CHECK-NEXT: }
      %c = triton.switch <m_block_size> -> (!tile.tile<[], i32>) case 16 {
      // CHECK-NEXT: %c = triton.switch <m_block_size> -> (!tile.tile<[], i32>) case 16 {
        triton.yield %b : !tile.tile<[], i32>
        // CHECK-NEXT: triton.yield %b : !tile.tile<[], i32>
      } case none {
      // CHECK-NEXT: } case none {
        triton.yield %pid : !tile.tile<[], i32>
        // CHECK-NEXT: triton.yield %pid : !tile.tile<[], i32>
      } loc("k.py":5:4)
      // CHECK-NEXT: } loc("k.py":5:4)
    } loc("k.py":2:4)
    // CHECK-NEXT: } loc("k.py":2:4)
  }
  // CHECK-NEXT: }
  triton.kernel @_flat () names [] constexprs {} launch {} {
  // CHECK-NEXT: triton.kernel @_flat () names [] constexprs {} launch {} {
    triton.program_loop %p of <n * 4> axes (%i of <n>, %j of <4>) kind #index.expr<@pid_type> attributes {reserved = 8 : i64} {
    // CHECK-NEXT: triton.program_loop %p of <n * 4> axes (%i of <n>, %j of <4>) kind #index.expr<@pid_type> attributes {reserved = 8 : i64} {
    }
    // CHECK-NEXT: }
    %blocks = index.apply <9>() : () -> !tile.tile<[], i32>
    // CHECK-NEXT: %blocks = index.apply <9>() : () -> !tile.tile<[], i32>
    triton.program_loop %q of <d0> with (%blocks : !tile.tile<[], i32>) kind "persistent_blocked" {
    // CHECK-NEXT: triton.program_loop %q of <d0> with (%blocks : !tile.tile<[], i32>) kind "persistent_blocked" {
    }
    // CHECK-NEXT: }
    triton.program_loop %pid of <12> kind "flat" {
    // CHECK-NEXT: triton.program_loop %pid of <12> kind "flat" {
    }
    // CHECK-NEXT: }
  }
  // CHECK-NEXT: }
}
// CHECK-NEXT: }
