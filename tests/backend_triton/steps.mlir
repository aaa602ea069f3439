// Control flow on scalars: a loop that swaps what it carries, the 3n + 1 problem, and combine functions.
builtin.module {
  host.func @steps ["x", "out", "n"] { host.launch @_steps ["x", "out", "n"] }
  triton.kernel @_steps (%x: !tile.tile<[], !triton.ptr<f32>>, %out: !tile.tile<[], !triton.ptr<f32>>, %n: !tile.tile<[], i32>) names ["x", "out", "n"] constexprs {} launch {num_warps = 1 : i64} {
    %one = index.apply <1>() : () -> !tile.tile<[], i32>
    %two = index.apply <2>() : () -> !tile.tile<[], i32>
    %nil = index.apply <0>() : () -> !tile.tile<[], i64>
    %p, %q = triton.for %k = <0> to <5> step <1> iter_args (%a = %one : !tile.tile<[], i32>, %b = %two : !tile.tile<[], i32>) options {} {
      triton.yield %b, %a : !tile.tile<[], i32>, !tile.tile<[], i32>
    }
    %last, %count = triton.while (%n, %nil : !tile.tile<[], i32>, !tile.tile<[], i64>) -> (!tile.tile<[], i32>, !tile.tile<[], i64>) {
    ^bb0(%v : !tile.tile<[], i32>, %c : !tile.tile<[], i64>):
      %0 = triton.binary "!=" %v, %one : !tile.tile<[], i32>, !tile.tile<[], i32> -> !tile.tile<[], i1>
      triton.condition %0 : !tile.tile<[], i1>, %v, %c : !tile.tile<[], i32>, !tile.tile<[], i64>
    } do {
    ^bb0(%w : !tile.tile<[], i32>, %d : !tile.tile<[], i64>):
      %even = index.apply <d0 mod 2 eq 0>(%w) : (!tile.tile<[], i32>) -> !tile.tile<[], i1>
      %next = triton.if %even : !tile.tile<[], i1> -> (!tile.tile<[], i32>) {
        %half = index.apply <d0 floordiv 2>(%w) : (!tile.tile<[], i32>) -> !tile.tile<[], i32>
        triton.yield %half : !tile.tile<[], i32>
      } else {
        %more = index.apply <d0 * 3 + 1>(%w) : (!tile.tile<[], i32>) -> !tile.tile<[], i32>
        triton.yield %more : !tile.tile<[], i32>
      }
      %e = index.apply <d0 + 1>(%d) : (!tile.tile<[], i64>) -> !tile.tile<[], i64>
      triton.yield %next, %e : !tile.tile<[], i32>, !tile.tile<[], i64>
    }
    %i = triton.arange <16> : !tile.tile<[16], i32>
    %px = triton.addptr %x, %i : !tile.tile<[], !triton.ptr<f32>>, !tile.tile<[16], i32> -> !tile.tile<[16], !triton.ptr<f32>>
    %t = triton.load %px : !tile.tile<[16], !triton.ptr<f32>> -> !tile.tile<[16], f32>
    %sum, %top = triton.custom_reduce %t, %t axis 0 : i64 {
    ^bb0(%sa : !tile.tile<[], f32>, %ta : !tile.tile<[], f32>, %sb : !tile.tile<[], f32>, %tb : !tile.tile<[], f32>):
      %s = triton.binary "+" %sa, %sb : !tile.tile<[], f32>, !tile.tile<[], f32> -> !tile.tile<[], f32>
      %m = triton.call "plain.fmax_nan"(%ta, %tb) {} : (!tile.tile<[], f32>, !tile.tile<[], f32>) -> !tile.tile<[], f32>
      triton.yield %s, %m : !tile.tile<[], f32>, !tile.tile<[], f32>
    } : !tile.tile<[16], f32>, !tile.tile<[16], f32> -> !tile.tile<[], f32>, !tile.tile<[], f32>
    %suffix = triton.custom_scan %t axis 0 : i64 reverse true {
    ^bb0(%xa : !tile.tile<[], f32>, %xb : !tile.tile<[], f32>):
      %xs = triton.binary "+" %xa, %xb : !tile.tile<[], f32>, !tile.tile<[], f32> -> !tile.tile<[], f32>
      triton.yield %xs : !tile.tile<[], f32>
    } : !tile.tile<[16], f32> -> !tile.tile<[16], f32>
    %tops = triton.broadcast_to %top shape [#index.expr<16>] : !tile.tile<[], f32> -> !tile.tile<[16], f32>
    %unit = triton.expand_dims <0> %sum : !tile.tile<[], f32> -> !tile.tile<[1], f32>
    %back = triton.reshape %unit shape [] : !tile.tile<[1], f32> -> !tile.tile<[], f32>
    %c32 = triton.cast %count : !tile.tile<[], i64> -> !tile.tile<[], i32>
    %mixed = index.apply <d0 * 1000 + d1 * 10000 + d2 * 100000>(%c32, %p, %q) : (!tile.tile<[], i32>, !tile.tile<[], i32>, !tile.tile<[], i32>) -> !tile.tile<[], i32>
    %number = triton.cast %mixed : !tile.tile<[], i32> -> !tile.tile<[], f32>
    %r1 = triton.binary "+" %suffix, %tops : !tile.tile<[16], f32>, !tile.tile<[16], f32> -> !tile.tile<[16], f32>
    %r2 = triton.binary "+" %r1, %back : !tile.tile<[16], f32>, !tile.tile<[], f32> -> !tile.tile<[16], f32>
    %r3 = triton.binary "+" %r2, %number : !tile.tile<[16], f32>, !tile.tile<[], f32> -> !tile.tile<[16], f32>
    %po = triton.addptr %out, %i : !tile.tile<[], !triton.ptr<f32>>, !tile.tile<[16], i32> -> !tile.tile<[16], !triton.ptr<f32>>
    triton.store %po, %r3 : !tile.tile<[16], !triton.ptr<f32>>, !tile.tile<[16], f32>
  }
}
