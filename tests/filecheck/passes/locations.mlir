// RUN: helion-ir-opt %s -p canonicalize | filecheck %s

// What a pass makes has the location of what it replaces, named after the pass; what it keeps has its own.
// CHECK: %c = tile.full <2.0> -> !tile.tile<[8], f32> loc("canonicalize"("k.py":3:4))
// CHECK: %r = tile.for "k" (%k = 0 to 64 : !tile.range<16>) iter_args (%a = %x : !tile.tile<[8], f32>) {
// CHECK:   %b = tile.add %a, %c : !tile.tile<[8], f32> loc("k.py":6:8)
// CHECK: } loc("canonicalize"("k.py":5:4))
builtin.module {
  tile.kernel @k (%x: !tile.tile<[8], f32>) names ["x"] {
    %i = tile.full <2> -> !tile.tile<[8], i32> loc("k.py":2:4)
    %c = tile.cast %i : !tile.tile<[8], i32> -> !tile.tile<[8], f32> loc("k.py":3:4)
    %r, %s = tile.for "k" (%k = 0 to 64 : !tile.range<16>) iter_args (%a = %x : !tile.tile<[8], f32>, %d = %x : !tile.tile<[8], f32>) {
      %b = tile.add %a, %c : !tile.tile<[8], f32> loc("k.py":6:8)
      tile.yield %b, %d : !tile.tile<[8], f32>, !tile.tile<[8], f32> loc("k.py":7:8)
    } loc("k.py":5:4)
    "test.op"(%r, %s) : (!tile.tile<[8], f32>, !tile.tile<[8], f32>) -> () loc("k.py":8:4)
  }
}
