// RUN: not helion-ir-opt %s -p roll-reductions | filecheck %s

// CHECK: error: {{.*}}bind-structure must run before roll-reductions: the schedule of n is open
builtin.module {
  knob.declare @reduction.n : one_of none, 64 = none in "reduction_loops" by "roll-reductions" doc "chunks of n"
  tile.kernel @k () names [] {
    %n = tile.axis "n" 0 to 128 attributes {schedule = #index.expr<@reduction.n ne none>} : !tile.range<128>
  }
}
