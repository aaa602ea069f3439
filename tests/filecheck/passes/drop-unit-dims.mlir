// RUN: helion-ir-opt %s -p drop-unit-dims --no-locations | filecheck %s

// A batch whose block is always 1: loads and stores are subscripted by the index, the product becomes the plain one.
// CHECK-LABEL: tile.kernel @batched
// CHECK: %[[I:.*]] = tile.begin %head : !tile.range<@head.block_size> -> !tile.tile<[], i32>
// CHECK-NEXT: %ql = tile.load "q" %q[%[[I]], %m, %d] : {{.*}} -> !tile.tile<[@m.block_size, 64], bf16>
// CHECK: tile.dot %ql, %kl, %z precision "tf32" : !tile.tile<[@m.block_size, 64], bf16>, !tile.tile<[64, 32], bf16>, !tile.tile<[@m.block_size, 32], f32> -> !tile.tile<[@m.block_size, 32], f32>
// CHECK: %s = tile.reduce "max" <1> %r : !tile.tile<[@m.block_size, 32], f32> -> !tile.tile<[@m.block_size], f32>
// CHECK: tile.store "out" %s, %out[%{{.*}}, %m] : !tile.tile<[@m.block_size], f32>
builtin.module {
  knob.declare @head.block_size : pow2 1 to 1 = 1 in "block_sizes" by "frontend" doc "heads"
  knob.declare @m.block_size : pow2 16 to 64 = 16 in "block_sizes" by "frontend" doc "rows"
  tile.kernel @batched (%q: !tile.ref<[8, 100, 64], bf16, strides = [6400, 64, 1]>, %k: !tile.ref<[8, 64, 32], bf16, strides = [2048, 32, 1]>, %out: !tile.ref<[8, 100], f32, strides = [100, 1]>) names ["q", "k", "out"] {
    tile.parallel "head_m" (%head = 0 to 8 : !tile.range<@head.block_size>, %m = 0 to 100 : !tile.range<@m.block_size>) {
      %d = tile.axis "d" 0 to 64 : !tile.range<64>
      %n = tile.axis "n" 0 to 32 : !tile.range<32>
      %ql = tile.load "q" %q[%head, %m, %d] : !tile.ref<[8, 100, 64], bf16, strides = [6400, 64, 1]>[!tile.range<@head.block_size>, !tile.range<@m.block_size>, !tile.range<64>] -> !tile.tile<[@head.block_size, @m.block_size, 64], bf16>
      %kl = tile.load "k" %k[%head, %d, %n] : !tile.ref<[8, 64, 32], bf16, strides = [2048, 32, 1]>[!tile.range<@head.block_size>, !tile.range<64>, !tile.range<32>] -> !tile.tile<[@head.block_size, 64, 32], bf16>
      %z = tile.full <0.0> -> !tile.tile<[@head.block_size, @m.block_size, 32], f32>
      %r = tile.dot %ql, %kl, %z precision "tf32" : !tile.tile<[@head.block_size, @m.block_size, 64], bf16>, !tile.tile<[@head.block_size, 64, 32], bf16>, !tile.tile<[@head.block_size, @m.block_size, 32], f32> -> !tile.tile<[@head.block_size, @m.block_size, 32], f32>
      %s = tile.reduce "max" <2> %r : !tile.tile<[@head.block_size, @m.block_size, 32], f32> -> !tile.tile<[@head.block_size, @m.block_size], f32>
      tile.store "out" %s, %out[%head, %m] : !tile.tile<[@head.block_size, @m.block_size], f32> : !tile.ref<[8, 100], f32, strides = [100, 1]>[!tile.range<@head.block_size>, !tile.range<@m.block_size>]
    }
  }

  // Mixed along the dimension by a scan: left as it is.
  // CHECK-LABEL: tile.kernel @scanned
  // CHECK: tile.scan "sum" 0 {{.*}} : !tile.tile<[@head.block_size], f32>
  tile.kernel @scanned (%x: !tile.ref<[8], f32, strides = [1]>) names ["x"] {
    tile.parallel "head" (%head = 0 to 8 : !tile.range<@head.block_size>) {
      %v = tile.load "x" %x[%head] : !tile.ref<[8], f32, strides = [1]>[!tile.range<@head.block_size>] -> !tile.tile<[@head.block_size], f32>
      %c = tile.scan "sum" 0 : i64 %v reverse false : !tile.tile<[@head.block_size], f32> -> !tile.tile<[@head.block_size], f32>
      tile.store "x" %c, %x[%head] : !tile.tile<[@head.block_size], f32> : !tile.ref<[8], f32, strides = [1]>[!tile.range<@head.block_size>]
    }
  }
}
