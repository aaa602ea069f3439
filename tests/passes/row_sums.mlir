builtin.module {
  knob.declare @tile_m.block_size : pow2 1 to 64 = 4 in "block_sizes" by "frontend" doc "rows"
  host.func @f ["x"] {
    host.python "out = torch.empty([x.size(0)], dtype=torch.float32)"
    host.launch @_f ["x", "out"]
    host.python "return out"
  }
  tile.kernel @_f (%x: !tile.ref<[13, 131], bf16, strides = [131, 1]>, %out: !tile.ref<[13], f32, strides = [1]>) names ["x", "out"] {
    tile.parallel "tile_m" (%tile_m = 0 to 13 : !tile.range<@tile_m.block_size>) {
      %n = tile.axis "n" 0 to 131 : !tile.range<131>
      %v = tile.load "x" %x[%tile_m, %n] : !tile.ref<[13, 131], bf16, strides = [131, 1]>[!tile.range<@tile_m.block_size>, !tile.range<131>] -> !tile.tile<[@tile_m.block_size, 131], bf16> loc("a.py":3:4)
      %f = tile.cast %v : !tile.tile<[@tile_m.block_size, 131], bf16> -> !tile.tile<[@tile_m.block_size, 131], f32>
      %mx = tile.reduce "max" <1> %f : !tile.tile<[@tile_m.block_size, 131], f32> -> !tile.tile<[@tile_m.block_size], f32>
      %m1 = tile.reshape %mx : !tile.tile<[@tile_m.block_size], f32> -> !tile.tile<[@tile_m.block_size, 1], f32>
      %m2 = tile.broadcast %m1 : !tile.tile<[@tile_m.block_size, 1], f32> -> !tile.tile<[@tile_m.block_size, 131], f32>
      %d = tile.sub %f, %m2 : !tile.tile<[@tile_m.block_size, 131], f32>
      %e = tile.exp %d : !tile.tile<[@tile_m.block_size, 131], f32>
      %s = tile.reduce "sum" <1> %e : !tile.tile<[@tile_m.block_size, 131], f32> -> !tile.tile<[@tile_m.block_size], f32>
      tile.store "out" %s, %out[%tile_m] : !tile.tile<[@tile_m.block_size], f32> : !tile.ref<[13], f32, strides = [1]>[!tile.range<@tile_m.block_size>]
    }
  }
}
