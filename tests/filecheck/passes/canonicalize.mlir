// RUN: helion-ir-opt %s -p canonicalize --split-input-file --no-locations | filecheck %s

// ---- views and conversions ----
// CHECK-LABEL: tile.kernel @views
// CHECK-NEXT:    %w = tile.axis
// CHECK-NEXT:    %h = tile.axis
// CHECK-NEXT:    %x16 = tile.load "x"
// CHECK-NEXT:    tile.store "x" %x16, %x[%w, %h]
// CHECK-NEXT:    %one = tile.full <1.0> -> !tile.tile<[8, 4], f32>
// CHECK-NEXT:    %wide = tile.cast %x16 : !tile.tile<[8, 4], bf16> -> !tile.tile<[8, 4], f64>
// CHECK-NEXT:    %rot = tile.permute <1, 2, 0> %cube : !tile.tile<[2, 4, 4], bf16> -> !tile.tile<[4, 4, 2], bf16>
// CHECK-NEXT:    "test.op"(%one, %wide, %rot)
builtin.module {
  tile.kernel @views (%x: !tile.ref<[8, 4], bf16, strides = [4, 1]>, %cube: !tile.tile<[2, 4, 4], bf16>) names ["x", "cube"] {
    %w = tile.axis "w" 0 to 8 : !tile.range<8>
    %h = tile.axis "h" 0 to 4 : !tile.range<4>
    %x16 = tile.load "x" %x[%w, %h] : !tile.ref<[8, 4], bf16, strides = [4, 1]>[!tile.range<8>, !tile.range<4>] -> !tile.tile<[8, 4], bf16>
    // There and back through the wider type, permuted twice, reshaped twice, cut to its whole.
    %f = tile.cast %x16 : !tile.tile<[8, 4], bf16> -> !tile.tile<[8, 4], f32>
    %g = tile.cast %f : !tile.tile<[8, 4], f32> -> !tile.tile<[8, 4], bf16>
    %p = tile.permute <1, 0> %g : !tile.tile<[8, 4], bf16> -> !tile.tile<[4, 8], bf16>
    %q = tile.permute <1, 0> %p : !tile.tile<[4, 8], bf16> -> !tile.tile<[8, 4], bf16>
    %r = tile.reshape %q : !tile.tile<[8, 4], bf16> -> !tile.tile<[32], bf16>
    %s = tile.reshape %r : !tile.tile<[32], bf16> -> !tile.tile<[8, 4], bf16>
    %t = tile.slice %s dim 0 : i64 from <0> step <1> : !tile.tile<[8, 4], bf16> -> !tile.tile<[8, 4], bf16>
    %u = tile.broadcast %t : !tile.tile<[8, 4], bf16> -> !tile.tile<[8, 4], bf16>
    tile.store "x" %u, %x[%w, %h] : !tile.tile<[8, 4], bf16> : !tile.ref<[8, 4], bf16, strides = [4, 1]>[!tile.range<8>, !tile.range<4>]
    // A constant, seen from every side.
    %c0 = tile.full <1> -> !tile.tile<[], i64>
    %c1 = tile.cast %c0 : !tile.tile<[], i64> -> !tile.tile<[], f32>
    %c2 = tile.broadcast %c1 : !tile.tile<[], f32> -> !tile.tile<[4, 8], f32>
    %one = tile.permute <1, 0> %c2 : !tile.tile<[4, 8], f32> -> !tile.tile<[8, 4], f32>
    %f32 = tile.cast %x16 : !tile.tile<[8, 4], bf16> -> !tile.tile<[8, 4], f32>
    %wide = tile.cast %f32 : !tile.tile<[8, 4], f32> -> !tile.tile<[8, 4], f64>
    %rot1 = tile.permute <2, 0, 1> %cube : !tile.tile<[2, 4, 4], bf16> -> !tile.tile<[4, 2, 4], bf16>
    %rot = tile.permute <2, 0, 1> %rot1 : !tile.tile<[4, 2, 4], bf16> -> !tile.tile<[4, 4, 2], bf16>
    "test.op"(%one, %wide, %rot) : (!tile.tile<[8, 4], f32>, !tile.tile<[8, 4], f64>, !tile.tile<[4, 4, 2], bf16>) -> ()
  }
}

// -----

