// RUN: helion-ir-opt %s -p declare-plain | filecheck %s
// RUN: helion-ir-opt %s -p declare-plain,bind-structure | filecheck %s --check-prefix=PLAIN
// RUN: helion-ir-opt %s -p 'declare-plain,bind-structure{config="{\"load.x.indexing\": \"pointer\"}"}' | filecheck %s --check-prefix=OTHER
// RUN: helion-ir-opt %s -p 'declare-plain,bind-structure{whole=true}' | filecheck %s --check-prefix=WHOLE

// Orders and ways of access at their defaults, whatever these are; not sizes, options, knobs of a single
// value, and those of passes that make no alternatives of them.
// CHECK:      builtin.module attributes {helion_ir.plain = #index.expr<@m_n.loop_order eq [1, 0] and @m_n.l2_grouping eq 8 and @load.x.indexing eq "block_ptr">} {
// CHECK-NEXT:   knob.declare @m.block_size : pow2 1 to 64 = 4

// A plain configuration is a structure of its own, in which only the defaults are left.
// PLAIN:      builtin.module attributes {helion_ir.structure = [#index.expr<@m_n.loop_order eq [1, 0] and @m_n.l2_grouping eq 8 and @load.x.indexing eq "block_ptr">, #knob.value<1>]} {
// PLAIN-NEXT:   knob.declare @m.block_size : pow2 1 to 64 = 4
// PLAIN-NEXT:   knob.declare @m_n.loop_order : one_of [1, 0] = [1, 0]
// PLAIN-NEXT:   knob.declare @m_n.l2_grouping : one_of 8 = 8
// PLAIN-NEXT:   knob.declare @pid_type : one_of "flat" = "flat"
// PLAIN-NEXT:   knob.declare @load.x.indexing : one_of "block_ptr" = "block_ptr"
// PLAIN-NEXT:   knob.declare @n.loop_order : permutation 2 = [0, 1]

// What is not plain says nothing about alternatives, since the template has all of them.
// OTHER:      builtin.module attributes {helion_ir.structure = []} {
// OTHER:        knob.declare @m_n.loop_order : permutation 2 = [1, 0]
// OTHER:        knob.declare @load.x.indexing : one_of "pointer", "block_ptr" = "block_ptr"
// WHOLE:      builtin.module attributes {helion_ir.structure = []} {
// WHOLE:        knob.declare @m_n.loop_order : permutation 2 = [1, 0]
// WHOLE:        knob.declare @load.x.indexing : one_of "pointer", "block_ptr" = "block_ptr"
builtin.module {
  knob.declare @m.block_size : pow2 1 to 64 = 4 in "block_sizes" by "frontend" doc "rows of m"
  knob.declare @m_n.loop_order : permutation 2 = [1, 0] in "loop_orders" by "map-grid" doc "order"
  knob.declare @m_n.l2_grouping : pow2 1 to 64 = 8 in "l2_groupings" by "map-grid" doc "rows together"
  knob.declare @pid_type : one_of "flat" = "flat" by "map-grid" doc "programs"
  knob.declare @load.x.indexing : one_of "pointer", "block_ptr" = "block_ptr" in "indexing" by "choose-indexing" doc "how x is addressed"
  knob.declare @n.loop_order : permutation 2 = [0, 1] in "loop_orders" by "frontend" doc "the author's own"
  knob.declare @load.x.eviction : one_of "", "evict_first" = "" in "load_eviction_policies" by "choose-indexing" doc "what caches do"
}
