// RUN: helion-ir-opt %s -p fold-exp2 --split-input-file | filecheck %s

// The factor goes into the constant that scales the scores, through the maximum that the loop carries; the sum that the
// loop carries too is none of its business. After the loop the maximum is what it was.
// CHECK-LABEL: tile.kernel @fold
// CHECK-NOT:     attributes
// CHECK:         %low = tile.full <-inf>
// CHECK-NEXT:    %most = tile.for "k" (%k = 0 to 64 : !tile.range<16>) iter_args (%m = %low : !tile.tile<[4], f32>) {
// CHECK-NEXT:      %v = tile.load "x"
// CHECK-NEXT:      %0 = tile.full <4.32808512266689> -> !tile.tile<[4, 16], f32>
// CHECK-NEXT:      %s = tile.mul %v, %0
// CHECK-NEXT:      %n = tile.reduce "max" <1> %s
// CHECK-NEXT:      %m2 = tile.maximum %m, %n
// CHECK-NEXT:      %m3 = tile.reshape %m2
// CHECK-NEXT:      %m4 = tile.broadcast %m3
// CHECK-NEXT:      %d = tile.sub %s, %m4
// CHECK-NEXT:      %e = tile.exp2 %d
// CHECK-NEXT:      tile.store "y" %e
// CHECK-NEXT:      tile.yield %m2
// CHECK-NEXT:    }
// CHECK-NEXT:    %1 = tile.full <0.6931471805599453> -> !tile.tile<[4], f32>
// CHECK-NEXT:    %most_1 = tile.mul %most, %1
// CHECK-NEXT:    tile.store "out" %most_1
builtin.module {
  tile.kernel @fold (%x: !tile.ref<[8, 64], f32, strides = [64, 1]>, %y: !tile.ref<[8, 64], f32, strides = [64, 1]>, %out: !tile.ref<[8], f32, strides = [1]>) names ["x", "y", "out"] attributes {schedule = {exp2 = #knob.value<"fold">}} {
    tile.parallel "m" (%r = 0 to 8 : !tile.range<4>) {
      %low = tile.full <-inf> -> !tile.tile<[4], f32>
      %most = tile.for "k" (%k = 0 to 64 : !tile.range<16>) iter_args (%m = %low : !tile.tile<[4], f32>) {
        %v = tile.load "x" %x[%r, %k] : !tile.ref<[8, 64], f32, strides = [64, 1]>[!tile.range<4>, !tile.range<16>] -> !tile.tile<[4, 16], f32>
        %c = tile.full <3.0> -> !tile.tile<[4, 16], f32>
        %s = tile.mul %v, %c : !tile.tile<[4, 16], f32>
        %n = tile.reduce "max" <1> %s : !tile.tile<[4, 16], f32> -> !tile.tile<[4], f32>
        %m2 = tile.maximum %m, %n : !tile.tile<[4], f32>
        %m3 = tile.reshape %m2 : !tile.tile<[4], f32> -> !tile.tile<[4, 1], f32>
        %m4 = tile.broadcast %m3 : !tile.tile<[4, 1], f32> -> !tile.tile<[4, 16], f32>
        %d = tile.sub %s, %m4 : !tile.tile<[4, 16], f32>
        %e = tile.exp %d : !tile.tile<[4, 16], f32>
        tile.store "y" %e, %y[%r, %k] : !tile.tile<[4, 16], f32> : !tile.ref<[8, 64], f32, strides = [64, 1]>[!tile.range<4>, !tile.range<16>]
        tile.yield %m2 : !tile.tile<[4], f32>
      }
      tile.store "out" %most, %out[%r] : !tile.tile<[4], f32> : !tile.ref<[8], f32, strides = [1]>[!tile.range<4>]
    }
  }
}

// -----

// The factor of the scores moves behind their maximum: an element is multiplied and subtracted from in one instruction.
// CHECK-LABEL: tile.kernel @fma
// CHECK:         %v = tile.load "x"
// CHECK-NEXT:    %n = tile.reduce "max" <1> %v
// CHECK-NEXT:    %0 = tile.full <4.32808512266689> -> !tile.tile<[4, 64], f32>
// CHECK-NEXT:    %v_1 = tile.mul %v, %0
// CHECK-NEXT:    %1 = tile.full <4.32808512266689> -> !tile.tile<[4], f32>
// CHECK-NEXT:    %n_1 = tile.mul %n, %1
// CHECK-NEXT:    %2 = tile.reshape %n_1
// CHECK-NEXT:    %3 = tile.broadcast %2
// CHECK-NEXT:    %4 = tile.sub %v_1, %3
// CHECK-NEXT:    %e = tile.exp2 %4
// CHECK-NEXT:    tile.store "y" %e
builtin.module {
  tile.kernel @fma (%x: !tile.ref<[8, 64], f32, strides = [64, 1]>, %y: !tile.ref<[8, 64], f32, strides = [64, 1]>) names ["x", "y"] attributes {schedule = {exp2 = #knob.value<"fma">}} {
    tile.parallel "m" (%r = 0 to 8 : !tile.range<4>) {
      %k = tile.axis "k" 0 to 64 : !tile.range<64>
      %v = tile.load "x" %x[%r, %k] : !tile.ref<[8, 64], f32, strides = [64, 1]>[!tile.range<4>, !tile.range<64>] -> !tile.tile<[4, 64], f32>
      %c = tile.full <3.0> -> !tile.tile<[4, 64], f32>
      %s = tile.mul %v, %c : !tile.tile<[4, 64], f32>
      %n = tile.reduce "max" <1> %s : !tile.tile<[4, 64], f32> -> !tile.tile<[4], f32>
      %m3 = tile.reshape %n : !tile.tile<[4], f32> -> !tile.tile<[4, 1], f32>
      %m4 = tile.broadcast %m3 : !tile.tile<[4, 1], f32> -> !tile.tile<[4, 64], f32>
      %d = tile.sub %s, %m4 : !tile.tile<[4, 64], f32>
      %e = tile.exp %d : !tile.tile<[4, 64], f32>
      tile.store "y" %e, %y[%r, %k] : !tile.tile<[4, 64], f32> : !tile.ref<[8, 64], f32, strides = [64, 1]>[!tile.range<4>, !tile.range<64>]
    }
  }
}

// -----

// Nothing to fold into, another product, and a logarithm in the exponent.
// CHECK-LABEL: tile.kernel @rest
// CHECK:         %v = tile.load "x"
// CHECK-NEXT:    %0 = tile.full <1.4426950408889634> -> !tile.tile<[4], f32>
// CHECK-NEXT:    %v_1 = tile.mul %v, %0
// CHECK-NEXT:    %e = tile.exp2 %v_1
// CHECK-NEXT:    %l = tile.log2 %v
// CHECK-NEXT:    %p = tile.add %l, %l
// CHECK-NEXT:    %q = tile.exp2 %p
// CHECK-NEXT:    %z = tile.mul %e, %q
builtin.module {
  tile.kernel @rest (%x: !tile.ref<[8], f32, strides = [1]>, %y: !tile.ref<[8], f32, strides = [1]>) names ["x", "y"] attributes {schedule = {exp2 = #knob.value<"fold">}} {
    tile.parallel "m" (%r = 0 to 8 : !tile.range<4>) {
      %v = tile.load "x" %x[%r] : !tile.ref<[8], f32, strides = [1]>[!tile.range<4>] -> !tile.tile<[4], f32>
      %e = tile.exp %v : !tile.tile<[4], f32>
      %l = tile.log %v : !tile.tile<[4], f32>
      %p = tile.add %l, %l : !tile.tile<[4], f32>
      %q = tile.exp %p : !tile.tile<[4], f32>
      %z = tile.mul %e, %q : !tile.tile<[4], f32>
      tile.store "y" %z, %y[%r] : !tile.tile<[4], f32> : !tile.ref<[8], f32, strides = [1]>[!tile.range<4>]
    }
  }
}
