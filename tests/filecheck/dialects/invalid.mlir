// RUN: helion-ir-opt %s --split-input-file --verify-diagnostics --parsing-diagnostics | filecheck %s
// What the verifiers and the parser refuse: each with its place and its reason.

%n = "test.op"() : () -> !tile.tile<[], i32>
// CHECK: invalid.mlir:[[# @LINE + 1]]:1: error: index.apply: d1 has no operand: 1 given
%r = index.apply <d0 + d1>(%n) : (!tile.tile<[], i32>) -> !tile.tile<[], i32>

// -----

// CHECK: invalid.mlir:[[# @LINE + 1]]:32: error: '>' expected
"test.op"() {a = #index.expr<n plus 2>} : () -> ()

// -----

// CHECK: invalid.mlir:[[# @LINE + 1]]:34: error: identifier expected in an index expression
"test.op"() {a = #index.expr<n + >} : () -> ()

// -----

// CHECK: invalid.mlir:[[# @LINE + 1]]:1: error: Min takes exactly 2 arguments (1 given)
"test.op"() {a = #index.expr<min(n)>} : () -> ()

// -----

// CHECK: invalid.mlir:[[# @LINE + 1]]:1: error: knob.declare: @a: default 48 is not in pow2 16 to 256
knob.declare @a : pow2 16 to 256 = 48 by "x" doc "y"

// -----

// CHECK: invalid.mlir:[[# @LINE + 1]]:1: error: pow2 12 to 256: the bounds must be powers of two
knob.declare @a : pow2 12 to 256 = 16 by "x" doc "y"

// -----

// CHECK: invalid.mlir:[[# @LINE + 1]]:1: error: int 4 to 1: the domain is empty
knob.declare @a : int 4 to 1 = 2 by "x" doc "y"

// -----

// CHECK: invalid.mlir:[[# @LINE + 1]]:1: error: knob.declare: @a: default 1 is not in bool
knob.declare @a : bool = 1 by "x" doc "y"

// -----

// CHECK: invalid.mlir:[[# @LINE + 1]]:25: error: unknown kind of domain: range
knob.declare @a : range 1 to 4 = 1 by "x" doc "y"

// -----

// CHECK: invalid.mlir:[[# @LINE + 1]]:1: error: knob.declare: @a: default [0, 0] is not in permutation 2
knob.declare @a : permutation 2 = [0, 0] by "x" doc "y"

// -----

// CHECK: invalid.mlir:[[# @LINE + 1]]:1: error: knob.declare: @a: default "z" is not in one_of "x", "y"
knob.declare @a : one_of "x", "y" = "z" by "x" doc "y"

// -----

%x = "test.op"() : () -> !tile.tile<[], i32>
// CHECK: invalid.mlir:[[# @LINE + 1]]:1: error: knob.choose: each alternative must yield (!tile.tile<[], i32>)
%r = knob.choose <@a> -> (!tile.tile<[], i32>) case 0 {
  knob.yield %x : !tile.tile<[], i32>
} case 1 {
  knob.yield
}

// -----

%x = "test.op"() : () -> !tile.tile<[], i32>
// CHECK: invalid.mlir:[[# @LINE + 1]]:1: error: triton.switch: each alternative must yield (!tile.tile<[], i32>)
%r = triton.switch <a> -> (!tile.tile<[], i32>) case 0 {
  triton.yield %x : !tile.tile<[], i32>
} case 1 {
  knob.yield %x : !tile.tile<[], i32>
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 1]]:1: error: tile.kernel: one name an argument
tile.kernel @k (%x: !tile.tile<[], i32>) names [] {
}

// -----

%x = "test.op"() : () -> !tile.tile<[], i32>
// CHECK: invalid.mlir:[[# @LINE + 1]]:1: error: tile.for: the body must yield (!tile.tile<[], i32>)
%r = tile.for "k" (%k = 0 to 8 : !tile.range<4>) iter_args (%a = %x : !tile.tile<[], i32>) {
  tile.yield
}

// -----

%x = "test.op"() : () -> !tile.tile<[], i32>
tile.for "k" (%k = 0 to 8 : !tile.range<4>) {
// CHECK: invalid.mlir:[[# @LINE + 1]]:3: error: tile.begin: Operation tile.begin terminates block in single-block region but is not a terminator
  %b = tile.begin %k : !tile.range<4> -> !tile.tile<[], i32>
}

// -----

%x = "test.op"() : () -> !tile.tile<[4], i32>
// CHECK: invalid.mlir:[[# @LINE + 1]]:1: error: !tile.tile<[4], i32> should be of base attribute tile.range
%i = tile.index %x : !tile.tile<[4], i32> -> !tile.tile<[4], i32>

// -----

// CHECK: invalid.mlir:[[# @LINE + 1]]:1: error: tile.for: property 'note' is not defined by the operation 'tile.for'. Use the dictionary attribute to add arbitrary information to the operation.
tile.for "k" (%k = 0 to 8 : !tile.range<4>) attributes {note = "x"} {
  tile.yield
}

// -----

// CHECK: invalid.mlir:[[# @LINE + 1]]:1: error: tile.parallel: one lower and one upper bound a dimension
"tile.parallel"() <{label = "t", lower = [#index.expr<0>], upper = []}> ({
^bb0(%m: !tile.range<4>):
}) : () -> ()

// -----

%x = "test.op"() : () -> !tile.ref<[8, 8], f32, strides = [8, 1]>
%r = tile.axis "r" 0 to 8 : !tile.range<8>
// CHECK: invalid.mlir:[[# @LINE + 1]]:1: error: tile.load: 1 subscripts for a tensor of rank 2
%v = tile.load "x" %x[%r] : !tile.ref<[8, 8], f32, strides = [8, 1]>[!tile.range<8>] -> !tile.tile<[8], f32>

// -----

%x = "test.op"() : () -> !tile.ref<[8], f32, strides = [1]>
%r = tile.axis "r" 0 to 8 : !tile.range<8>
// CHECK: invalid.mlir:[[# @LINE + 1]]:1: error: tile.load: the subscripts select [8], the result is !tile.tile<[4], f32>
%v = tile.load "x" %x[%r] : !tile.ref<[8], f32, strides = [1]>[!tile.range<8>] -> !tile.tile<[4], f32>

// -----

%x = "test.op"() : () -> !tile.ref<[8], f32, strides = [1]>
// CHECK: invalid.mlir:[[# @LINE + 1]]:1: error: tile.load: !tile.ref<[8], f32, strides = [1]> is no subscript
%v = tile.load "x" %x[%x] : !tile.ref<[8], f32, strides = [1]>[!tile.ref<[8], f32, strides = [1]>] -> !tile.tile<[8], f32>

// -----

%x = "test.op"() : () -> !tile.ref<[8], f32, strides = [1]>
%v = "test.op"() : () -> !tile.tile<[8], bf16>
%r = tile.axis "r" 0 to 8 : !tile.range<8>
// CHECK: invalid.mlir:[[# @LINE + 1]]:1: error: tile.store: cannot store !tile.tile<[8], bf16> as [8] of !tile.ref<[8], f32, strides = [1]>
tile.store "x" %v, %x[%r] : !tile.tile<[8], bf16> : !tile.ref<[8], f32, strides = [1]>[!tile.range<8>]

// -----

%x = "test.op"() : () -> !tile.ref<[8], i32, strides = [1]>
%v = "test.op"() : () -> !tile.tile<[8], i32>
%r = tile.axis "r" 0 to 8 : !tile.range<8>
// CHECK: invalid.mlir:[[# @LINE + 1]]:1: error: tile.atomic: no such atomic: plus
tile.atomic "x" plus relaxed (%v), %x[%r] : (!tile.tile<[8], i32>) : !tile.ref<[8], i32, strides = [1]>[!tile.range<8>]

// -----

// CHECK: invalid.mlir:[[# @LINE + 1]]:1: error: 2 extents but 1 strides
"test.op"() : () -> !tile.ref<[8, 4], f32, strides = [1]>

// -----

%x = "test.op"() : () -> !tile.tile<[8, 4], f32>
// CHECK: invalid.mlir:[[# @LINE + 1]]:1: error: tile.reduce: [8] remain, the result is !tile.tile<[4], f32>
%r = tile.reduce "sum" <1> %x : !tile.tile<[8, 4], f32> -> !tile.tile<[4], f32>

// -----

%x = "test.op"() : () -> !tile.tile<[8, 4], f32>
// CHECK: invalid.mlir:[[# @LINE + 1]]:1: error: tile.reduce: no such reduction: mean
%r = tile.reduce "mean" <1> %x : !tile.tile<[8, 4], f32> -> !tile.tile<[8], f32>

// -----

%x = "test.op"() : () -> !tile.tile<[8, 4], f32>
// CHECK: invalid.mlir:[[# @LINE + 1]]:1: error: tile.dot: cannot multiply !tile.tile<[8, 4], f32> by !tile.tile<[8, 4], f32> into !tile.tile<[8, 4], f32>
%r = tile.dot %x, %x, %x precision "tf32" : !tile.tile<[8, 4], f32>, !tile.tile<[8, 4], f32>, !tile.tile<[8, 4], f32> -> !tile.tile<[8, 4], f32>

// -----

%x = "test.op"() : () -> !tile.tile<[8], f32>
// CHECK: invalid.mlir:[[# @LINE + 1]]:1: error: tile.compare: no such comparison: about
%r = tile.compare "about" %x, %x : !tile.tile<[8], f32> -> !tile.tile<[8], i1>

// -----

%x = "test.op"() : () -> !tile.tile<[8], f32>
%y = "test.op"() : () -> !tile.tile<[4], f32>
// CHECK: invalid.mlir:[[# @LINE + 1]]:19: error: operand is used with type !tile.tile<[8], f32>, but has been previously used or defined with type !tile.tile<[4], f32>
%r = tile.add %x, %y : !tile.tile<[8], f32>

// -----

%x = "test.op"() : () -> i32
// CHECK: invalid.mlir:[[# @LINE + 1]]:1: error: tile.exp: operand 'operand' at position 0 does not verify:
%r = "tile.exp"(%x) : (i32) -> i32

// -----

// CHECK: invalid.mlir:[[# @LINE + 1]]:17: error: integer or float literal expected
%r = tile.full <zero> -> !tile.tile<[8], f32>

// -----

// CHECK: invalid.mlir:[[# @LINE + 1]]:1: error: triton.kernel: one name an argument
triton.kernel @k (%x: !tile.tile<[], i32>) names [] constexprs {} launch {} {
}

// -----

%x = "test.op"() : () -> !tile.tile<[], i32>
// CHECK: invalid.mlir:[[# @LINE + 1]]:1: error: triton.for: the body must yield (!tile.tile<[], i32>)
%r = triton.for %k = <0> to <8> step <1> iter_args (%a = %x : !tile.tile<[], i32>) options {} {
  triton.yield
}

// -----

triton.nothing
