// RUN: helion-ir-opt %s -p check-types --split-input-file | filecheck %s

// An A100 has no e4m3, but e5m2; an H100 has both.
// CHECK: a100
// CHECK: tile.store "x" %v, %x[%n]
builtin.module attributes {helion_ir.target = "a100"} {
  tile.kernel @k (%x: !tile.ref<[16], f8E5M2, strides = [1]>) names ["x"] {
    %n = tile.axis "n" 0 to 16 : !tile.range<16>
    %v = tile.load "x" %x[%n] : !tile.ref<[16], f8E5M2, strides = [1]>[!tile.range<16>] -> !tile.tile<[16], f8E5M2>
    tile.store "x" %v, %x[%n] : !tile.tile<[16], f8E5M2> : !tile.ref<[16], f8E5M2, strides = [1]>[!tile.range<16>]
  }
}

// -----

// CHECK: h100
// CHECK: tile.store "x" %v, %x[%n]
builtin.module attributes {helion_ir.target = "h100"} {
  tile.kernel @k (%x: !tile.ref<[16], f8E4M3FN, strides = [1]>) names ["x"] {
    %n = tile.axis "n" 0 to 16 : !tile.range<16>
    %v = tile.load "x" %x[%n] : !tile.ref<[16], f8E4M3FN, strides = [1]>[!tile.range<16>] -> !tile.tile<[16], f8E4M3FN>
    tile.store "x" %v, %x[%n] : !tile.tile<[16], f8E4M3FN> : !tile.ref<[16], f8E4M3FN, strides = [1]>[!tile.range<16>]
  }
}
