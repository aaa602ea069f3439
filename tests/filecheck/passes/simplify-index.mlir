// RUN: helion-ir-opt %s -p simplify-index --split-input-file | filecheck %s

// The program id is from 0 to 7, a loop's index a multiple of what all steps are multiples of, a lane below its tile's
// extent; of a parameter nothing is known. Constants move into what uses them. Where an operand gives a tile its shape
// the expression keeps it, even if its value does not matter.
// CHECK:      triton.program_loop %pid of <8>
// CHECK-NEXT:   %zero = index.apply <0>() : () -> !tile.tile<[], i32>
// CHECK-NEXT:   %half = index.apply <d0 mod 4>(%pid)
// CHECK-NEXT:   %far = index.apply <d0 mod 8>(%x)
// CHECK-NEXT:   %const = index.apply <3>()
// CHECK-NEXT:   %sum = index.apply <d0 + 3>(%pid)
// CHECK-NEXT:   "test.op"(%pid, %zero, %half, %far, %sum)
// CHECK-NEXT:   triton.for %k = <0> to <128> step <@bm> options {} {
// CHECK-NEXT:     %aligned = index.apply <0>()
// CHECK-NEXT:     %block = index.apply <(d0 floordiv @bm) * @bm>(%k)
// CHECK-NEXT:     %a = triton.arange <@bm>
// CHECK-NEXT:     %inside = triton.full <1> shape {{.*}} -> !tile.tile<[@bm], i1>
// CHECK-NEXT:     %some = index.apply <d0 + d1 lt 100>(%k, %a)
// CHECK-NEXT:     %rows = index.apply <(d0 + d1) floordiv 16>(%k, %a)
builtin.module {
  knob.declare @bm : pow2 16 to 64 = 32 in "block_sizes" by "frontend" doc "rows"
  triton.kernel @k (%x: !tile.tile<[], i32>) names ["x"] constexprs {} launch {} {
    triton.program_loop %pid of <8> kind #index.expr<"flat"> {
      %same = index.apply <d0 mod 8>(%pid) : (!tile.tile<[], i32>) -> !tile.tile<[], i32>
      %zero = index.apply <d0 floordiv 8>(%pid) : (!tile.tile<[], i32>) -> !tile.tile<[], i32>
      %half = index.apply <d0 mod 4>(%pid) : (!tile.tile<[], i32>) -> !tile.tile<[], i32>
      %far = index.apply <d0 mod 8>(%x) : (!tile.tile<[], i32>) -> !tile.tile<[], i32>
      %const = index.apply <3>() : () -> !tile.tile<[], i32>
      %sum = index.apply <d0 + d1>(%pid, %const) : (!tile.tile<[], i32>, !tile.tile<[], i32>) -> !tile.tile<[], i32>
      "test.op"(%same, %zero, %half, %far, %sum) : (!tile.tile<[], i32>, !tile.tile<[], i32>, !tile.tile<[], i32>, !tile.tile<[], i32>, !tile.tile<[], i32>) -> ()
      triton.for %k = <0> to <128> step <@bm> options {} {
        %aligned = index.apply <d0 mod 16>(%k) : (!tile.tile<[], i32>) -> !tile.tile<[], i32>
        %block = index.apply <d0 floordiv @bm * @bm>(%k) : (!tile.tile<[], i32>) -> !tile.tile<[], i32>
        %a = triton.arange <@bm> : !tile.tile<[@bm], i32>
        %inside = index.apply <d0 + d1 lt 256>(%k, %a) : (!tile.tile<[], i32>, !tile.tile<[@bm], i32>) -> !tile.tile<[@bm], i1>
        %some = index.apply <d0 + d1 lt 100>(%k, %a) : (!tile.tile<[], i32>, !tile.tile<[@bm], i32>) -> !tile.tile<[@bm], i1>
        %rows = index.apply <(d0 + d1) floordiv 16>(%k, %a) : (!tile.tile<[], i32>, !tile.tile<[@bm], i32>) -> !tile.tile<[@bm], i32>
        "test.op"(%aligned, %block, %inside, %some, %rows) : (!tile.tile<[], i32>, !tile.tile<[], i32>, !tile.tile<[@bm], i1>, !tile.tile<[@bm], i1>, !tile.tile<[@bm], i32>) -> ()
        triton.yield
      }
    }
  }
}

// -----

// A loop's end is held at its beginning only where it may come before it.
// CHECK-LABEL: triton.kernel @ends
// CHECK:         triton.for %a = <0> to <d0 + 1> step <1>
// CHECK:         triton.for %b = <d0> to <(max(d1 - d0, 0) floordiv 4) * 4 + d0> step <4>
// CHECK:         triton.for %c = <d0> to <max(d0, d1)> step <4>
// CHECK:         triton.for %d = <0> to <max(d0, d1)> step <4>
builtin.module {
  triton.kernel @ends (%x: !tile.tile<[], i32>, %y: !tile.tile<[], i32>) names ["x", "y"] constexprs {} launch {} {
    triton.program_loop %pid of <8> kind #index.expr<"flat"> {
      triton.for %a = <0> to <max(0, d0 + 1)> step <1> with (%pid : !tile.tile<[], i32>) options {} {
        triton.yield
      }
      triton.for %b = <d0> to <max(d0, (max(d1 - d0, 0) floordiv 4) * 4 + d0)> step <4> with (%x, %y : !tile.tile<[], i32>, !tile.tile<[], i32>) options {} {
        triton.yield
      }
      triton.for %c = <d0> to <max(d0, d1)> step <4> with (%x, %y : !tile.tile<[], i32>, !tile.tile<[], i32>) options {} {
        triton.yield
      }
      triton.for %d = <0> to <max(d0, d1)> step <4> with (%x, %pid : !tile.tile<[], i32>, !tile.tile<[], i32>) options {} {
        triton.yield
      }
    }
  }
}

// -----

// What a loop does not change comes first in a sum, whatever is computed inside of the loop; scalars come before tiles.
// CHECK-LABEL: triton.kernel @sums
// CHECK:         %offset = index.apply <d0 * 4 + d1 * 8 + d2 * 32 + d3>(%x, %lane, %k, %row)
// CHECK:         %pair = index.apply <d0 * 8 + d1>(%k, %x)
builtin.module {
  triton.kernel @sums (%x: !tile.tile<[], i32>) names ["x"] constexprs {} launch {} {
    triton.program_loop %pid of <8> kind #index.expr<"flat"> {
      triton.for %k = <0> to <128> step <16> options {} {
        %lane = triton.arange <16> : !tile.tile<[16], i32>
        %row = index.apply <d0 + d1>(%k, %lane) : (!tile.tile<[], i32>, !tile.tile<[16], i32>) -> !tile.tile<[16], i32>
        %offset = index.apply <d0 + d1 * 32 + d2 * 8 + d3 * 4>(%row, %k, %lane, %x) : (!tile.tile<[16], i32>, !tile.tile<[], i32>, !tile.tile<[16], i32>, !tile.tile<[], i32>) -> !tile.tile<[16], i32>
        %pair = index.apply <d0 * 8 + d1>(%k, %x) : (!tile.tile<[], i32>, !tile.tile<[], i32>) -> !tile.tile<[], i32>
        "test.op"(%offset, %pair) : (!tile.tile<[16], i32>, !tile.tile<[], i32>) -> ()
        triton.yield
      }
    }
  }
}
