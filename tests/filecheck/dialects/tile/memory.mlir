// RUN: helion-ir-opt %s | filecheck %s
// Loads, stores and atomics, with each kind of subscript and with masks.

builtin.module {
// CHECK: builtin.module {
  tile.kernel @k (%x: !tile.ref<[n, 64], bf16, strides = [s, 1]>, %y: !tile.ref<[64], i32, strides = [1]>, %n: !tile.tile<[], i32>) names ["x", "y", "n"] {
  // CHECK-NEXT: tile.kernel @k (%x: !tile.ref<[n, 64], bf16, strides = [s, 1]>, %y: !tile.ref<[64], i32, strides = [1]>, %n: !tile.tile<[], i32>) names ["x", "y", "n"] {
    tile.parallel "m" (%m = 0 to n : !tile.range<@m>) {
    // CHECK-NEXT: tile.parallel "m" (%m = 0 to n : !tile.range<@m>) {
      %c = tile.axis "c" 0 to 64 : !tile.range<64>
      // CHECK-NEXT: %c = tile.axis "c" 0 to 64 : !tile.range<64>
      %a = tile.load "x" %x[%m, %c] : !tile.ref<[n, 64], bf16, strides = [s, 1]>[!tile.range<@m>, !tile.range<64>] -> !tile.tile<[@m, 64], bf16> loc("k.py":2:4)
      // CHECK-NEXT: %a = tile.load "x" %x[%m, %c] : !tile.ref<[n, 64], bf16, strides = [s, 1]>[!tile.range<@m>, !tile.range<64>] -> !tile.tile<[@m, 64], bf16> loc("k.py":2:4)
      %b = tile.load "x.1" %x[%m, %n] attributes {indexing = #index.expr<@load.x.1.indexing>, eviction = #index.expr<@load.x.1.eviction>} : !tile.ref<[n, 64], bf16, strides = [s, 1]>[!tile.range<@m>, !tile.tile<[], i32>] -> !tile.tile<[@m], bf16>
      // CHECK-NEXT: %b = tile.load "x.1" %x[%m, %n] attributes {indexing = #index.expr<@load.x.1.indexing>, eviction = #index.expr<@load.x.1.eviction>} : !tile.ref<[n, 64], bf16, strides = [s, 1]>[!tile.range<@m>, !tile.tile<[], i32>] -> !tile.tile<[@m], bf16>
      %i = tile.index %m : !tile.range<@m> -> !tile.tile<[@m], i32>
      // CHECK-NEXT: %i = tile.index %m : !tile.range<@m> -> !tile.tile<[@m], i32>
      %k = tile.mask(%m) partial <1> : (!tile.range<@m>) -> !tile.tile<[@m], i1>
      // CHECK-NEXT: %k = tile.mask(%m) partial <1> : (!tile.range<@m>) -> !tile.tile<[@m], i1>
      %l = tile.load "x.2" %x[%i, %n] mask %k : !tile.ref<[n, 64], bf16, strides = [s, 1]>[!tile.tile<[@m], i32>, !tile.tile<[], i32>] mask !tile.tile<[@m], i1> -> !tile.tile<[@m], bf16>
      // CHECK-NEXT: %l = tile.load "x.2" %x[%i, %n] mask %k : !tile.ref<[n, 64], bf16, strides = [s, 1]>[!tile.tile<[@m], i32>, !tile.tile<[], i32>] mask !tile.tile<[@m], i1> -> !tile.tile<[@m], bf16>
      tile.store "x" %l, %x[%m, %n] mask %k : !tile.tile<[@m], bf16> : !tile.ref<[n, 64], bf16, strides = [s, 1]>[!tile.range<@m>, !tile.tile<[], i32>] mask !tile.tile<[@m], i1> loc("k.py":3:4)
      // CHECK-NEXT: tile.store "x" %l, %x[%m, %n] mask %k : !tile.tile<[@m], bf16> : !tile.ref<[n, 64], bf16, strides = [s, 1]>[!tile.range<@m>, !tile.tile<[], i32>] mask !tile.tile<[@m], i1> loc("k.py":3:4)
      tile.store "x.1" %a, %x[%m, %c] attributes {indexing = "block_ptr"} : !tile.tile<[@m, 64], bf16> : !tile.ref<[n, 64], bf16, strides = [s, 1]>[!tile.range<@m>, !tile.range<64>]
      // CHECK-NEXT: tile.store "x.1" %a, %x[%m, %c] attributes {indexing = "block_ptr"} : !tile.tile<[@m, 64], bf16> : !tile.ref<[n, 64], bf16, strides = [s, 1]>[!tile.range<@m>, !tile.range<64>]
      %o = tile.atomic "y" add relaxed (%i), %y[%m] : (!tile.tile<[@m], i32>) : !tile.ref<[64], i32, strides = [1]>[!tile.range<@m>] -> !tile.tile<[@m], i32> loc("k.py":4:4)
      // CHECK-NEXT: %o = tile.atomic "y" add relaxed (%i), %y[%m] : (!tile.tile<[@m], i32>) : !tile.ref<[64], i32, strides = [1]>[!tile.range<@m>] -> !tile.tile<[@m], i32> loc("k.py":4:4)
      tile.atomic "y.1" cas acq_rel (%i, %o), %y[%m] mask %k : (!tile.tile<[@m], i32>, !tile.tile<[@m], i32>) : !tile.ref<[64], i32, strides = [1]>[!tile.range<@m>] mask !tile.tile<[@m], i1>
      // CHECK-NEXT: tile.atomic "y.1" cas acq_rel (%i, %o), %y[%m] mask %k : (!tile.tile<[@m], i32>, !tile.tile<[@m], i32>) : !tile.ref<[64], i32, strides = [1]>[!tile.range<@m>] mask !tile.tile<[@m], i1>
    }
    // CHECK-NEXT: }
  }
  // CHECK-NEXT: }
}
// CHECK-NEXT: }
