// RUN: helion-ir-opt %s -p cse --split-input-file | filecheck %s

// Equal values in nested regions are those of the outer one; the location is that of the op that stays.
// CHECK-LABEL: tile.kernel @nested
// CHECK-NEXT:    %i = index.apply <d0 * 8>(%n) : {{.*}} loc("k.py":2:4)
// CHECK-NEXT:    %w = tile.axis "w" 0 to 64
// CHECK-NEXT:    tile.for "k"
// CHECK-NEXT:      %v = tile.load "x" %x[%i, %w]
// CHECK-NEXT:      tile.store "x" %v, %x[%i, %w]
// CHECK-NEXT:      tile.yield
builtin.module {
  tile.kernel @nested (%x: !tile.ref<[64, 64], f32, strides = [64, 1]>, %n: !tile.tile<[], i32>) names ["x", "n"] {
    %i = index.apply <d0 * 8>(%n) : (!tile.tile<[], i32>) -> !tile.tile<[], i32> loc("k.py":2:4)
    %w = tile.axis "w" 0 to 64 : !tile.range<64>
    tile.for "k" (%k = 0 to 64 : !tile.range<16>) {
      %j = index.apply <d0 * 8>(%n) : (!tile.tile<[], i32>) -> !tile.tile<[], i32> loc("k.py":5:4)
      %u = tile.axis "w" 0 to 64 : !tile.range<64>
      %v = tile.load "x" %x[%j, %u] : !tile.ref<[64, 64], f32, strides = [64, 1]>[!tile.tile<[], i32>, !tile.range<64>] -> !tile.tile<[64], f32>
      tile.store "x" %v, %x[%i, %w] : !tile.tile<[64], f32> : !tile.ref<[64, 64], f32, strides = [64, 1]>[!tile.tile<[], i32>, !tile.range<64>]
      tile.yield
    }
  }
}

// -----

// A load is merged with an equal one, but never across a store, be it to another tensor or within a loop.
// CHECK-LABEL: tile.kernel @loads
// CHECK:         %a = tile.load "x" %x[%w]
// CHECK-NEXT:    %s = tile.add %a, %a
// CHECK-NEXT:    tile.store "y" %s, %y[%w]
// CHECK-NEXT:    %c = tile.load "x" %x[%w]
// CHECK-NEXT:    tile.for "k"
// CHECK-NEXT:      tile.store "y" %c, %y[%w]
// CHECK-NEXT:      tile.yield
// CHECK-NEXT:    }
// CHECK-NEXT:    %d = tile.load "x" %x[%w]
// CHECK-NEXT:    %t = tile.mul %c, %d
// CHECK-NEXT:    tile.store "y" %t, %y[%w]
builtin.module {
  tile.kernel @loads (%x: !tile.ref<[64], f32, strides = [1]>, %y: !tile.ref<[64], f32, strides = [1]>) names ["x", "y"] {
    %w = tile.axis "w" 0 to 64 : !tile.range<64>
    %a = tile.load "x" %x[%w] : !tile.ref<[64], f32, strides = [1]>[!tile.range<64>] -> !tile.tile<[64], f32>
    %b = tile.load "x" %x[%w] : !tile.ref<[64], f32, strides = [1]>[!tile.range<64>] -> !tile.tile<[64], f32>
    %s = tile.add %a, %b : !tile.tile<[64], f32>
    tile.store "y" %s, %y[%w] : !tile.tile<[64], f32> : !tile.ref<[64], f32, strides = [1]>[!tile.range<64>]
    %c = tile.load "x" %x[%w] : !tile.ref<[64], f32, strides = [1]>[!tile.range<64>] -> !tile.tile<[64], f32>
    tile.for "k" (%k = 0 to 64 : !tile.range<16>) {
      tile.store "y" %c, %y[%w] : !tile.tile<[64], f32> : !tile.ref<[64], f32, strides = [1]>[!tile.range<64>]
      tile.yield
    }
    %d = tile.load "x" %x[%w] : !tile.ref<[64], f32, strides = [1]>[!tile.range<64>] -> !tile.tile<[64], f32>
    %t = tile.mul %c, %d : !tile.tile<[64], f32>
    tile.store "y" %t, %y[%w] : !tile.tile<[64], f32> : !tile.ref<[64], f32, strides = [1]>[!tile.range<64>]
  }
}

// -----

// A constant within the function of a custom scan is its own: the function is printed apart from the kernel.
// Equal scans are one, though, and constants that differ in the sign of zero are two.
// CHECK-LABEL: tile.kernel @functions
// CHECK:         %one = tile.full <1.0>
// CHECK:         %r = tile.custom_scan %v dim 0 : i64 reverse false {
// CHECK-NEXT:    ^{{.*}}(%l: !tile.tile<[], f32>{{.*}}, %m: !tile.tile<[], f32>{{.*}}):
// CHECK-NEXT:      %two = tile.full <1.0>
// CHECK-NEXT:      %p = tile.add %l, %two
// CHECK-NEXT:      tile.yield %p
// CHECK-NEXT:    }
// CHECK-NEXT:    %z = tile.full <0.0>
// CHECK-NEXT:    %nz = tile.full <-0.0>
// CHECK-NEXT:    %u = tile.add %r, %r
builtin.module {
  tile.kernel @functions (%x: !tile.ref<[64], f32, strides = [1]>) names ["x"] {
    %w = tile.axis "w" 0 to 64 : !tile.range<64>
    %one = tile.full <1.0> -> !tile.tile<[], f32>
    %v = tile.load "x" %x[%w] : !tile.ref<[64], f32, strides = [1]>[!tile.range<64>] -> !tile.tile<[64], f32>
    %r = tile.custom_scan %v dim 0 : i64 reverse false {
    ^bb0(%l: !tile.tile<[], f32>, %m: !tile.tile<[], f32>):
      %two = tile.full <1.0> -> !tile.tile<[], f32>
      %p = tile.add %l, %two : !tile.tile<[], f32>
      tile.yield %p : !tile.tile<[], f32>
    } : !tile.tile<[64], f32> -> !tile.tile<[64], f32>
    %q = tile.custom_scan %v dim 0 : i64 reverse false {
    ^bb0(%l: !tile.tile<[], f32>, %m: !tile.tile<[], f32>):
      %two = tile.full <1.0> -> !tile.tile<[], f32>
      %p = tile.add %l, %two : !tile.tile<[], f32>
      tile.yield %p : !tile.tile<[], f32>
    } : !tile.tile<[64], f32> -> !tile.tile<[64], f32>
    %z = tile.full <0.0> -> !tile.tile<[64], f32>
    %nz = tile.full <-0.0> -> !tile.tile<[64], f32>
    %u = tile.add %r, %q : !tile.tile<[64], f32>
    %u2 = tile.add %z, %nz : !tile.tile<[64], f32>
    %u3 = tile.add %u, %u2 : !tile.tile<[64], f32>
    tile.store "x" %u3, %x[%w] : !tile.tile<[64], f32> : !tile.ref<[64], f32, strides = [1]>[!tile.range<64>]
  }
}
