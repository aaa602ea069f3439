builtin.module {
  knob.declare @tile_m.block_size : pow2 16 to 256 = 64 in "block_sizes" by "frontend" doc "rows"
  knob.declare @tile_n.block_size : pow2 16 to 256 = 64 in "block_sizes" by "frontend" doc "cols"
  knob.declare @tile_k.block_size : pow2 16 to 256 = 32 in "block_sizes" by "frontend" doc "k"
  host.func @matmul ["x", "y"] {
    host.python "m, k = x.size()"
    host.python "out = torch.empty([m, y.size(1)], dtype=x.dtype, device=x.device)"
    host.launch @_matmul ["x", "y", "out"]
    host.python "return out"
  }
  tile.kernel @_matmul (%x: !tile.ref<[100, 128], bf16, strides = [128, 1]>, %y: !tile.ref<[128, 72], bf16, strides = [72, 1]>, %out: !tile.ref<[100, 72], bf16, strides = [72, 1]>) names ["x", "y", "out"] {
    tile.parallel "tile_m" (%tile_m = 0 to 100 : !tile.range<@tile_m.block_size>, %tile_n = 0 to 72 : !tile.range<@tile_n.block_size>) {
      %zero = tile.full <0.0> -> !tile.tile<[@tile_m.block_size, @tile_n.block_size], f32>
      %r = tile.for "tile_k" (%tile_k = 0 to 128 : !tile.range<@tile_k.block_size>) iter_args (%acc = %zero : !tile.tile<[@tile_m.block_size, @tile_n.block_size], f32>) {
         %a = tile.load "x" %x[%tile_m, %tile_k] : !tile.ref<[100, 128], bf16, strides = [128, 1]>[!tile.range<@tile_m.block_size>, !tile.range<@tile_k.block_size>] -> !tile.tile<[@tile_m.block_size, @tile_k.block_size], bf16> loc("a.py":3:4)
         %b = tile.load "y" %y[%tile_k, %tile_n] : !tile.ref<[128, 72], bf16, strides = [72, 1]>[!tile.range<@tile_k.block_size>, !tile.range<@tile_n.block_size>] -> !tile.tile<[@tile_k.block_size, @tile_n.block_size], bf16>
         %t = tile.dot %a, %b, %acc precision "tf32" : !tile.tile<[@tile_m.block_size, @tile_k.block_size], bf16>, !tile.tile<[@tile_k.block_size, @tile_n.block_size], bf16>, !tile.tile<[@tile_m.block_size, @tile_n.block_size], f32> -> !tile.tile<[@tile_m.block_size, @tile_n.block_size], f32>
         tile.yield %t : !tile.tile<[@tile_m.block_size, @tile_n.block_size], f32>
      }
      %c = tile.cast %r : !tile.tile<[@tile_m.block_size, @tile_n.block_size], f32> -> !tile.tile<[@tile_m.block_size, @tile_n.block_size], bf16>
      tile.store "out" %c, %out[%tile_m, %tile_n] : !tile.tile<[@tile_m.block_size, @tile_n.block_size], bf16> : !tile.ref<[100, 72], bf16, strides = [72, 1]>[!tile.range<@tile_m.block_size>, !tile.range<@tile_n.block_size>]
    }
  }
}
