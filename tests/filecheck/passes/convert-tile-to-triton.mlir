// RUN: helion-ir-opt %s -p convert-tile-to-triton --split-input-file | filecheck %s

// A range is its first index and lanes, its mask; an access an offset, an address and the mask, which only some blocks need.
// CHECK-LABEL: triton.kernel @copy (%x: !tile.tile<[], !triton.ptr<f32>>, %n: !tile.tile<[], i32>) names ["x", "n"] constexprs {} launch {num_warps = #index.expr<@num_warps>} {
// CHECK-NEXT:  triton.program_loop %pid of <1000 ceildiv @bm> kind #index.expr<"flat"> {
// CHECK-NEXT:    %m.begin = index.apply <@bm * d0>(%pid)
// CHECK-NEXT:    %m.lane = triton.arange <@bm> : !tile.tile<[@bm], i32>
// CHECK-NEXT:    %m.index = index.apply <d0 + d1>(%m.begin, %m.lane)
// CHECK-NEXT:    %m.mask = index.apply <d0 lt 1000>(%m.index)
// CHECK-NEXT:    %0 = index.apply <d0 * 2>(%m.index) {{.*}} loc("convert-tile-to-triton"("k.py":4:8))
// CHECK-NEXT:    %1 = triton.addptr %x, %0
// CHECK-NEXT:    %v = knob.choose <1000 mod @bm ne 0> -> (!tile.tile<[@bm], f32>) case 1 {
// CHECK-NEXT:      %v_1 = triton.load %1 mask %m.mask
// CHECK-NEXT:      knob.yield %v_1
// CHECK-NEXT:    } case 0 {
// CHECK-NEXT:      %v_2 = triton.load %1 :
// CHECK-NEXT:      knob.yield %v_2
// CHECK-NEXT:    }
// CHECK-NEXT:    %e = triton.call "tl.exp"(%v) {}
// CHECK:         knob.choose <1000 mod @bm ne 0> case 1 {
// CHECK:           triton.store %{{.*}}, %e mask %m.mask
// CHECK:         } case 0 {
// CHECK:           triton.store %{{.*}}, %e :
builtin.module {
  knob.declare @bm : pow2 1 to 64 = 4 in "block_sizes" by "frontend" doc "rows"
  knob.declare @num_warps : pow2 1 to 32 = 4 by "convert-tile-to-triton" doc "warps"
  tile.kernel @copy (%x: !tile.ref<[1000], f32, strides = [2]>, %n: !tile.tile<[], i32>) names ["x", "n"] attributes {explicit_masks} {
    triton.program_loop %pid of <1000 ceildiv @bm> kind #index.expr<"flat"> {
      %m = tile.block %pid of 0 to 1000 : !tile.range<@bm>
      %mask = tile.mask(%m) partial <1000 mod @bm ne 0> : (!tile.range<@bm>) -> !tile.tile<[@bm], i1>
      %v = tile.load "x" %x[%m] mask %mask attributes {indexing = #knob.value<"pointer">} : !tile.ref<[1000], f32, strides = [2]>[!tile.range<@bm>] mask !tile.tile<[@bm], i1> -> !tile.tile<[@bm], f32> loc("k.py":4:8)
      %e = tile.exp %v : !tile.tile<[@bm], f32>
      tile.store "x" %e, %x[%m] mask %mask attributes {indexing = #knob.value<"pointer">} : !tile.tile<[@bm], f32> : !tile.ref<[1000], f32, strides = [2]>[!tile.range<@bm>] mask !tile.tile<[@bm], i1>
    }
  }
}

// -----

// Ways to address are alternatives; a loop steps by its block; sums of 16 bits are made in 32.
// CHECK-LABEL: triton.kernel @sums
// CHECK:         %r = triton.for %k.begin = <0> to <64> step <16> iter_args (%acc = %z : !tile.tile<[64], f16>) options {num_stages = #index.expr<@loop.k.num_stages>} {
// CHECK:           %v = knob.choose <@load.x.indexing> -> (!tile.tile<[64, 16], f16>) case "pointer" {
// CHECK:             triton.load %{{.*}} eviction #index.expr<@load.x.eviction> :
// CHECK:           } case "block_ptr" {
// CHECK-NEXT:        %x.block = triton.make_block_ptr %x[%0, %k.begin] shape [#index.expr<64>, #index.expr<64>] strides [#index.expr<64>, #index.expr<1>] block [#index.expr<64>, #index.expr<16>] order <1, 0>
// CHECK-NEXT:        %v_2 = triton.block_load %x.block boundary <> eviction #index.expr<@load.x.eviction> :
// CHECK:           }
// CHECK-NEXT:      [[WIDE:%[0-9]+]] = triton.cast %v : !tile.tile<[64, 16], f16> -> !tile.tile<[64, 16], f32>
// CHECK-NEXT:      [[SUM:%[0-9]+]] = triton.reduce "tl.sum" 1 : i64 [[WIDE]]
// CHECK-NEXT:      %s = triton.cast [[SUM]] : !tile.tile<[64], f32> -> !tile.tile<[64], f16>
// CHECK:           %a = triton.cast %{{[0-9]+}} : !tile.tile<[64], f32> -> !tile.tile<[64], f16>
// CHECK-NEXT:      triton.yield %a
// CHECK-NOT:   tile.kernel
builtin.module {
  knob.declare @load.x.indexing : one_of "pointer", "block_ptr" = "pointer" in "indexing" by "choose-indexing" doc "x"
  knob.declare @load.x.eviction : one_of "", "evict_first" = "" in "load_eviction_policies" by "choose-indexing" doc "x"
  knob.declare @loop.k.num_stages : one_of none, 2 = none in "range_num_stages" by "convert-tile-to-triton" doc "stages"
  tile.kernel @sums (%x: !tile.ref<[64, 64], f16, strides = [64, 1]>, %out: !tile.ref<[64], f16, strides = [1]>) names ["x", "out"] attributes {explicit_masks} {
    %m = tile.axis "m" 0 to 64 : !tile.range<64>
    %z = tile.full <0.0> -> !tile.tile<[64], f16>
    %r = tile.for "k" (%k = 0 to 64 : !tile.range<16>) iter_args (%acc = %z : !tile.tile<[64], f16>) {
      %v = tile.load "x" %x[%m, %k] attributes {indexing = #index.expr<@load.x.indexing>, eviction = #index.expr<@load.x.eviction>} : !tile.ref<[64, 64], f16, strides = [64, 1]>[!tile.range<64>, !tile.range<16>] -> !tile.tile<[64, 16], f16>
      %s = tile.reduce "sum" <1> %v : !tile.tile<[64, 16], f16> -> !tile.tile<[64], f16>
      %a = tile.add %acc, %s : !tile.tile<[64], f16>
      tile.yield %a : !tile.tile<[64], f16>
    }
    tile.store "out" %r, %out[%m] attributes {indexing = #knob.value<"pointer">} : !tile.tile<[64], f16> : !tile.ref<[64], f16, strides = [1]>[!tile.range<64>]
  }
}

// -----

// A block pointer begins where scalar subscripts say, and has the tile's rank; a descriptor keeps the tensor's.
// CHECK-LABEL: triton.kernel @selected
// CHECK:         [[AT:%[0-9]+]] = index.apply <d0 * 64000>(%i)
// CHECK-NEXT:    [[BASE:%[0-9]+]] = triton.addptr %x, [[AT]]
// CHECK-NEXT:    %x.block = triton.make_block_ptr [[BASE]][%{{[0-9]+}}, %{{[0-9]+}}] shape [#index.expr<1000>, #index.expr<64>] strides [#index.expr<64>, #index.expr<1>] block [#index.expr<1024>, #index.expr<64>] order <1, 0>
// CHECK-NEXT:    %v = triton.block_load %x.block boundary <0>
// CHECK:         triton.make_descriptor %x shape [#index.expr<8>, #index.expr<1000>, #index.expr<64>]
builtin.module {
  tile.kernel @selected (%x: !tile.ref<[8, 1000, 64], f16, strides = [64000, 64, 1]>, %i: !tile.tile<[], i32>) names ["x", "i"] attributes {explicit_masks} {
    %m = tile.axis "m" 0 to 1000 : !tile.range<1000>
    %d = tile.axis "d" 0 to 64 : !tile.range<64>
    %mask = tile.mask(%m) partial <1> : (!tile.range<1000>) -> !tile.tile<[1000, 1], i1>
    %v = tile.load "x" %x[%i, %m, %d] mask %mask attributes {indexing = #knob.value<"block_ptr">} : !tile.ref<[8, 1000, 64], f16, strides = [64000, 64, 1]>[!tile.tile<[], i32>, !tile.range<1000>, !tile.range<64>] mask !tile.tile<[1000, 1], i1> -> !tile.tile<[1000, 64], f16>
    tile.store "x" %v, %x[%i, %m, %d] mask %mask attributes {indexing = #knob.value<"tensor_descriptor">} : !tile.tile<[1000, 64], f16> : !tile.ref<[8, 1000, 64], f16, strides = [64000, 64, 1]>[!tile.tile<[], i32>, !tile.range<1000>, !tile.range<64>] mask !tile.tile<[1000, 1], i1>
  }
}

// -----

// Where a loop may be unrolled in part, a range that the device computes does not end before it begins.
// CHECK-LABEL: triton.kernel @between
// CHECK:         triton.for %k.begin = <d0> to <max(d0, d1)> step <16> with (%first, %last
// CHECK:         triton.for %j.begin = <d0> to <d1> step <16> with (%first, %last
// CHECK:         triton.for %i.begin = <0> to <64> step <16> iter_args
builtin.module {
  knob.declare @loop.k.loop_unroll_factor : one_of none, 2 = none in "range_unroll_factors" by "convert-tile-to-triton" doc "copies"
  knob.declare @loop.i.loop_unroll_factor : one_of none, 2 = none in "range_unroll_factors" by "convert-tile-to-triton" doc "copies"
  tile.kernel @between (%x: !tile.ref<[64], f32, strides = [1]>, %first: !tile.tile<[], i32>, %last: !tile.tile<[], i32>) names ["x", "first", "last"] attributes {explicit_masks} {
    %z = tile.full <0.0> -> !tile.tile<[16], f32>
    %r = tile.for "k" (%k = d0 to d1 : !tile.range<16>) with (%first, %last : !tile.tile<[], i32>, !tile.tile<[], i32>) iter_args (%acc = %z : !tile.tile<[16], f32>) {
      tile.yield %acc : !tile.tile<[16], f32>
    }
    %s = tile.for "j" (%j = d0 to d1 : !tile.range<16>) with (%first, %last : !tile.tile<[], i32>, !tile.tile<[], i32>) iter_args (%acc = %r : !tile.tile<[16], f32>) {
      tile.yield %acc : !tile.tile<[16], f32>
    }
    %t = tile.for "i" (%i = 0 to 64 : !tile.range<16>) iter_args (%acc = %s : !tile.tile<[16], f32>) {
      tile.yield %acc : !tile.tile<[16], f32>
    }
    %m = tile.axis "m" 0 to 16 : !tile.range<16>
    tile.store "x" %t, %x[%m] attributes {indexing = #knob.value<"pointer">} : !tile.tile<[16], f32> : !tile.ref<[64], f32, strides = [1]>[!tile.range<16>]
  }
}

// -----

// Of fewer elements than the index has, what is gathered is repeated first: Triton finds no layout for some such gathers.
// CHECK-LABEL: triton.kernel @longer
// CHECK:         %16 = triton.expand_dims <1> %v : !tile.tile<[8, 8], f32> -> !tile.tile<[8, 1, 8], f32>
// CHECK-NEXT:    %17 = triton.broadcast_to %16
// CHECK-NEXT:    %18 = triton.reshape %17
// CHECK-NEXT:    %19 = triton.call "tl.gather"(%18, %15)
builtin.module {
  tile.kernel @longer (%x: !tile.ref<[8, 8], f32, strides = [8, 1]>, %o: !tile.ref<[8, 9], f32, strides = [9, 1]>) names ["x", "o"] attributes {explicit_masks} {
    %m = tile.axis "m" 0 to 8 : !tile.range<8>
    %n = tile.axis "n" 0 to 9 : !tile.range<9>
    %v = tile.load "x" %x[%m, %m] attributes {indexing = #knob.value<"pointer">} : !tile.ref<[8, 8], f32, strides = [8, 1]>[!tile.range<8>, !tile.range<8>] -> !tile.tile<[8, 8], f32>
    %first = tile.slice %v dim 1 : i64 from <0> step <1> : !tile.tile<[8, 8], f32> -> !tile.tile<[8, 1], f32>
    %c = tile.cat %v, %first dim 1 : i64 : !tile.tile<[8, 8], f32>, !tile.tile<[8, 1], f32> -> !tile.tile<[8, 9], f32>
    tile.store "o" %c, %o[%m, %n] attributes {indexing = #knob.value<"pointer">} : !tile.tile<[8, 9], f32> : !tile.ref<[8, 9], f32, strides = [9, 1]>[!tile.range<8>, !tile.range<9>]
  }
}
