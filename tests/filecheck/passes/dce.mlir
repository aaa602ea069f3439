// RUN: helion-ir-opt %s -p dce | filecheck %s

// Unused values go, loads among them; what writes stays, and so do kernels, knobs and the host's statements.
// CHECK:      knob.declare @bm
// CHECK-NEXT: host.func @f ["x"] {
// CHECK-NEXT:   host.python "x = x + 1"
// CHECK-NEXT: }
// CHECK-NEXT: tile.kernel @k
// CHECK-NEXT:   tile.parallel "m" (%m = 0 to 64 : !tile.range<@bm>) {
// CHECK-NEXT:     %v = tile.load "x" %x[%m]
// CHECK-SAME:       loc("k.py":3:4)
// CHECK-NEXT:     tile.store "x" %v, %x[%m]
// CHECK-NEXT:     %old = tile.atomic "x" add relaxed (%v), %x[%m]
// CHECK-NEXT:   }
// CHECK-NEXT: }
builtin.module {
  knob.declare @bm : pow2 1 to 64 = 32 by "frontend" doc "rows"
  host.func @f ["x"] {
    host.python "x = x + 1"
  }
  tile.kernel @k (%x: !tile.ref<[64], f32, strides = [1]>) names ["x"] {
    tile.parallel "m" (%m = 0 to 64 : !tile.range<@bm>) {
      %v = tile.load "x" %x[%m] : !tile.ref<[64], f32, strides = [1]>[!tile.range<@bm>] -> !tile.tile<[@bm], f32> loc("k.py":3:4)
      %unused = tile.load "x.1" %x[%m] : !tile.ref<[64], f32, strides = [1]>[!tile.range<@bm>] -> !tile.tile<[@bm], f32>
      %chain = tile.exp %unused : !tile.tile<[@bm], f32>
      %loop = tile.for "k" (%k = 0 to 64 : !tile.range<16>) iter_args (%a = %v : !tile.tile<[@bm], f32>) {
        %l = tile.load "x.2" %x[%m] : !tile.ref<[64], f32, strides = [1]>[!tile.range<@bm>] -> !tile.tile<[@bm], f32>
        %s = tile.add %a, %l : !tile.tile<[@bm], f32>
        tile.yield %s : !tile.tile<[@bm], f32>
      }
      tile.store "x" %v, %x[%m] : !tile.tile<[@bm], f32> : !tile.ref<[64], f32, strides = [1]>[!tile.range<@bm>]
      %old = tile.atomic "x" add relaxed (%v), %x[%m] : (!tile.tile<[@bm], f32>) : !tile.ref<[64], f32, strides = [1]>[!tile.range<@bm>] -> !tile.tile<[@bm], f32>
    }
  }
}
