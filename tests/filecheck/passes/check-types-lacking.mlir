// RUN: not helion-ir-opt %s -p check-types | filecheck %s

// CHECK: scale.py:9:8: error: a100 has no float8_e4m3fn, which x is of; use another dtype, such as bfloat16
builtin.module attributes {helion_ir.target = "a100"} {
  tile.kernel @k (%x: !tile.ref<[16], f8E4M3FN, strides = [1]>) names ["x"] {
    %n = tile.axis "n" 0 to 16 : !tile.range<16>
    %v = tile.load "x" %x[%n] : !tile.ref<[16], f8E4M3FN, strides = [1]>[!tile.range<16>] -> !tile.tile<[16], f8E4M3FN> loc("scale.py":9:8)
    tile.store "x" %v, %x[%n] : !tile.tile<[16], f8E4M3FN> : !tile.ref<[16], f8E4M3FN, strides = [1]>[!tile.range<16>]
  }
}