// ---- what must stay: a cast that rounds, a sum with 0.0, a product with a type's own wrap ----
// CHECK-LABEL: tile.kernel @exact
// CHECK:         %a = tile.cast %x : !tile.tile<[8], f32> -> !tile.tile<[8], bf16>
// CHECK-NEXT:    %b = tile.cast %a : !tile.tile<[8], bf16> -> !tile.tile<[8], f32>
// CHECK-NEXT:    %zero = tile.full <0.0>
// CHECK-NEXT:    %c = tile.add %b, %zero
// CHECK-NEXT:    %one = tile.full <1.0>
// CHECK-NEXT:    %d = tile.mul %c, %one
// CHECK-NEXT:    %e = tile.cast %i : !tile.tile<[8], i32> -> !tile.tile<[8], f32>
// CHECK-NEXT:    %f = tile.cast %e : !tile.tile<[8], f32> -> !tile.tile<[8], i32>
// CHECK-NEXT:    %far = tile.full <1.0e+30> -> !tile.tile<[8], f32>
// CHECK-NEXT:    %g = tile.cast %far
// CHECK-NEXT:    "test.op"(%d, %f, %g)
builtin.module {
  tile.kernel @exact (%x: !tile.tile<[8], f32>, %i: !tile.tile<[8], i32>) names ["x", "i"] {
    %a = tile.cast %x : !tile.tile<[8], f32> -> !tile.tile<[8], bf16>
    %b = tile.cast %a : !tile.tile<[8], bf16> -> !tile.tile<[8], f32>
    %zero = tile.full <0.0> -> !tile.tile<[8], f32>
    %c = tile.add %b, %zero : !tile.tile<[8], f32>
    %one = tile.full <1.0> -> !tile.tile<[8], f32>
    %d = tile.mul %c, %one : !tile.tile<[8], f32>
    %e = tile.cast %i : !tile.tile<[8], i32> -> !tile.tile<[8], f32>
    %f = tile.cast %e : !tile.tile<[8], f32> -> !tile.tile<[8], i32>
    %far = tile.full <1.0e+30> -> !tile.tile<[8], f32>
    %g = tile.cast %far : !tile.tile<[8], f32> -> !tile.tile<[8], i32>
    "test.op"(%d, %f, %g) : (!tile.tile<[8], f32>, !tile.tile<[8], i32>, !tile.tile<[8], i32>) -> ()
  }
}

// -----

// ---- integers, comparisons, selections ----
// CHECK-LABEL: tile.kernel @integers
// CHECK-NEXT:    %zero = tile.full <0> -> !tile.tile<[8], i32>
// CHECK-NEXT:    %wrapped = tile.full <-128> -> !tile.tile<[8], i8>
// CHECK-NEXT:    %or = tile.full <1> -> !tile.tile<[8], i1>
// CHECK-NEXT:    %lt = tile.full <0> -> !tile.tile<[8], i1>

// CHECK-NEXT:    "test.op"(%x, %wrapped, %or, %lt, %zero, %y)
builtin.module {
  tile.kernel @integers (%x: !tile.tile<[8], i32>, %y: !tile.tile<[8], f32>, %b: !tile.tile<[8], i1>) names ["x", "y", "b"] {
    %zero = tile.full <0> -> !tile.tile<[8], i32>
    %one = tile.full <1> -> !tile.tile<[8], i32>
    %a = tile.add %zero, %x : !tile.tile<[8], i32>
    %c = tile.mul %a, %one : !tile.tile<[8], i32>
    %d = tile.sub %c, %zero : !tile.tile<[8], i32>
    %e = tile.div %d, %one : !tile.tile<[8], i32>
    %top = tile.full <127> -> !tile.tile<[8], i8>
    %up = tile.full <1> -> !tile.tile<[8], i8>
    %wrapped = tile.add %top, %up : !tile.tile<[8], i8>
    %true = tile.full <1> -> !tile.tile<[8], i1>
    %or = tile.add %true, %true : !tile.tile<[8], i1>
    %nan = tile.full <nan> -> !tile.tile<[8], f32>
    %lt = tile.compare "le" %nan, %nan : !tile.tile<[8], f32> -> !tile.tile<[8], i1>
    %none = tile.mul %x, %zero : !tile.tile<[8], i32>
    %n = tile.neg %y : !tile.tile<[8], f32>
    %m = tile.neg %n : !tile.tile<[8], f32>
    %sel = tile.where %b, %m, %m : !tile.tile<[8], i1>, !tile.tile<[8], f32>
    %sel2 = tile.where %or, %sel, %nan : !tile.tile<[8], i1>, !tile.tile<[8], f32>
    "test.op"(%e, %wrapped, %or, %lt, %none, %sel2) : (!tile.tile<[8], i32>, !tile.tile<[8], i8>, !tile.tile<[8], i1>, !tile.tile<[8], i1>, !tile.tile<[8], i32>, !tile.tile<[8], f32>) -> ()
  }
}

