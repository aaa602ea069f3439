// RUN: not helion-ir-opt %s -p convert-tile-to-triton | filecheck %s

// CHECK: error: {{.*}}torch.sort, torch.argsort and torch.topk of 64-bit elements
builtin.module {
  tile.kernel @k (%x: !tile.ref<[16], f64, strides = [1]>) names ["x"] attributes {explicit_masks} {
    %n = tile.axis "n" 0 to 16 : !tile.range<16>
    %v = tile.load "x" %x[%n] attributes {indexing = #knob.value<"pointer">} : !tile.ref<[16], f64, strides = [1]>[!tile.range<16>] -> !tile.tile<[16], f64>
    %s, %i = tile.sort %v descending true : !tile.tile<[16], f64> -> !tile.tile<[16], f64>, !tile.tile<[16], i64>
    tile.store "x" %s, %x[%n] attributes {indexing = #knob.value<"pointer">} : !tile.tile<[16], f64> : !tile.ref<[16], f64, strides = [1]>[!tile.range<16>]
  }
}
