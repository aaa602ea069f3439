// RUN: helion-ir-opt %s -p 'bind-structure{config="{\"reduction.n\": 256}"}' | filecheck %s
// RUN: helion-ir-opt %s -p bind-structure | filecheck %s --check-prefix=DEFAULT
// RUN: not helion-ir-opt %s -p 'bind-structure{config="{\"reduction.n\": 100}"}' | filecheck %s --check-prefix=VALUE
// RUN: not helion-ir-opt %s -p 'bind-structure{config="{\"reduction.k\": 64}"}' | filecheck %s --check-prefix=NAME
// RUN: not helion-ir-opt %s -p 'bind-structure{config="[1"}' | filecheck %s --check-prefix=JSON
// RUN: not helion-ir-opt %s -p 'bind-structure{config="[1]"}' | filecheck %s --check-prefix=OBJECT

// Schedules are bound and recorded on the module; other knobs stay open, and what has no schedule stays without.
// CHECK:      builtin.module attributes {helion_ir.structure = [#index.expr<@reduction.n ne none>, #knob.value<1>, #index.expr<@reduction.q ne none>, #knob.value<1>]} {
// CHECK-NEXT: knob.declare @m.block_size
// CHECK-NEXT: knob.declare @reduction.n
// CHECK-NEXT: knob.declare @reduction.q
// CHECK-NEXT: tile.kernel @k
// CHECK-NEXT:   tile.parallel "m" (%m = 0 to 1000 : !tile.range<@m.block_size>) {
// CHECK-NEXT:     %n = tile.axis "n" 0 to 1021 attributes {schedule = #knob.value<1>} : !tile.range<1021>
// CHECK-NEXT:     %q = tile.axis "q" 0 to 100 attributes {schedule = #knob.value<1>} : !tile.range<100>
// CHECK-NEXT:     %r = tile.axis "r" 0 to 8 : !tile.range<8>

// Knobs that the configuration leaves out have their defaults.
// DEFAULT: [#index.expr<@reduction.n ne none>, #knob.value<0>, #index.expr<@reduction.q ne none>, #knob.value<1>]
// DEFAULT: %n = tile.axis "n" 0 to 1021 : !tile.range<1021>
// DEFAULT-NEXT: %q = tile.axis "q" 0 to 100 attributes {schedule = #knob.value<1>} : !tile.range<100>

// VALUE:  error: {{.*}}@reduction.n cannot be 100: its domain is one_of none, 64, 256
// NAME:   error: {{.*}}there is no knob @reduction.k; the module declares @m.block_size, @reduction.n, @reduction.q
// JSON:   error: {{.*}}the config is not a JSON object: Expecting ',' delimiter
// OBJECT: error: {{.*}}the config must be a JSON object of knob names and values
builtin.module {
  knob.declare @m.block_size : pow2 1 to 64 = 4 in "block_sizes" by "frontend" doc "rows of m"
  knob.declare @reduction.n : one_of none, 64, 256 = none in "reduction_loops" by "roll-reductions" doc "none to reduce over n at once"
  knob.declare @reduction.q : one_of none, 64 = 64 in "reduction_loops" by "roll-reductions" doc "none to reduce over q at once"
  tile.kernel @k () names [] {
    tile.parallel "m" (%m = 0 to 1000 : !tile.range<@m.block_size>) {
      %n = tile.axis "n" 0 to 1021 attributes {schedule = #index.expr<@reduction.n ne none>} : !tile.range<1021>
      %q = tile.axis "q" 0 to 100 attributes {schedule = #index.expr<@reduction.q ne none>} : !tile.range<100>
      %r = tile.axis "r" 0 to 8 : !tile.range<8>
    }
  }
}
