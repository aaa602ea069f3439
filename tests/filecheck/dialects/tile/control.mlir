// RUN: helion-ir-opt %s | filecheck %s
// Kernels, loops, branches and ranges.

builtin.module {
// CHECK: builtin.module {
  tile.kernel @k (%x: !tile.ref<[n, 64], f32, strides = [64, 1]>, %n: !tile.tile<[], i32>) names ["x", "n"] attributes {explicit_masks} {
  // CHECK-NEXT: tile.kernel @k (%x: !tile.ref<[n, 64], f32, strides = [64, 1]>, %n: !tile.tile<[], i32>) names ["x", "n"] attributes {explicit_masks} {
    tile.barrier loc("k.py":2:4)
    // CHECK-NEXT: tile.barrier loc("k.py":2:4)
    tile.parallel "tile_m" (%m = 0 to n : !tile.range<@tile_m.block_size>, %g = 0 to 4 : !tile.tile<[], i32>) {
    // CHECK-NEXT: tile.parallel "tile_m" (%m = 0 to n : !tile.range<@tile_m.block_size>, %g = 0 to 4 : !tile.tile<[], i32>) {
      %c = tile.axis "c" 0 to 64 : !tile.range<64> loc("k.py":4:8)
      // CHECK-NEXT: %c = tile.axis "c" 0 to 64 : !tile.range<64> loc("k.py":4:8)
      %d = tile.axis "d" 8 to 24 attributes {schedule = #index.expr<@reduction.d ne none>} : !tile.range<16>
      // CHECK-NEXT: %d = tile.axis "d" 8 to 24 attributes {schedule = #index.expr<@reduction.d ne none>} : !tile.range<16>
      %b = tile.begin %m : !tile.range<@tile_m.block_size> -> !tile.tile<[], i32>
      // CHECK-NEXT: %b = tile.begin %m : !tile.range<@tile_m.block_size> -> !tile.tile<[], i32>
      %e = tile.end %m : !tile.range<@tile_m.block_size> -> !tile.tile<[], i32>
      // CHECK-NEXT: %e = tile.end %m : !tile.range<@tile_m.block_size> -> !tile.tile<[], i32>
      %i = tile.id %m : !tile.range<@tile_m.block_size> -> !tile.tile<[], i32>
      // CHECK-NEXT: %i = tile.id %m : !tile.range<@tile_m.block_size> -> !tile.tile<[], i32>
      %v = tile.index %m : !tile.range<@tile_m.block_size> -> !tile.tile<[@tile_m.block_size], i64>
      // CHECK-NEXT: %v = tile.index %m : !tile.range<@tile_m.block_size> -> !tile.tile<[@tile_m.block_size], i64>
      %half = tile.part %m at <1> : !tile.range<@tile_m.block_size> -> !tile.range<@tile_m.block_size floordiv 2>
      // CHECK-NEXT: %half = tile.part %m at <1> : !tile.range<@tile_m.block_size> -> !tile.range<@tile_m.block_size floordiv 2>
      %s = tile.shift %m by %b : !tile.range<@tile_m.block_size>, !tile.tile<[], i32> -> !tile.range<@tile_m.block_size>
      // CHECK-NEXT: %s = tile.shift %m by %b : !tile.range<@tile_m.block_size>, !tile.tile<[], i32> -> !tile.range<@tile_m.block_size>
      %q = tile.block %g of 0 to d0 * 2 with (%n : !tile.tile<[], i32>) : !tile.range<@q>
      // CHECK-NEXT: %q = tile.block %g of 0 to d0 * 2 with (%n : !tile.tile<[], i32>) : !tile.range<@q>
      %p = tile.mask(%m, %c) partial <n mod @tile_m.block_size ne 0> : (!tile.range<@tile_m.block_size>, !tile.range<64>) -> !tile.tile<[@tile_m.block_size, 64], i1>
      // CHECK-NEXT: %p = tile.mask(%m, %c) partial <n mod @tile_m.block_size ne 0> : (!tile.range<@tile_m.block_size>, !tile.range<64>) -> !tile.tile<[@tile_m.block_size, 64], i1>
      %r, %t = tile.for "k" (%k = 0 to d0 : !tile.range<@k.block_size>) with (%e : !tile.tile<[], i32>) iter_args (%a = %b : !tile.tile<[], i32>, %z = %e : !tile.tile<[], i32>) {
      // CHECK-NEXT: %r, %t = tile.for "k" (%k = 0 to d0 : !tile.range<@k.block_size>) with (%e : !tile.tile<[], i32>) iter_args (%a = %b : !tile.tile<[], i32>, %z = %e : !tile.tile<[], i32>) {
        tile.yield %a, %z : !tile.tile<[], i32>, !tile.tile<[], i32> loc("k.py":9:8)
        // CHECK-NEXT: tile.yield %a, %z : !tile.tile<[], i32>, !tile.tile<[], i32> loc("k.py":9:8)
      } loc("k.py":8:8)
      // CHECK-NEXT: } loc("k.py":8:8)
      tile.for "j" (%j = 4 to 16 : !tile.tile<[], i32>) step 2 {
      // CHECK-NEXT: tile.for "j" (%j = 4 to 16 : !tile.tile<[], i32>) step 2 {
        tile.yield
        // CHECK-NEXT: tile.yield
      }
      // CHECK-NEXT: }
      %f = index.apply <d0 lt 4>(%g) : (!tile.tile<[], i32>) -> !tile.tile<[], i1>
      // CHECK-NEXT: %f = index.apply <d0 lt 4>(%g) : (!tile.tile<[], i32>) -> !tile.tile<[], i1>
      %y = tile.if %f : !tile.tile<[], i1> -> (!tile.tile<[], i32>) {
      // CHECK-NEXT: %y = tile.if %f : !tile.tile<[], i1> -> (!tile.tile<[], i32>) {
        tile.yield %b : !tile.tile<[], i32>
        // CHECK-NEXT: tile.yield %b : !tile.tile<[], i32>
      } else {
      // CHECK-NEXT: } else {
        tile.yield %e : !tile.tile<[], i32>
        // CHECK-NEXT: tile.yield %e : !tile.tile<[], i32>
      }
      // CHECK-NEXT: }
      tile.if %f : !tile.tile<[], i1> {
      // CHECK-NEXT: tile.if %f : !tile.tile<[], i1> {
        tile.yield
        // CHECK-NEXT: tile.yield
      } else {
      // CHECK-NEXT: } else {
        tile.yield
        // CHECK-NEXT: tile.yield
      }
      // CHECK-NEXT: }
      %w = tile.while(%b : !tile.tile<[], i32>) -> (!tile.tile<[], i32>) {
      // CHECK-NEXT: %w = tile.while(%b : !tile.tile<[], i32>) -> (!tile.tile<[], i32>) {
      ^bb0(%u: !tile.tile<[], i32>):
      // CHECK-NEXT: ^{{.*}}(%u: !tile.tile<[], i32>{{.*}}):
        %l = index.apply <d0 lt 100>(%u) : (!tile.tile<[], i32>) -> !tile.tile<[], i1>
        // CHECK-NEXT: %l = index.apply <d0 lt 100>(%u) : (!tile.tile<[], i32>) -> !tile.tile<[], i1>
        tile.condition %l : !tile.tile<[], i1>, %u : !tile.tile<[], i32>
        // CHECK-NEXT: tile.condition %l : !tile.tile<[], i1>, %u : !tile.tile<[], i32>
      } do {
      // CHECK-NEXT: } do {
      ^bb0(%h: !tile.tile<[], i32>):
      // CHECK-NEXT: ^{{.*}}(%h: !tile.tile<[], i32>{{.*}}):
        %o = index.apply <d0 * 2>(%h) : (!tile.tile<[], i32>) -> !tile.tile<[], i32>
        // CHECK-NEXT: %o = index.apply <d0 * 2>(%h) : (!tile.tile<[], i32>) -> !tile.tile<[], i32>
        tile.yield %o : !tile.tile<[], i32>
        // CHECK-NEXT: tile.yield %o : !tile.tile<[], i32>
      } loc("k.py":15:8)
      // CHECK-NEXT: } loc("k.py":15:8)
    } loc("k.py":3:4)
    // CHECK-NEXT: } loc("k.py":3:4)
    tile.parallel "t" (%h_1 = d0 to d0 + 8 : !tile.tile<[], i32>) with (%n : !tile.tile<[], i32>) attributes {schedule = #index.expr<@order>} {
    // CHECK-NEXT: tile.parallel "t" (%h_1 = d0 to d0 + 8 : !tile.tile<[], i32>) with (%n : !tile.tile<[], i32>) attributes {schedule = #index.expr<@order>} {
    }
    // CHECK-NEXT: }
  } loc("k.py":1:0)
  // CHECK-NEXT: } loc("k.py":1:0)
}
// CHECK-NEXT: }
