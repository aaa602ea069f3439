// RUN: helion-ir-opt %s -p forward-memory --split-input-file | filecheck %s

// What was stored is not loaded.
// CHECK-LABEL: tile.kernel @stored
// CHECK:       tile.store "out"
// CHECK-NOT:   tile.load "out"
// CHECK:       "test.op"(%v)
builtin.module {
  tile.kernel @stored (%x: !tile.ref<[64], f32, strides = [1]>, %out: !tile.ref<[64], f32, strides = [1]>) names ["x", "out"] {
    tile.parallel "m" (%m = 0 to 64 : !tile.range<16>) {
      %v = tile.load "x" %x[%m] : !tile.ref<[64], f32, strides = [1]>[!tile.range<16>] -> !tile.tile<[16], f32>
      tile.store "out" %v, %out[%m] : !tile.tile<[16], f32> : !tile.ref<[64], f32, strides = [1]>[!tile.range<16>]
      %w = tile.load "out" %out[%m] : !tile.ref<[64], f32, strides = [1]>[!tile.range<16>] -> !tile.tile<[16], f32>
      "test.op"(%w) : (!tile.tile<[16], f32>) -> ()
    }
  }
}

// -----

// Arguments may overlap: a store to one may change another.
// CHECK-LABEL: tile.kernel @overlapping
// CHECK:       tile.store "y"
// CHECK-NEXT:  tile.load "x.1"
builtin.module {
  tile.kernel @overlapping (%x: !tile.ref<[64], f32, strides = [1]>, %y: !tile.ref<[64], f32, strides = [1]>) names ["x", "y"] {
    tile.parallel "m" (%m = 0 to 64 : !tile.range<16>) {
      %v = tile.load "x" %x[%m] : !tile.ref<[64], f32, strides = [1]>[!tile.range<16>] -> !tile.tile<[16], f32>
      tile.store "y" %v, %y[%m] : !tile.tile<[16], f32> : !tile.ref<[64], f32, strides = [1]>[!tile.range<16>]
      %w = tile.load "x.1" %x[%m] : !tile.ref<[64], f32, strides = [1]>[!tile.range<16>] -> !tile.tile<[16], f32>
      "test.op"(%w) : (!tile.tile<[16], f32>) -> ()
    }
  }
}

// -----

// A tensor of the host's own shares memory with none: of two sites one load is left.
// CHECK-LABEL: tile.kernel @distinct
// CHECK:       %v = tile.load "x"
// CHECK-NOT:   tile.load
// CHECK:       "test.op"(%v)
builtin.module {
  tile.kernel @distinct (%x: !tile.ref<[64], f32, strides = [1]>, %out: !tile.ref<[64], f32, strides = [1]>) names ["x", "out"] attributes {allocations = [["out"]]} {
    tile.parallel "m" (%m = 0 to 64 : !tile.range<16>) {
      %v = tile.load "x" %x[%m] : !tile.ref<[64], f32, strides = [1]>[!tile.range<16>] -> !tile.tile<[16], f32>
      tile.store "out" %v, %out[%m] : !tile.tile<[16], f32> : !tile.ref<[64], f32, strides = [1]>[!tile.range<16>]
      %w = tile.load "x.1" %x[%m] : !tile.ref<[64], f32, strides = [1]>[!tile.range<16>] -> !tile.tile<[16], f32>
      "test.op"(%w) : (!tile.tile<[16], f32>) -> ()
    }
  }
}

// -----

// Out of the loop go loads that it does not change, even those that the next iteration repeats.
// CHECK-LABEL: tile.kernel @invariant
// CHECK:       tile.load "x"
// CHECK-NEXT:  tile.for "k"
// CHECK-NEXT:    tile.load "y"
builtin.module {
  tile.kernel @invariant (%x: !tile.ref<[64], f32, strides = [1]>, %y: !tile.ref<[64], f32, strides = [1]>) names ["x", "y"] {
    tile.parallel "m" (%m = 0 to 64 : !tile.range<16>) {
      tile.for "k" (%k = 0 to 64 : !tile.range<8>) {
        %v = tile.load "x" %x[%m] : !tile.ref<[64], f32, strides = [1]>[!tile.range<16>] -> !tile.tile<[16], f32>
        %w = tile.load "y" %y[%k] : !tile.ref<[64], f32, strides = [1]>[!tile.range<8>] -> !tile.tile<[8], f32>
        "test.pureop"(%v, %w) : (!tile.tile<[16], f32>, !tile.tile<[8], f32>) -> ()
        tile.yield
      }
    }
  }
}

// -----

// Index tiles may name one element twice, and elements of a stride of 0 are one.
// CHECK-LABEL: tile.kernel @scattered
// CHECK:       tile.store "out"
// CHECK-NEXT:  tile.load "out"
// CHECK:       tile.store "same"
// CHECK-NEXT:  tile.load "same"
builtin.module {
  tile.kernel @scattered (%out: !tile.ref<[64], f32, strides = [1]>, %same: !tile.ref<[64], f32, strides = [0]>) names ["out", "same"] {
    tile.parallel "m" (%m = 0 to 64 : !tile.range<16>) {
      %i, %v = "test.op"() : () -> (!tile.tile<[16], i32>, !tile.tile<[16], f32>)
      tile.store "out" %v, %out[%i] : !tile.tile<[16], f32> : !tile.ref<[64], f32, strides = [1]>[!tile.tile<[16], i32>]
      %w = tile.load "out" %out[%i] : !tile.ref<[64], f32, strides = [1]>[!tile.tile<[16], i32>] -> !tile.tile<[16], f32>
      tile.store "same" %v, %same[%m] : !tile.tile<[16], f32> : !tile.ref<[64], f32, strides = [0]>[!tile.range<16>]
      %u = tile.load "same" %same[%m] : !tile.ref<[64], f32, strides = [0]>[!tile.range<16>] -> !tile.tile<[16], f32>
      "test.op"(%w, %u) : (!tile.tile<[16], f32>, !tile.tile<[16], f32>) -> ()
    }
  }
}