// -----

// ---- index expressions: constants into users and bounds; one type only where the constant has a name in it ----
// CHECK-LABEL: tile.kernel @indices
// CHECK-NEXT:    %i = index.apply <@bm + d0 * 2 + 32>(%n) : (!tile.tile<[], i32>)
// CHECK-NEXT:    %other = index.apply <@bm>() : () -> !tile.tile<[], i64>
// CHECK-NEXT:    %j = index.apply <d0 + 4>(%other) : (!tile.tile<[], i64>) -> !tile.tile<[], i32>
// CHECK-NEXT:    tile.for "k" (%k = 4 to d0 : !tile.range<16>) with (%n : !tile.tile<[], i32>) {
// CHECK-NEXT:      "test.op"(%k)
// CHECK-NEXT:      tile.yield
// CHECK-NEXT:    }
// CHECK-NEXT:    %block = tile.block %n of 0 to @bm * 8 : !tile.range<@bm>
// CHECK-NEXT:    "test.op"(%i, %j, %block)
builtin.module {
  tile.kernel @indices (%n: !tile.tile<[], i32>) names ["n"] {
    %four = index.apply <4>() : () -> !tile.tile<[], i32>
    %bm = index.apply <@bm>() : () -> !tile.tile<[], i32>
    %eight = tile.full <8> -> !tile.tile<[], i64>
    %i = index.apply <d0 * 8 + d1 + d2 + d3>(%four, %n, %n, %bm) : (!tile.tile<[], i32>, !tile.tile<[], i32>, !tile.tile<[], i32>, !tile.tile<[], i32>) -> !tile.tile<[], i32>
    %other = index.apply <@bm>() : () -> !tile.tile<[], i64>
    %j = index.apply <d0 + d1>(%other, %four) : (!tile.tile<[], i64>, !tile.tile<[], i32>) -> !tile.tile<[], i32>
    tile.for "k" (%k = d0 to d1 : !tile.range<16>) with (%four, %n : !tile.tile<[], i32>, !tile.tile<[], i32>) {
      "test.op"(%k) : (!tile.range<16>) -> ()
      tile.yield
    }
    %block = tile.block %n of 0 to d0 * @bm with (%eight : !tile.tile<[], i64>) : !tile.range<@bm>
    "test.op"(%i, %j, %block) : (!tile.tile<[], i32>, !tile.tile<[], i32>, !tile.range<@bm>) -> ()
  }
}

// -----

// ---- loops: what is carried for nothing goes, singly and in a ring; what is used stays ----
// CHECK-LABEL: tile.kernel @loops
// CHECK-NEXT:    %used = tile.for "k" (%k = 0 to 64 : !tile.range<16>) iter_args (%c = %x : !tile.tile<[8], f32>) {
// CHECK-NEXT:      %c2 = tile.add %c, %y
// CHECK-NEXT:      tile.yield %c2
// CHECK-NEXT:    }
// CHECK-NEXT:    "test.op"(%y, %used, %x)
builtin.module {
  tile.kernel @loops (%x: !tile.tile<[8], f32>, %y: !tile.tile<[8], f32>) names ["x", "y"] {
    %same, %used, %ring1, %ring2, %dead = tile.for "k" (%k = 0 to 64 : !tile.range<16>) iter_args (%a = %y : !tile.tile<[8], f32>, %c = %x : !tile.tile<[8], f32>, %d = %x : !tile.tile<[8], f32>, %e = %y : !tile.tile<[8], f32>, %f = %x : !tile.tile<[8], f32>) {
      %c2 = tile.add %c, %a : !tile.tile<[8], f32>
      %d2 = tile.exp %e : !tile.tile<[8], f32>
      %e2 = tile.mul %d, %c : !tile.tile<[8], f32>
      %f2 = tile.mul %f, %c2 : !tile.tile<[8], f32>
      tile.yield %a, %c2, %d2, %e2, %f2 : !tile.tile<[8], f32>, !tile.tile<[8], f32>, !tile.tile<[8], f32>, !tile.tile<[8], f32>, !tile.tile<[8], f32>
    }
    %never = tile.for "j" (%j = 8 to 8 : !tile.tile<[], i32>) step 4 iter_args (%b = %x : !tile.tile<[8], f32>) {
      %b2 = tile.exp %b : !tile.tile<[8], f32>
      tile.yield %b2 : !tile.tile<[8], f32>
    }
    "test.op"(%same, %used, %never) : (!tile.tile<[8], f32>, !tile.tile<[8], f32>, !tile.tile<[8], f32>) -> ()
  }
}

