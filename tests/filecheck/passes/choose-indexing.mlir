// RUN: helion-ir-opt %s -p choose-indexing --split-input-file | filecheck %s

// Knobs that are declared are read, copies of an access by one name; the others are pointers. A descriptor's demands
// become a requirement.
// CHECK:      knob.require <not @store.x.indexing eq "tensor_descriptor" or 128 le @bn * 16 and @bm le 256 and @bn le 256 and 1024 le @bm * @bn * 16>
// CHECK-NEXT: knob.require <not @load.x.indexing eq "tensor_descriptor" or 128 le @bn * 16 and @bm le 256 and @bn le 256 and 1024 le @bm * @bn * 16>
// CHECK-NOT:  knob.require
// CHECK:      tile.kernel @copy
// CHECK:        %v = tile.load "x" %x[%m, %n] attributes {indexing = #index.expr<@load.x.indexing>, eviction = #index.expr<@load.x.eviction>}
// CHECK-NEXT:   %w = tile.load "x" %x[%m, %n] attributes {indexing = #index.expr<@load.x.indexing>, eviction = #index.expr<@load.x.eviction>}
// CHECK-NEXT:   %g = tile.load "x.1" %x[%i, %n] attributes {indexing = #knob.value<"pointer">} :
// CHECK-NEXT:   %s = tile.add
// CHECK-NEXT:   tile.store "x" %s, %x[%m, %n] attributes {indexing = #index.expr<@store.x.indexing>} :
builtin.module attributes {helion_ir.target = "h200"} {
  knob.declare @bm : pow2 1 to 512 = 32 in "block_sizes" by "frontend" doc "rows"
  knob.declare @bn : pow2 1 to 64 = 32 in "block_sizes" by "frontend" doc "columns"
  knob.declare @load.x.indexing : one_of "pointer", "block_ptr", "tensor_descriptor" = "pointer" in "indexing" by "choose-indexing" doc "x"
  knob.declare @load.x.eviction : one_of "", "evict_first" = "" in "load_eviction_policies" by "choose-indexing" doc "x"
  knob.declare @store.x.indexing : one_of "pointer", "block_ptr", "tensor_descriptor" = "pointer" in "indexing" by "choose-indexing" doc "x"
  tile.kernel @copy (%x: !tile.ref<[1024, 64], f16, strides = [64, 1]>) names ["x"] attributes {explicit_masks} {
    tile.parallel "m" (%m = 0 to 1024 : !tile.range<@bm>, %n = 0 to 64 : !tile.range<@bn>) {
      %i = tile.index %m : !tile.range<@bm> -> !tile.tile<[@bm], i32>
      %v = tile.load "x" %x[%m, %n] : !tile.ref<[1024, 64], f16, strides = [64, 1]>[!tile.range<@bm>, !tile.range<@bn>] -> !tile.tile<[@bm, @bn], f16>
      %w = tile.load "x" %x[%m, %n] : !tile.ref<[1024, 64], f16, strides = [64, 1]>[!tile.range<@bm>, !tile.range<@bn>] -> !tile.tile<[@bm, @bn], f16>
      %g = tile.load "x.1" %x[%i, %n] : !tile.ref<[1024, 64], f16, strides = [64, 1]>[!tile.tile<[@bm], i32>, !tile.range<@bn>] -> !tile.tile<[@bm, @bn], f16>
      %s = tile.add %v, %g : !tile.tile<[@bm, @bn], f16>
      tile.store "x" %s, %x[%m, %n] : !tile.tile<[@bm, @bn], f16> : !tile.ref<[1024, 64], f16, strides = [64, 1]>[!tile.range<@bm>, !tile.range<@bn>]
    }
  }
}
