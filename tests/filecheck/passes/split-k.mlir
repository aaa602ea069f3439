// RUN: helion-ir-opt %s -p split-k --split-input-file --no-locations | filecheck %s

// In two launches: a part a program into a buffer of the host's, then their sum, in order, with all that follows. The
// blocks of the second launch are its own.
// CHECK:       knob.require <@n.split_k le 100 ceildiv @k.block_size>, "each part of a split loop has a tile of its own" by "split-k"
// CHECK:         host.python "out = torch.empty([32], dtype=torch.float32, device=x.device)"
// CHECK-NEXT:    host.bind "_split_k" = <@n.split_k>
// CHECK-NEXT:    host.python "_total_parts = torch.empty([_split_k, 32], dtype=torch.float32, device=x.device)"
// CHECK-NEXT:    host.launch @_f ["x", "_total_parts"]
// CHECK-NEXT:    host.launch @_f_1 ["out", "_total_parts"]
// CHECK-LABEL: tile.kernel @_f (
// CHECK-NEXT:    tile.parallel "n" (%n = 0 to 32 : !tile.range<@n.block_size>, %part = 0 to @n.split_k : !tile.tile<[], i32>) {
// CHECK-NEXT:      %total = tile.full <0.0>
// CHECK-NEXT:      %first = index.apply <(100 ceildiv @k.block_size ceildiv @n.split_k) * @k.block_size * d0>(%part)
// CHECK-NEXT:      %last = index.apply <min({{.*}}, 100)>(%part)
// CHECK-NEXT:      %acc = tile.for "k" (%k = d0 to d1 : !tile.range<@k.block_size>) with (%first, %last :
// CHECK:           tile.store "total_parts" %acc, %total_parts[%part, %n]
// CHECK-NEXT:    }
// CHECK-LABEL: tile.kernel @_f_1 (
// CHECK-NEXT:    tile.parallel "n.sum" (%n = 0 to 32 : !tile.range<@n.sum_block_size>) {
// CHECK-NEXT:      %0 = tile.full <0.0> -> !tile.tile<[@n.sum_block_size], f32>
// CHECK-NEXT:      %acc = tile.for "n.parts" (%part = 0 to @n.split_k : !tile.tile<[], i32>) iter_args (%acc_1 = %0 :
// CHECK-NEXT:        %1 = tile.load "total_parts" %total_parts[%part, %n]
// CHECK-NEXT:        %acc_2 = tile.add %acc_1, %1
// CHECK-NEXT:        tile.yield %acc_2
// CHECK-NEXT:      }
// CHECK-NEXT:      %e = tile.exp %acc : !tile.tile<[@n.sum_block_size], f32>
// CHECK-NEXT:      tile.store "out" %e, %out[%n]
builtin.module {
  knob.declare @k.block_size : pow2 16 to 32 = 16 in "block_sizes" by "frontend" doc "rows of a part"
  knob.declare @n.block_size : pow2 16 to 32 = 16 in "block_sizes" by "frontend" doc "columns"
  knob.declare @n.sum_block_size : pow2 1 to 32 = 32 by "split-k" doc "columns of the second launch"
  knob.declare @n.split_k : pow2 1 to 4 = 1 by "split-k" doc "programs that share loop k"
  host.func @f ["x"] {
    host.python "out = torch.empty([32], dtype=torch.float32, device=x.device)"
    host.launch @_f ["x", "out"]
    host.python "return out"
  }
  tile.kernel @_f (%x: !tile.ref<[100, 32], f32, strides = [32, 1]>, %out: !tile.ref<[32], f32, strides = [1]>) names ["x", "out"] {
    tile.parallel "n" (%n = 0 to 32 : !tile.range<@n.block_size>) {
      %total = tile.full <0.0> -> !tile.tile<[@n.block_size], f32>
      %acc = tile.for "k" (%k = 0 to 100 : !tile.range<@k.block_size>) iter_args (%a = %total : !tile.tile<[@n.block_size], f32>) attributes {schedule = {split = #knob.value<1>}} {
        %v = tile.load "x" %x[%k, %n] : !tile.ref<[100, 32], f32, strides = [32, 1]>[!tile.range<@k.block_size>, !tile.range<@n.block_size>] -> !tile.tile<[@k.block_size, @n.block_size], f32>
        %s = tile.reduce "sum" <0> %v : !tile.tile<[@k.block_size, @n.block_size], f32> -> !tile.tile<[@n.block_size], f32>
        %b = tile.add %a, %s : !tile.tile<[@n.block_size], f32>
        tile.yield %b : !tile.tile<[@n.block_size], f32>
      }
      %e = tile.exp %acc : !tile.tile<[@n.block_size], f32>
      tile.store "out" %e, %out[%n] : !tile.tile<[@n.block_size], f32> : !tile.ref<[32], f32, strides = [1]>[!tile.range<@n.block_size>]
    }
  }
}

// -----

// With atomics: the output is set to zero, and each program adds its part.
// CHECK:         host.python "out.zero_()"
// CHECK-NEXT:    host.launch @_f ["x", "out"]
// CHECK-LABEL: tile.kernel @_f (
// CHECK:         tile.for "k" (%k = d0 to d1 :
// CHECK:         tile.atomic "out" add relaxed (%acc), %out[%n]
// CHECK-NOT:   tile.kernel
builtin.module {
  knob.declare @k.block_size : pow2 16 to 32 = 16 in "block_sizes" by "frontend" doc "rows of a part"
  knob.declare @n.block_size : pow2 16 to 32 = 16 in "block_sizes" by "frontend" doc "columns"
  knob.declare @n.sum_block_size : pow2 1 to 32 = 32 by "split-k" doc "columns of the second launch"
  knob.declare @n.split_k : pow2 1 to 4 = 1 by "split-k" doc "programs that share loop k"
  host.func @f ["x"] {
    host.python "out = torch.empty([32], dtype=torch.float32, device=x.device)"
    host.launch @_f ["x", "out"]
    host.python "return out"
  }
  tile.kernel @_f (%x: !tile.ref<[100, 32], f32, strides = [32, 1]>, %out: !tile.ref<[32], f32, strides = [1]>) names ["x", "out"] {
    tile.parallel "n" (%n = 0 to 32 : !tile.range<@n.block_size>) {
      %total = tile.full <0.0> -> !tile.tile<[@n.block_size], f32>
      %acc = tile.for "k" (%k = 0 to 100 : !tile.range<@k.block_size>) iter_args (%a = %total : !tile.tile<[@n.block_size], f32>) attributes {schedule = {split = #knob.value<2>}} {
        %v = tile.load "x" %x[%k, %n] : !tile.ref<[100, 32], f32, strides = [32, 1]>[!tile.range<@k.block_size>, !tile.range<@n.block_size>] -> !tile.tile<[@k.block_size, @n.block_size], f32>
        %s = tile.reduce "sum" <0> %v : !tile.tile<[@k.block_size, @n.block_size], f32> -> !tile.tile<[@n.block_size], f32>
        %b = tile.add %a, %s : !tile.tile<[@n.block_size], f32>
        tile.yield %b : !tile.tile<[@n.block_size], f32>
      }
      tile.store "out" %acc, %out[%n] : !tile.tile<[@n.block_size], f32> : !tile.ref<[32], f32, strides = [1]>[!tile.range<@n.block_size>]
    }
  }
}

// -----

// What the author sets to zero the host does not set to zero again; it does where a statement between may have changed it.
// CHECK:         host.python "out = torch.zeros([32], dtype=torch.float32, device=x.device)"
// CHECK-NEXT:    host.launch @_f ["x", "out"]
builtin.module {
  knob.declare @k.block_size : pow2 16 to 32 = 16 in "block_sizes" by "frontend" doc "rows of a part"
  knob.declare @n.block_size : pow2 16 to 32 = 16 in "block_sizes" by "frontend" doc "columns"
  knob.declare @n.sum_block_size : pow2 1 to 32 = 32 by "split-k" doc "columns of the second launch"
  knob.declare @n.split_k : pow2 1 to 4 = 1 by "split-k" doc "programs that share loop k"
  host.func @f ["x"] {
    host.python "out = torch.zeros([32], dtype=torch.float32, device=x.device)"
    host.launch @_f ["x", "out"]
    host.python "return out"
  }
  tile.kernel @_f (%x: !tile.ref<[100, 32], f32, strides = [32, 1]>, %out: !tile.ref<[32], f32, strides = [1]>) names ["x", "out"] {
    tile.parallel "n" (%n = 0 to 32 : !tile.range<@n.block_size>) {
      %total = tile.full <0.0> -> !tile.tile<[@n.block_size], f32>
      %acc = tile.for "k" (%k = 0 to 100 : !tile.range<@k.block_size>) iter_args (%a = %total : !tile.tile<[@n.block_size], f32>) attributes {schedule = {split = #knob.value<2>}} {
        %v = tile.load "x" %x[%k, %n] : !tile.ref<[100, 32], f32, strides = [32, 1]>[!tile.range<@k.block_size>, !tile.range<@n.block_size>] -> !tile.tile<[@k.block_size, @n.block_size], f32>
        %s = tile.reduce "sum" <0> %v : !tile.tile<[@k.block_size, @n.block_size], f32> -> !tile.tile<[@n.block_size], f32>
        %b = tile.add %a, %s : !tile.tile<[@n.block_size], f32>
        tile.yield %b : !tile.tile<[@n.block_size], f32>
      }
      tile.store "out" %acc, %out[%n] : !tile.tile<[@n.block_size], f32> : !tile.ref<[32], f32, strides = [1]>[!tile.range<@n.block_size>]
    }
  }
}

// -----

// CHECK:         host.python "view = out.view(-1)"
// CHECK-NEXT:    host.python "out.zero_()"
builtin.module {
  knob.declare @k.block_size : pow2 16 to 32 = 16 in "block_sizes" by "frontend" doc "rows of a part"
  knob.declare @n.block_size : pow2 16 to 32 = 16 in "block_sizes" by "frontend" doc "columns"
  knob.declare @n.sum_block_size : pow2 1 to 32 = 32 by "split-k" doc "columns of the second launch"
  knob.declare @n.split_k : pow2 1 to 4 = 1 by "split-k" doc "programs that share loop k"
  host.func @f ["x"] {
    host.python "out = torch.zeros([32], dtype=torch.float32, device=x.device)"
    host.python "view = out.view(-1)"
    host.launch @_f ["x", "out"]
    host.python "return out"
  }
  tile.kernel @_f (%x: !tile.ref<[100, 32], f32, strides = [32, 1]>, %out: !tile.ref<[32], f32, strides = [1]>) names ["x", "out"] {
    tile.parallel "n" (%n = 0 to 32 : !tile.range<@n.block_size>) {
      %total = tile.full <0.0> -> !tile.tile<[@n.block_size], f32>
      %acc = tile.for "k" (%k = 0 to 100 : !tile.range<@k.block_size>) iter_args (%a = %total : !tile.tile<[@n.block_size], f32>) attributes {schedule = {split = #knob.value<2>}} {
        %v = tile.load "x" %x[%k, %n] : !tile.ref<[100, 32], f32, strides = [32, 1]>[!tile.range<@k.block_size>, !tile.range<@n.block_size>] -> !tile.tile<[@k.block_size, @n.block_size], f32>
        %s = tile.reduce "sum" <0> %v : !tile.tile<[@k.block_size, @n.block_size], f32> -> !tile.tile<[@n.block_size], f32>
        %b = tile.add %a, %s : !tile.tile<[@n.block_size], f32>
        tile.yield %b : !tile.tile<[@n.block_size], f32>
      }
      tile.store "out" %acc, %out[%n] : !tile.tile<[@n.block_size], f32> : !tile.ref<[32], f32, strides = [1]>[!tile.range<@n.block_size>]
    }
  }
}

// -----

// CHECK:         host.python "out = torch.zeros([32]) + 1"
// CHECK-NEXT:    host.python "out.zero_()"
builtin.module {
  knob.declare @k.block_size : pow2 16 to 32 = 16 in "block_sizes" by "frontend" doc "rows of a part"
  knob.declare @n.block_size : pow2 16 to 32 = 16 in "block_sizes" by "frontend" doc "columns"
  knob.declare @n.sum_block_size : pow2 1 to 32 = 32 by "split-k" doc "columns of the second launch"
  knob.declare @n.split_k : pow2 1 to 4 = 1 by "split-k" doc "programs that share loop k"
  host.func @f ["x"] {
    host.python "out = torch.zeros([32]) + 1"
    host.launch @_f ["x", "out"]
    host.python "return out"
  }
  tile.kernel @_f (%x: !tile.ref<[100, 32], f32, strides = [32, 1]>, %out: !tile.ref<[32], f32, strides = [1]>) names ["x", "out"] {
    tile.parallel "n" (%n = 0 to 32 : !tile.range<@n.block_size>) {
      %total = tile.full <0.0> -> !tile.tile<[@n.block_size], f32>
      %acc = tile.for "k" (%k = 0 to 100 : !tile.range<@k.block_size>) iter_args (%a = %total : !tile.tile<[@n.block_size], f32>) attributes {schedule = {split = #knob.value<2>}} {
        %v = tile.load "x" %x[%k, %n] : !tile.ref<[100, 32], f32, strides = [32, 1]>[!tile.range<@k.block_size>, !tile.range<@n.block_size>] -> !tile.tile<[@k.block_size, @n.block_size], f32>
        %s = tile.reduce "sum" <0> %v : !tile.tile<[@k.block_size, @n.block_size], f32> -> !tile.tile<[@n.block_size], f32>
        %b = tile.add %a, %s : !tile.tile<[@n.block_size], f32>
        tile.yield %b : !tile.tile<[@n.block_size], f32>
      }
      tile.store "out" %acc, %out[%n] : !tile.tile<[@n.block_size], f32> : !tile.ref<[32], f32, strides = [1]>[!tile.range<@n.block_size>]
    }
  }
}
