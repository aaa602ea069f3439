// RUN: not helion-ir-opt %s -p split-phases | filecheck %s

// CHECK: error: {{.*}}a value that is read before hl.barrier() and used after it; read it again after it
builtin.module {
  tile.kernel @k (%x: !tile.ref<[64], f32, strides = [1]>) names ["x"] {
    %z = tile.full <0> -> !tile.tile<[], i32>
    %first = tile.load "x" %x[%z] : !tile.ref<[64], f32, strides = [1]>[!tile.tile<[], i32>] -> !tile.tile<[], f32>
    tile.parallel "a" (%a = 0 to 64 : !tile.range<16>) {
    }
    tile.barrier
    tile.parallel "b" (%b = 0 to 64 : !tile.range<16>) {
      tile.store "x" %first, %x[%z] : !tile.tile<[], f32> : !tile.ref<[64], f32, strides = [1]>[!tile.tile<[], i32>]
    }
  }
}
