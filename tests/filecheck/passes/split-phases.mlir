// RUN: helion-ir-opt %s -p split-phases --split-input-file | filecheck %s

// A launch a phase, each with the arguments it uses, by name too; what a later phase computes with is computed there.
// CHECK:       host.launch @k ["x", "tmp", "x.size(0)"]
// CHECK-NEXT:  host.launch @k_1 ["tmp", "out"]
// CHECK-NEXT:  host.python "return out"
// CHECK:       tile.kernel @k (%x: {{.*}}, %tmp: {{.*}}, %n: !tile.tile<[], i32>) names ["x", "tmp", "n"] {
// CHECK-NEXT:    tile.parallel "a" (%a = 0 to n : !tile.range<@a>) {
// CHECK:         } loc("k.py":3:4)
// CHECK-NEXT:  }
// CHECK-NEXT:  tile.kernel @k_1 (%tmp: {{.*}}, %out: {{.*}}) names ["tmp", "out"] {
// CHECK-NEXT:    %two = index.apply <@a * 2>()
// CHECK-NEXT:    tile.parallel "b" (%b = 0 to d0 : !tile.range<@b>) with (%two : !tile.tile<[], i32>) {
builtin.module {
  host.func @f ["x"] {
    host.launch @k ["x", "tmp", "out", "x.size(0)"]
    host.python "return out"
  }
  tile.kernel @k (%x: !tile.ref<[n], f32, strides = [1]>, %tmp: !tile.ref<[100], f32, strides = [1]>, %out: !tile.ref<[100], f32, strides = [1]>, %n: !tile.tile<[], i32>) names ["x", "tmp", "out", "n"] {
    %two = index.apply <@a * 2>() : () -> !tile.tile<[], i32>
    tile.parallel "a" (%a = 0 to n : !tile.range<@a>) {
      %v = tile.load "x" %x[%a] : !tile.ref<[n], f32, strides = [1]>[!tile.range<@a>] -> !tile.tile<[@a], f32>
      tile.store "tmp" %v, %tmp[%a] : !tile.tile<[@a], f32> : !tile.ref<[100], f32, strides = [1]>[!tile.range<@a>]
    } loc("k.py":3:4)
    tile.barrier
    tile.barrier
    tile.parallel "b" (%b = 0 to d0 : !tile.range<@b>) with (%two : !tile.tile<[], i32>) {
      %w = tile.load "tmp" %tmp[%b] : !tile.ref<[100], f32, strides = [1]>[!tile.range<@b>] -> !tile.tile<[@b], f32>
      tile.store "out" %w, %out[%b] : !tile.tile<[@b], f32> : !tile.ref<[100], f32, strides = [1]>[!tile.range<@b>]
    }
    tile.barrier
  }
}

// -----

// No barrier, no change.
// CHECK: tile.kernel @whole (%x: {{.*}}) names ["x"] {
// CHECK-NEXT: tile.parallel "a"
builtin.module {
  tile.kernel @whole (%x: !tile.ref<[8], f32, strides = [1]>) names ["x"] {
    tile.parallel "a" (%a = 0 to 8 : !tile.range<@a>) {
    }
  }
}
