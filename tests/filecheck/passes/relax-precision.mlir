// RUN: helion-ir-opt %s -p relax-precision | filecheck %s

// A softmax that is rounded to bf16: the exponentials are summed, which keeps relative errors since none is negative.
// CHECK-LABEL: tile.kernel @softmax
// CHECK:         %e = tile.exp %d {approximate}
// CHECK:         %q = tile.div %e, %t {approximate}
// A difference may cancel all that is right of its operands, and a store in f32 keeps every bit.
// CHECK-LABEL: tile.kernel @asked
// CHECK:         %e = tile.exp %x :
// CHECK:         %s = tile.sqrt %y :
// CHECK:         %q = tile.div %x, %y {approximate}
// Errors grow in what a loop carries.
// CHECK-LABEL: tile.kernel @carried
// CHECK:         %e = tile.exp %x :
builtin.module {
  tile.kernel @softmax (%x: !tile.tile<[8, 64], f32>, %out: !tile.ref<[8, 64], bf16, strides = [64, 1]>) names ["x", "out"] {
    tile.parallel "m" (%m = 0 to 8 : !tile.range<8>) {
      %n = tile.axis "n" 0 to 64 : !tile.range<64>
      %h = tile.reduce "max" <1> %x : !tile.tile<[8, 64], f32> -> !tile.tile<[8], f32>
      %r = tile.reshape %h : !tile.tile<[8], f32> -> !tile.tile<[8, 1], f32>
      %b = tile.broadcast %r : !tile.tile<[8, 1], f32> -> !tile.tile<[8, 64], f32>
      %d = tile.sub %x, %b : !tile.tile<[8, 64], f32>
      %e = tile.exp %d : !tile.tile<[8, 64], f32>
      %s = tile.reduce "sum" <1> %e : !tile.tile<[8, 64], f32> -> !tile.tile<[8], f32>
      %u = tile.reshape %s : !tile.tile<[8], f32> -> !tile.tile<[8, 1], f32>
      %t = tile.broadcast %u : !tile.tile<[8, 1], f32> -> !tile.tile<[8, 64], f32>
      %q = tile.div %e, %t : !tile.tile<[8, 64], f32>
      %c = tile.cast %q : !tile.tile<[8, 64], f32> -> !tile.tile<[8, 64], bf16>
      tile.store "out" %c, %out[%m, %n] : !tile.tile<[8, 64], bf16> : !tile.ref<[8, 64], bf16, strides = [64, 1]>[!tile.range<8>, !tile.range<64>]
    }
  }
  tile.kernel @asked (%x: !tile.tile<[8], f32>, %y: !tile.tile<[8], f32>, %f: !tile.ref<[8], f32, strides = [1]>, %g: !tile.ref<[8], f16, strides = [1]>) names ["x", "y", "f", "g"] {
    tile.parallel "m" (%m = 0 to 8 : !tile.range<8>) {
      %e = tile.exp %x : !tile.tile<[8], f32>
      %d = tile.sub %e, %y : !tile.tile<[8], f32>
      %s = tile.sqrt %y : !tile.tile<[8], f32>
      %q = tile.div %x, %y : !tile.tile<[8], f32>
      %p = tile.mul %q, %s : !tile.tile<[8], f32>
      %c = tile.cast %d : !tile.tile<[8], f32> -> !tile.tile<[8], f16>
      %k = tile.cast %p : !tile.tile<[8], f32> -> !tile.tile<[8], f16>
      tile.store "g" %c, %g[%m] : !tile.tile<[8], f16> : !tile.ref<[8], f16, strides = [1]>[!tile.range<8>]
      tile.store "g.1" %k, %g[%m] : !tile.tile<[8], f16> : !tile.ref<[8], f16, strides = [1]>[!tile.range<8>]
      tile.store "f" %s, %f[%m] : !tile.tile<[8], f32> : !tile.ref<[8], f32, strides = [1]>[!tile.range<8>]
    }
  }
  tile.kernel @carried (%x: !tile.tile<[8], f32>, %g: !tile.ref<[8], f16, strides = [1]>) names ["x", "g"] {
    tile.parallel "m" (%m = 0 to 8 : !tile.range<8>) {
      %one = tile.full <1.0> -> !tile.tile<[8], f32>
      %r = tile.for "k" (%k = 0 to 64 : !tile.range<8>) iter_args (%a = %one : !tile.tile<[8], f32>) {
        %e = tile.exp %x : !tile.tile<[8], f32>
        %p = tile.mul %a, %e : !tile.tile<[8], f32>
        tile.yield %p : !tile.tile<[8], f32>
      }
      %c = tile.cast %r : !tile.tile<[8], f32> -> !tile.tile<[8], f16>
      tile.store "g" %c, %g[%m] : !tile.tile<[8], f16> : !tile.ref<[8], f16, strides = [1]>[!tile.range<8>]
    }
  }
}
