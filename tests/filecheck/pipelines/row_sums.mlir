// RUN: helion-ir-opt %s -p default-pipeline -t triton | filecheck %s
// RUN: helion-ir-opt %s -p 'default-pipeline{config="{\"tile_m.block_size\": 64, \"reduction.n\": 256}"}' -t triton | filecheck %s --check-prefix=LOOP
// RUN: helion-ir-opt %s -p 'default-pipeline{config="{\"num_warps\": 8}"}' | filecheck %s --check-prefix=BOUND
// RUN: helion-ir-opt %s -p 'canonicalize,cse,dce,declare-schedules' -t config-space | filecheck %s --check-prefix=SPACE

// A sum over rows: held at once, or in chunks of 256.
// CHECK:      @triton.jit
// CHECK-NEXT: def _row_sums(
// CHECK-NOT:  for {{.*}} in tl.range
// CHECK:      tl.sum({{.*}}, 1)
// CHECK:      def row_sums(x
// CHECK:        (250,),

// LOOP:      def _row_sums(
// LOOP:        for {{.*}} in tl.range(
// LOOP-NEXT:     0,
// LOOP-NEXT:     1021,
// LOOP-NEXT:     reduction_n,
// LOOP:        tl.load(
// LOOP:        tl.sum({{.*}}, 1)
// LOOP-NOT:    tl.load(
// LOOP:      def row_sums(x
// LOOP:        (16,),

// With a configuration every knob is bound.
// BOUND-NOT: knob.{{[dc]}}
// BOUND:     triton.kernel @_row_sums
// BOUND-SAME:  num_warps = #index.expr<8>
// BOUND-NOT: @tile_m.block_size

// SPACE:      knob
// SPACE-SAME: domain
// SPACE:      @tile_m.block_size {{ *}}pow2 1 to 1024 {{.*}}block_sizes {{ *}}frontend {{ *}}rows of tile_m a program computes
// SPACE:      @reduction.n {{ *}}one_of none, {{.*}}reduction_loops {{ *}}roll-reductions
// SPACE:      @num_warps {{ *}}pow2 1 to 32
builtin.module attributes {helion_ir.target = "h200"} {
  knob.declare @tile_m.block_size : pow2 1 to 1024 = 32 in "block_sizes" by "frontend" doc "rows of tile_m a program computes"
  host.func @row_sums ["x"] {
    host.python "m, n = x.size()"
    host.python "out = torch.empty([m], dtype=torch.float32, device=x.device)"
    host.launch @_row_sums ["x", "out"]
    host.python "return out"
  }
  tile.kernel @_row_sums (%x: !tile.ref<[1000, 1021], bf16, strides = [1021, 1]>, %out: !tile.ref<[1000], f32, strides = [1]>) names ["x", "out"] {
    tile.parallel "tile_m" (%tile_m = 0 to 1000 : !tile.range<@tile_m.block_size>) {
      %n = tile.axis "n" 0 to 1021 : !tile.range<1021>
      %v = tile.load "x" %x[%tile_m, %n] : !tile.ref<[1000, 1021], bf16, strides = [1021, 1]>[!tile.range<@tile_m.block_size>, !tile.range<1021>] -> !tile.tile<[@tile_m.block_size, 1021], bf16> loc("rows.py":7:13)
      %f = tile.cast %v : !tile.tile<[@tile_m.block_size, 1021], bf16> -> !tile.tile<[@tile_m.block_size, 1021], f32>
      %e = tile.exp %f : !tile.tile<[@tile_m.block_size, 1021], f32>
      %s = tile.reduce "sum" <1> %e : !tile.tile<[@tile_m.block_size, 1021], f32> -> !tile.tile<[@tile_m.block_size], f32>
      tile.store "out" %s, %out[%tile_m] : !tile.tile<[@tile_m.block_size], f32> : !tile.ref<[1000], f32, strides = [1]>[!tile.range<@tile_m.block_size>]
    }
  }
}
