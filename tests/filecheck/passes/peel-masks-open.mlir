// RUN: not helion-ir-opt %s -p peel-masks | filecheck %s

// CHECK: bind-structure must run before peel-masks: peel of a tile.for is open
builtin.module {
  knob.declare @loop.k.peel : bool = false by "peel-masks" doc "whether full tiles run by themselves"
  tile.kernel @open () names [] {
    tile.parallel "m" (%m = 0 to 8 : !tile.range<4>) {
      tile.for "k" (%k = 0 to 100 : !tile.range<16>) attributes {schedule = {peel = #index.expr<@loop.k.peel>}} {
        tile.yield
      }
    }
  }
}
