// RUN: helion-ir-opt %s -p roll-reductions --split-input-file | filecheck %s

// One loop of chunks, the load and all else of the axis inside; every chunk is full, so that nothing is filled.
// What is made has the location of the reduction, what is copied has its own.
// CHECK-LABEL: tile.kernel @exact
// CHECK-NEXT:  tile.parallel "m"
// CHECK-NEXT:    %acc = tile.full <0.0> -> !tile.tile<[4, @reduction.n], f32> loc("roll-reductions"("k.py":6:8))
// CHECK-NEXT:    %acc_1 = tile.for "n.sum" (%n = 0 to 128 : !tile.range<@reduction.n>) iter_args (%acc_2 = %acc : !tile.tile<[4, @reduction.n], f32>) {
// CHECK-NEXT:      %v = tile.load "x" %x[%m, %n] : {{.*}} -> !tile.tile<[4, @reduction.n], f32> loc("k.py":4:8)
// CHECK-NEXT:      %e = tile.exp %v : !tile.tile<[4, @reduction.n], f32> loc("k.py":5:8)
// CHECK-NEXT:      %0 = tile.add %acc_2, %e : !tile.tile<[4, @reduction.n], f32>
// CHECK-NEXT:      tile.yield %0 : !tile.tile<[4, @reduction.n], f32>
// CHECK-NEXT:    } loc("roll-reductions"("k.py":6:8))
// CHECK-NEXT:    %s = tile.reduce "sum" <1> %acc_1 : !tile.tile<[4, @reduction.n], f32> -> !tile.tile<[4], f32> loc("roll-reductions"("k.py":6:8))
// CHECK-NEXT:    tile.store "out" %s, %out[%m] :
// CHECK-NEXT:  }
builtin.module {
  knob.declare @reduction.n : one_of 32, 64 = 64 in "reduction_loops" by "roll-reductions" doc "chunks of n"
  tile.kernel @exact (%x: !tile.ref<[8, 128], f32, strides = [128, 1]>, %out: !tile.ref<[8], f32, strides = [1]>) names ["x", "out"] {
    tile.parallel "m" (%m = 0 to 8 : !tile.range<4>) {
      %n = tile.axis "n" 0 to 128 attributes {schedule = #knob.value<1>} : !tile.range<128>
      %v = tile.load "x" %x[%m, %n] : !tile.ref<[8, 128], f32, strides = [128, 1]>[!tile.range<4>, !tile.range<128>] -> !tile.tile<[4, 128], f32> loc("k.py":4:8)
      %e = tile.exp %v : !tile.tile<[4, 128], f32> loc("k.py":5:8)
      %s = tile.reduce "sum" <1> %e : !tile.tile<[4, 128], f32> -> !tile.tile<[4], f32> loc("k.py":6:8)
      tile.store "out" %s, %out[%m] : !tile.tile<[4], f32> : !tile.ref<[8], f32, strides = [1]>[!tile.range<4>]
    }
  }
}

// -----

// A reduction that needs another, and a store: three loops, each computing anew what varies along the axis. The last
// chunk is partial: what is accumulated is filled with what does not change it, what is only stored is not.
// CHECK-LABEL: tile.kernel @softmax
// CHECK-NEXT:  tile.parallel "m"
// CHECK-NEXT:    %acc = tile.full <-inf> -> !tile.tile<[1, @reduction.n], f32>
// CHECK-NEXT:    %acc_1 = tile.for "n.max" (%n = 0 to 100 : !tile.range<@reduction.n>) iter_args (%acc_2 = %acc :
// CHECK-NEXT:      %v = tile.load "x" %x[%m, %n]
// CHECK-NEXT:      %0 = tile.mask(%n) partial <1> : (!tile.range<@reduction.n>) -> !tile.tile<[1, @reduction.n], i1>
// CHECK-NEXT:      %1 = tile.fill %v where %0 with <-inf>
// CHECK-NEXT:      %2 = tile.maximum %acc_2, %1
// CHECK-NEXT:      tile.yield %2
// CHECK-NEXT:    }
// CHECK-NEXT:    %mx = tile.reduce "max" <0, 1> %acc_1 : !tile.tile<[1, @reduction.n], f32> -> !tile.tile<[], f32>
// CHECK-NEXT:    %acc_3 = tile.full <0.0> -> !tile.tile<[1, @reduction.n], f32>
// CHECK-NEXT:    %acc_4 = tile.for "n.sum" (%n_1 = 0 to 100 : !tile.range<@reduction.n>) iter_args (%acc_5 = %acc_3 :
// CHECK-NEXT:      %v_1 = tile.load "x" %x[%m, %n_1]
// CHECK-NEXT:      %mb = tile.broadcast %mx : !tile.tile<[], f32> -> !tile.tile<[1, @reduction.n], f32>
// CHECK-NEXT:      %d = tile.sub %v_1, %mb
// CHECK-NEXT:      %e = tile.exp %d
// CHECK-NEXT:      %3 = tile.mask(%n_1) partial <1>
// CHECK-NEXT:      %4 = tile.fill %e where %3 with <0.0>
// CHECK-NEXT:      %5 = tile.add %acc_5, %4
// CHECK-NEXT:      tile.yield %5
// CHECK-NEXT:    }
// CHECK-NEXT:    %s = tile.reduce "sum" <0, 1> %acc_4
// CHECK-NEXT:    tile.for "n.store" (%n_2 = 0 to 100 : !tile.range<@reduction.n>) {
// CHECK-NEXT:      %v_2 = tile.load "x" %x[%m, %n_2]
// CHECK-NEXT:      %mb_1 = tile.broadcast %mx
// CHECK-NEXT:      %d_1 = tile.sub %v_2, %mb_1
// CHECK-NEXT:      %e_1 = tile.exp %d_1
// CHECK-NEXT:      %sb = tile.broadcast %s
// CHECK-NEXT:      %y = tile.div %e_1, %sb
// CHECK-NEXT:      tile.store "out" %y, %out[%m, %n_2]
// CHECK-NEXT:      tile.yield
// CHECK-NEXT:    }
// CHECK-NEXT:  }
builtin.module {
  knob.declare @reduction.n : one_of none, 64 = 64 in "reduction_loops" by "roll-reductions" doc "chunks of n"
  tile.kernel @softmax (%x: !tile.ref<[8, 100], f32, strides = [100, 1]>, %out: !tile.ref<[8, 100], f32, strides = [100, 1]>) names ["x", "out"] {
    tile.parallel "m" (%m = 0 to 8 : !tile.range<1>) {
      %n = tile.axis "n" 0 to 100 attributes {schedule = #knob.value<1>} : !tile.range<100>
      %v = tile.load "x" %x[%m, %n] : !tile.ref<[8, 100], f32, strides = [100, 1]>[!tile.range<1>, !tile.range<100>] -> !tile.tile<[1, 100], f32>
      %mx = tile.reduce "max" <0, 1> %v : !tile.tile<[1, 100], f32> -> !tile.tile<[], f32>
      %mb = tile.broadcast %mx : !tile.tile<[], f32> -> !tile.tile<[1, 100], f32>
      %d = tile.sub %v, %mb : !tile.tile<[1, 100], f32>
      %e = tile.exp %d : !tile.tile<[1, 100], f32>
      %s = tile.reduce "sum" <0, 1> %e : !tile.tile<[1, 100], f32> -> !tile.tile<[], f32>
      %sb = tile.broadcast %s : !tile.tile<[], f32> -> !tile.tile<[1, 100], f32>
      %y = tile.div %e, %sb : !tile.tile<[1, 100], f32>
      tile.store "out" %y, %out[%m, %n] : !tile.tile<[1, 100], f32> : !tile.ref<[8, 100], f32, strides = [100, 1]>[!tile.range<1>, !tile.range<100>]
    }
  }
}

// -----

// A schedule that keeps the axis whole is taken away, and nothing else changes.
// CHECK-LABEL: tile.kernel @whole
// CHECK-NEXT:    %n = tile.axis "n" 0 to 128 : !tile.range<128>
// CHECK-NEXT:    %v = tile.load "x" %x[%n]
// CHECK-NEXT:    %s = tile.reduce "sum" <0> %v
// CHECK-NEXT:    "test.op"(%s)
builtin.module {
  tile.kernel @whole (%x: !tile.ref<[128], f32, strides = [1]>) names ["x"] {
    %n = tile.axis "n" 0 to 128 attributes {schedule = #knob.value<0>} : !tile.range<128>
    %v = tile.load "x" %x[%n] : !tile.ref<[128], f32, strides = [1]>[!tile.range<128>] -> !tile.tile<[128], f32>
    %s = tile.reduce "sum" <0> %v : !tile.tile<[128], f32> -> !tile.tile<[], f32>
    "test.op"(%s) : (!tile.tile<[], f32>) -> ()
  }
}

// -----

// Scheduled online: one loop for the maximum and the sum of exponentials below it; rows of nothing but -inf sum to NaN.
// CHECK-LABEL: tile.kernel @online
// CHECK:         %max, %sum = tile.for "n.max" (%n = 0 to 100 : !tile.range<@reduction.n>) iter_args (%most_1 = %most : {{.*}}, %total_1 = %total :
// CHECK-NEXT:      %v = tile.load "x" %x[%m, %n]
// CHECK-NEXT:      %0 = tile.reduce "max" <1> %v
// CHECK-NEXT:      %most_2 = tile.maximum %most_1, %0
// CHECK-NEXT:      %1 = tile.full <-inf>
// CHECK-NEXT:      %2 = tile.compare "eq" %most_2, %1
// CHECK-NEXT:      %3 = tile.full <0.0>
// CHECK-NEXT:      %4 = tile.where %2, %3, %most_2
// CHECK-NEXT:      %max1 = tile.reshape %4
// CHECK-NEXT:      %maxn = tile.broadcast %max1
// CHECK-NEXT:      %d = tile.sub %v, %maxn
// CHECK-NEXT:      %e = tile.exp %d
// CHECK-NEXT:      %5 = tile.reduce "sum" <1> %e
// CHECK-NEXT:      %6 = tile.sub %most_1, %4
// CHECK-NEXT:      %7 = tile.exp %6
// CHECK-NEXT:      %8 = tile.mul %total_1, %7
// CHECK-NEXT:      %total_2 = tile.add %8, %5
// CHECK-NEXT:      tile.yield %most_2, %total_2
// CHECK:         tile.compare "eq" %max,
// CHECK-NEXT:    %sum_1 = tile.where
// CHECK-NEXT:    tile.store "out" %sum_1
builtin.module {
  knob.declare @reduction.n : one_of 32, 64 = 64 in "reduction_loops" by "roll-reductions" doc "chunks of n"
  tile.kernel @online (%x: !tile.ref<[8, 100], f32, strides = [100, 1]>, %out: !tile.ref<[8], f32, strides = [1]>) names ["x", "out"] {
    tile.parallel "m" (%m = 0 to 8 : !tile.range<4>) {
      %n = tile.axis "n" 0 to 100 attributes {schedule = #knob.value<2>} : !tile.range<100>
      %v = tile.load "x" %x[%m, %n] : !tile.ref<[8, 100], f32, strides = [100, 1]>[!tile.range<4>, !tile.range<100>] -> !tile.tile<[4, 100], f32>
      %max = tile.reduce "max" <1> %v : !tile.tile<[4, 100], f32> -> !tile.tile<[4], f32>
      %max1 = tile.reshape %max : !tile.tile<[4], f32> -> !tile.tile<[4, 1], f32>
      %maxn = tile.broadcast %max1 : !tile.tile<[4, 1], f32> -> !tile.tile<[4, 100], f32>
      %d = tile.sub %v, %maxn : !tile.tile<[4, 100], f32>
      %e = tile.exp %d : !tile.tile<[4, 100], f32>
      %sum = tile.reduce "sum" <1> %e : !tile.tile<[4, 100], f32> -> !tile.tile<[4], f32>
      tile.store "out" %sum, %out[%m] : !tile.tile<[4], f32> : !tile.ref<[8], f32, strides = [1]>[!tile.range<4>]
    }
  }
}
