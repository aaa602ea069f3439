// RUN: helion-ir-opt %s -p make-masks --split-input-file | filecheck %s

// Ranges and tiles of indices alike: a mask along the dimension that may be partial, extent one along the other;
// one for all accesses of a block that need the same.
// CHECK-LABEL: tile.kernel @access
// CHECK-SAME:  attributes {explicit_masks}
// CHECK:         %n = tile.axis "n" 0 to 64
// CHECK-NEXT:    %mask = tile.mask(%m) partial <not 1000 mod @bm eq 0> : (!tile.range<@bm>) -> !tile.tile<[@bm, 1], i1>
// CHECK-NEXT:    %v = tile.load "x" %x[%m, %n] mask %mask :
// CHECK-NEXT:    %mask_1 = tile.mask(%m) partial <not 1000 mod @bm eq 0> : (!tile.range<@bm>) -> !tile.tile<[@bm], i1>
// CHECK-NEXT:    %g = tile.load "i" %i[%m] mask %mask_1 :
// CHECK-NEXT:    %w = tile.load "x.1" %x[%g, %n] mask %mask :
// CHECK-NEXT:    %s = tile.add %v, %w
// CHECK-NEXT:    tile.store "x" %s, %x[%m, %n] mask %mask :
// CHECK-NEXT:    tile.atomic "i" add relaxed (%g), %i[%m] mask %mask_1 :
builtin.module {
  knob.declare @bm : pow2 1 to 64 = 4 in "block_sizes" by "frontend" doc "rows"
  tile.kernel @access (%x: !tile.ref<[1000, 64], f32, strides = [64, 1]>, %i: !tile.ref<[1000], i32, strides = [1]>) names ["x", "i"] {
    triton.program_loop %pid of <1000 ceildiv @bm> kind #index.expr<"flat"> {
      %m = tile.block %pid of 0 to 1000 : !tile.range<@bm>
      %n = tile.axis "n" 0 to 64 : !tile.range<64>
      %v = tile.load "x" %x[%m, %n] : !tile.ref<[1000, 64], f32, strides = [64, 1]>[!tile.range<@bm>, !tile.range<64>] -> !tile.tile<[@bm, 64], f32>
      %g = tile.load "i" %i[%m] : !tile.ref<[1000], i32, strides = [1]>[!tile.range<@bm>] -> !tile.tile<[@bm], i32>
      %w = tile.load "x.1" %x[%g, %n] : !tile.ref<[1000, 64], f32, strides = [64, 1]>[!tile.tile<[@bm], i32>, !tile.range<64>] -> !tile.tile<[@bm, 64], f32>
      %s = tile.add %v, %w : !tile.tile<[@bm, 64], f32>
      tile.store "x" %s, %x[%m, %n] : !tile.tile<[@bm, 64], f32> : !tile.ref<[1000, 64], f32, strides = [64, 1]>[!tile.range<@bm>, !tile.range<64>]
      tile.atomic "i" add relaxed (%g), %i[%m] : (!tile.tile<[@bm], i32>) : !tile.ref<[1000], i32, strides = [1]>[!tile.range<@bm>]
    }
  }
}

// -----

// 1000 is a multiple of every block there may be: no mask.
// CHECK-LABEL: tile.kernel @even
// CHECK-SAME:  attributes {explicit_masks}
// CHECK-NOT:   tile.mask
// CHECK-NOT:   tile.fill
// CHECK:         "test.op"
builtin.module {
  knob.declare @bm : pow2 1 to 8 = 4 in "block_sizes" by "frontend" doc "rows"
  tile.kernel @even (%x: !tile.ref<[1000], f32, strides = [1]>) names ["x"] {
    triton.program_loop %pid of <1000 ceildiv @bm> kind #index.expr<"flat"> {
      %m = tile.block %pid of 0 to 1000 : !tile.range<@bm>
      %v = tile.load "x" %x[%m] : !tile.ref<[1000], f32, strides = [1]>[!tile.range<@bm>] -> !tile.tile<[@bm], f32>
      %s = tile.reduce "max" <0> %v : !tile.tile<[@bm], f32> -> !tile.tile<[], f32>
      "test.op"(%s) : (!tile.tile<[], f32>) -> ()
    }
  }
}

// -----

