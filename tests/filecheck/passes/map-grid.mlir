// RUN: helion-ir-opt %s -p map-grid --split-input-file | filecheck %s

// One dimension: a program a block, counted from the lower bound; the kind of the loop stays open.
// CHECK-LABEL: tile.kernel @rows
// CHECK-NEXT:  triton.program_loop %pid of <992 ceildiv @m.block_size> kind #index.expr<@pid_type> attributes {multiplier = #index.expr<@num_sm_multiplier>{{.*}}} {
// CHECK-NEXT:    %m = tile.block %pid of 8 to 1000 : !tile.range<@m.block_size> loc("map-grid"("k.py":3:4))
// CHECK-NEXT:    %v = tile.load "x" %x[%m]
// CHECK-NEXT:    tile.store "x" %v, %x[%m]
// CHECK-NEXT:  } loc("map-grid"("k.py":3:4))
builtin.module {
  knob.declare @pid_type : one_of "flat", "persistent_blocked" = "flat" by "map-grid" doc "kind"
  knob.declare @num_sm_multiplier : pow2 1 to 8 = 1 by "map-grid" doc "programs"
  knob.declare @m.block_size : pow2 1 to 64 = 4 in "block_sizes" by "frontend" doc "rows"
  tile.kernel @rows (%x: !tile.ref<[1000], f32, strides = [1]>) names ["x"] {
    tile.parallel "m" (%m = 8 to 1000 : !tile.range<@m.block_size>) {
      %v = tile.load "x" %x[%m] : !tile.ref<[1000], f32, strides = [1]>[!tile.range<@m.block_size>] -> !tile.tile<[@m.block_size], f32>
      tile.store "x" %v, %x[%m] : !tile.tile<[@m.block_size], f32> : !tile.ref<[1000], f32, strides = [1]>[!tile.range<@m.block_size>]
    } loc("k.py":3:4)
  }
}

// -----

// Two dimensions: an alternative an order, each with and without groups.
// CHECK-LABEL: tile.kernel @plane
// CHECK-NEXT:  triton.program_loop %pid of <(100 ceildiv @bm) * 4> kind #index.expr<"flat"> {{.*}}{
// CHECK-NEXT:    %pid0, %pid1 = knob.choose <@m.loop_order> -> (!tile.tile<[], i32>, !tile.tile<[], i32>) case [0, 1] {
// CHECK-NEXT:      [[A:%[a-z0-9]+]], [[B:%[a-z0-9]+]] = knob.choose <1 lt @m.l2_grouping> {{.*}} case 0 {
// CHECK-NEXT:        [[C:%[a-z0-9]+]] = index.apply <d0 mod (100 ceildiv @bm)>(%pid)
// CHECK-NEXT:        [[D:%[a-z0-9]+]] = index.apply <d0 floordiv (100 ceildiv @bm)>(%pid)
// CHECK-NEXT:        knob.yield [[C]], [[D]]
// CHECK-NEXT:      } case 1 {
// CHECK-NEXT:        %group_start = index.apply <(d0 floordiv (@m.l2_grouping * 4)) * @m.l2_grouping>(%pid)
// CHECK-NEXT:        %group_rows = index.apply <min(100 ceildiv @bm - d1, @m.l2_grouping)>(%pid, %group_start)
// CHECK-NEXT:        %group_place = index.apply <d0 mod (@m.l2_grouping * 4)>(%pid)
// CHECK-NEXT:        [[E:%[a-z0-9]+]] = index.apply <d1 + d2 mod d3>(%pid, %group_start, %group_place, %group_rows)
// CHECK-NEXT:        [[F:%[a-z0-9]+]] = index.apply <d1 floordiv d2>(%pid, %group_place, %group_rows)
// CHECK-NEXT:        knob.yield [[E]], [[F]]
// CHECK-NEXT:      }
// CHECK-NEXT:      knob.yield [[A]], [[B]]
// CHECK-NEXT:    } case [1, 0] {
// CHECK-NEXT:      [[K:%[a-z0-9]+]], [[L:%[a-z0-9]+]] = knob.choose <1 lt @m.l2_grouping> {{.*}} case 0 {
// CHECK-NEXT:        [[I:%[a-z0-9]+]] = index.apply <d0 floordiv 4>(%pid)
// CHECK-NEXT:        [[J:%[a-z0-9]+]] = index.apply <d0 mod 4>(%pid)
// CHECK-NEXT:        knob.yield [[I]], [[J]]
// CHECK-NEXT:      } case 1 {
// CHECK:             knob.yield
// CHECK-NEXT:      }
// CHECK-NEXT:      knob.yield [[K]], [[L]]
// CHECK-NEXT:    }
// CHECK-NEXT:    %m = tile.block %pid0 of 0 to 100 : !tile.range<@bm>
// CHECK-NEXT:    %n = tile.block %pid1 of 0 to 64 : !tile.range<16>
// CHECK-NEXT:    "test.op"(%m, %n)
builtin.module {
  knob.declare @m.loop_order : permutation 2 = [0, 1] in "loop_orders" by "map-grid" doc "order"
  knob.declare @m.l2_grouping : pow2 1 to 64 = 1 in "l2_groupings" by "map-grid" doc "group"
  knob.declare @bm : pow2 1 to 64 = 4 in "block_sizes" by "frontend" doc "rows"
  tile.kernel @plane () names [] {
    tile.parallel "m" (%m = 0 to 100 : !tile.range<@bm>, %n = 0 to 64 : !tile.range<16>) {
      "test.op"(%m, %n) : (!tile.range<@bm>, !tile.range<16>) -> ()
    }
  }
}

// -----

// Scalars of hl.grid count by themselves, up to a parameter too; without knobs there is one order.
// CHECK-LABEL: tile.kernel @grid
// CHECK-NEXT:  triton.program_loop %pid of <n * 4> kind #index.expr<"flat"> {{.*}}{
// CHECK-NEXT:    [[G:%[a-z0-9]+]] = index.apply <d0 mod 4>(%pid)
// CHECK-NEXT:    [[H:%[a-z0-9]+]] = index.apply <d0 floordiv 4>(%pid)
// CHECK-NEXT:    %g = index.apply <d0 + 2>([[G]])
// CHECK-NEXT:    %h = index.apply <d0>([[H]])
// CHECK-NEXT:    "test.op"(%g, %h)
builtin.module {
  tile.kernel @grid (%n: !tile.tile<[], i32>) names ["n"] {
    tile.parallel "g" (%g = 2 to 6 : !tile.tile<[], i32>, %h = 0 to n : !tile.tile<[], i32>) {
      "test.op"(%g, %h) : (!tile.tile<[], i32>, !tile.tile<[], i32>) -> ()
    }
  }
}