// -----

// ---- branches ----
// CHECK-LABEL: tile.kernel @branches
// CHECK-NEXT:    %taken = tile.exp %x
// CHECK-NEXT:    %r = tile.if %c : !tile.tile<[], i1> -> (!tile.tile<[8], f32>) {
// CHECK-NEXT:      tile.yield %x : !tile.tile<[8], f32>
// CHECK-NEXT:    } else {
// CHECK-NEXT:      tile.yield %taken : !tile.tile<[8], f32>
// CHECK-NEXT:    }
// CHECK-NEXT:    %second = tile.sqrt %x
// CHECK-NEXT:    "test.op"(%taken, %r, %x, %second)
builtin.module {
  tile.kernel @branches (%x: !tile.tile<[8], f32>, %c: !tile.tile<[], i1>) names ["x", "c"] {
    %no = index.apply <3 lt 2>() : () -> !tile.tile<[], i1>
    %a = tile.if %no : !tile.tile<[], i1> -> (!tile.tile<[8], f32>) {
      %not = tile.cos %x : !tile.tile<[8], f32>
      tile.yield %not : !tile.tile<[8], f32>
    } else {
      %taken = tile.exp %x : !tile.tile<[8], f32>
      tile.yield %taken : !tile.tile<[8], f32>
    }
    %both, %r, %unused = tile.if %c : !tile.tile<[], i1> -> (!tile.tile<[8], f32>, !tile.tile<[8], f32>, !tile.tile<[8], f32>) {
      %d = tile.sin %x : !tile.tile<[8], f32>
      tile.yield %x, %x, %d : !tile.tile<[8], f32>, !tile.tile<[8], f32>, !tile.tile<[8], f32>
    } else {
      tile.yield %x, %a, %x : !tile.tile<[8], f32>, !tile.tile<[8], f32>, !tile.tile<[8], f32>
    }
    %chosen = knob.choose <"two"> -> (!tile.tile<[8], f32>) case "one" {
      knob.yield %x : !tile.tile<[8], f32>
    } case "two" {
      %second = tile.sqrt %x : !tile.tile<[8], f32>
      knob.yield %second : !tile.tile<[8], f32>
    }
    "test.op"(%a, %r, %both, %chosen) : (!tile.tile<[8], f32>, !tile.tile<[8], f32>, !tile.tile<[8], f32>, !tile.tile<[8], f32>) -> ()
  }
}

// -----

// ---- extrema of scaled values ----
// A positive factor keeps order, after rounding too; a negative one does not, and an infinite one makes NaN of 0.
// CHECK-LABEL: tile.kernel @scaled
// CHECK-NEXT:    %two = tile.full <2.0>
// CHECK-NEXT:    %minus = tile.full <-2.0>
// CHECK-NEXT:    %s = tile.mul %x, %two
// CHECK-NEXT:    %m = tile.reduce "max" <1> %x
// CHECK-NEXT:    %[[F:.*]] = tile.full <2.0> -> !tile.tile<[8], f32>
// CHECK-NEXT:    %[[M:.*]] = tile.mul %m, %[[F]]
// CHECK-NEXT:    %n = tile.mul %x, %minus
// CHECK-NEXT:    %o = tile.reduce "max" <1> %n
// CHECK-NEXT:    %p = tile.reduce "sum" <1> %s
builtin.module {
  tile.kernel @scaled (%x: !tile.tile<[8, 4], f32>) names ["x"] {
    %two = tile.full <2.0> -> !tile.tile<[8, 4], f32>
    %minus = tile.full <-2.0> -> !tile.tile<[8, 4], f32>
    %s = tile.mul %x, %two : !tile.tile<[8, 4], f32>
    %m = tile.reduce "max" <1> %s : !tile.tile<[8, 4], f32> -> !tile.tile<[8], f32>
    %n = tile.mul %x, %minus : !tile.tile<[8, 4], f32>
    %o = tile.reduce "max" <1> %n : !tile.tile<[8, 4], f32> -> !tile.tile<[8], f32>
    %p = tile.reduce "sum" <1> %s : !tile.tile<[8, 4], f32> -> !tile.tile<[8], f32>
    "test.op"(%m, %o, %p) : (!tile.tile<[8], f32>, !tile.tile<[8], f32>, !tile.tile<[8], f32>) -> ()
  }
}