// An axis whose extent is no power of two. The author's mask is kept. Lanes are filled before an op mixes them: with
// nothing where a load has left the zeros that are asked for, nor before a scan that passes them last.
// CHECK-LABEL: tile.kernel @mix
// CHECK:         %mask = tile.mask(%n) partial <1> : (!tile.range<12>) -> !tile.tile<[12], i1>
// CHECK-NEXT:    %0 = tile.bitwise_and %p, %mask
// CHECK-NEXT:    %v = tile.load "x" %x[%n] mask %0 :
// CHECK-NEXT:    %sum = tile.reduce "sum" <0> %v
// CHECK-NEXT:    %v_1 = tile.fill %v where %mask with <-inf>
// CHECK-NEXT:    %max = tile.reduce "max" <0> %v_1
// CHECK-NEXT:    %e = tile.exp %v
// CHECK-NEXT:    %e_1 = tile.fill %e where %mask with <0.0>
// CHECK-NEXT:    %es = tile.reduce "sum" <0> %e_1
// CHECK-NEXT:    %f = tile.scan "sum" 0 : i64 %e reverse false
// CHECK-NEXT:    %e_2 = tile.fill %e where %mask with <1.0>
// CHECK-NEXT:    %b = tile.scan "prod" 0 : i64 %e_2 reverse true
builtin.module {
  tile.kernel @mix (%x: !tile.ref<[12], f32, strides = [1]>, %p: !tile.tile<[12], i1>) names ["x", "p"] {
    %n = tile.axis "n" 0 to 12 : !tile.range<12>
    %v = tile.load "x" %x[%n] mask %p : !tile.ref<[12], f32, strides = [1]>[!tile.range<12>] mask !tile.tile<[12], i1> -> !tile.tile<[12], f32>
    %sum = tile.reduce "sum" <0> %v : !tile.tile<[12], f32> -> !tile.tile<[], f32>
    %max = tile.reduce "max" <0> %v : !tile.tile<[12], f32> -> !tile.tile<[], f32>
    %e = tile.exp %v : !tile.tile<[12], f32>
    %es = tile.reduce "sum" <0> %e : !tile.tile<[12], f32> -> !tile.tile<[], f32>
    %f = tile.scan "sum" 0 : i64 %e reverse false : !tile.tile<[12], f32> -> !tile.tile<[12], f32>
    %b = tile.scan "prod" 0 : i64 %e reverse true : !tile.tile<[12], f32> -> !tile.tile<[12], f32>
    "test.op"(%sum, %max, %es, %f, %b) : (!tile.tile<[], f32>, !tile.tile<[], f32>, !tile.tile<[], f32>, !tile.tile<[12], f32>, !tile.tile<[12], f32>) -> ()
  }
}

// -----

// The inner dimension of a product: the operand that is not zero there by itself is filled.
// CHECK-LABEL: tile.kernel @dot
// CHECK:         %a = tile.load "x" %x[%m, %k] mask %mask :
// CHECK-NEXT:    %a1 = tile.exp %a
// CHECK-NEXT:    %mask_1 = tile.mask(%k) partial <1> : (!tile.range<@bk>) -> !tile.tile<[@bk, 1], i1>
// CHECK-NEXT:    %b = tile.load "y" %y[%k, %m] mask %mask_1 :
// CHECK-NEXT:    %a1_1 = tile.fill %a1 where %mask with <0.0>
// CHECK-NEXT:    %d = tile.dot %a1_1, %b, %acc
builtin.module {
  knob.declare @bk : pow2 16 to 32 = 16 in "block_sizes" by "frontend" doc "depth"
  tile.kernel @dot (%x: !tile.ref<[16, 40], f16, strides = [40, 1]>, %y: !tile.ref<[40, 16], f16, strides = [16, 1]>) names ["x", "y"] {
    %m = tile.axis "m" 0 to 16 : !tile.range<16>
    %z = tile.full <0.0> -> !tile.tile<[16, 16], f32>
    %r = tile.for "k" (%k = 0 to 40 : !tile.range<@bk>) iter_args (%acc = %z : !tile.tile<[16, 16], f32>) {
      %a = tile.load "x" %x[%m, %k] : !tile.ref<[16, 40], f16, strides = [40, 1]>[!tile.range<16>, !tile.range<@bk>] -> !tile.tile<[16, @bk], f16>
      %a1 = tile.exp %a : !tile.tile<[16, @bk], f16>
      %b = tile.load "y" %y[%k, %m] : !tile.ref<[40, 16], f16, strides = [16, 1]>[!tile.range<@bk>, !tile.range<16>] -> !tile.tile<[@bk, 16], f16>
      %d = tile.dot %a1, %b, %acc precision "tf32" : !tile.tile<[16, @bk], f16>, !tile.tile<[@bk, 16], f16>, !tile.tile<[16, 16], f32> -> !tile.tile<[16, 16], f32>
      tile.yield %d : !tile.tile<[16, 16], f32>
    }
    "test.op"(%r) : (!tile.tile<[16, 16], f32>) -> ()
  }
}

// -----

// Rows are folded into one dimension and summed: configurations in which some of them are inactive are ruled out.
// CHECK:       knob.require <1000 mod @bm eq 0>, "a reshaped tile is reduced along {{.*}}, which must have no inactive lanes" by "make-masks"
// CHECK-LABEL: tile.kernel @derived
// CHECK:         %e = tile.exp
// CHECK-NEXT:    %r = tile.reshape %e
// CHECK-NEXT:    %s = tile.reduce "sum" <0> %r
builtin.module {
  knob.declare @bm : pow2 1 to 64 = 4 in "block_sizes" by "frontend" doc "rows"
  tile.kernel @derived (%x: !tile.ref<[1000, 2], f32, strides = [2, 1]>) names ["x"] {
    triton.program_loop %pid of <1000 ceildiv @bm> kind #index.expr<"flat"> {
      %m = tile.block %pid of 0 to 1000 : !tile.range<@bm>
      %n = tile.axis "n" 0 to 2 : !tile.range<2>
      %v = tile.load "x" %x[%m, %n] : !tile.ref<[1000, 2], f32, strides = [2, 1]>[!tile.range<@bm>, !tile.range<2>] -> !tile.tile<[@bm, 2], f32>
      %e = tile.exp %v : !tile.tile<[@bm, 2], f32>
      %r = tile.reshape %e : !tile.tile<[@bm, 2], f32> -> !tile.tile<[@bm * 2], f32>
      %s = tile.reduce "sum" <0> %r : !tile.tile<[@bm * 2], f32> -> !tile.tile<[], f32>
      "test.op"(%s) : (!tile.tile<[], f32>) -> ()
    }
  }
}
