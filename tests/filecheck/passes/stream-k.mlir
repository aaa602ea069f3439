// RUN: helion-ir-opt %s -p stream-k --split-input-file --no-locations | filecheck %s

// In two launches: whole waves and the workers that share the blocks left over, then the sums of these, in order.
// CHECK:         host.bind "_shares" = <@n.stream_k_programs * 264>
// CHECK-NEXT:    host.bind "_size_0" = <@n.block_size>
// CHECK-NEXT:    host.python "_total_parts = torch.empty([_shares, _size_0], dtype=torch.float32, device=x.device)"
// CHECK-NEXT:    host.launch @_f ["x", "out", "_total_parts"]
// CHECK-NEXT:    host.launch @_f_1 ["out", "_total_parts"]
// CHECK-LABEL: tile.kernel @_f (
// CHECK-NEXT:    tile.parallel "n" (%block = 0 to 32 ceildiv @n.block_size - 32 ceildiv @n.block_size mod (@n.stream_k_programs * 132) :
// CHECK-NEXT:      %n = tile.block %block of 0 to 32
// CHECK:           tile.for "k" (%k = 0 to 100 : !tile.range<@k.block_size>)
// CHECK:           tile.store "out" %e, %out[%n]
// CHECK:         tile.parallel "n.shared" (%worker = 0 to @n.stream_k_programs * 132 :
// CHECK:           tile.for "n.blocks" (%block_1 = d0 to d1 : {{.*}} with (%first, %last
// CHECK-NEXT:        %number = index.apply <32 ceildiv @n.block_size + d0 - {{.*}}>(%block_1)
// CHECK-NEXT:        %n_1 = tile.block %number of 0 to 32
// CHECK:             tile.for "k" (%iteration = d0 to d1 : {{.*}} with (%start.k, %stop.k
// CHECK-NEXT:          %k_1 = tile.block %iteration of 0 to 100 : !tile.range<@k.block_size>
// CHECK:             %slot = index.apply <d0 + d1>(%worker, %block_1)
// CHECK:             %n_2 = tile.shift %n_1 by %back
// CHECK:             tile.store "total_parts" %acc_1, %total_parts[%slot, %n_2]
// CHECK-LABEL: tile.kernel @_f_1 (
// CHECK-NEXT:    tile.parallel "n.fixup" (%part = 0 to (32 ceildiv @n.block_size mod (@n.stream_k_programs * 132)) * @n.stream_k_parts :
// CHECK:           tile.part %n at <d0> with (%inside : {{.*}}) : !tile.range<@n.block_size> -> !tile.range<@n.block_size floordiv @n.stream_k_parts>
// CHECK:           tile.for "n.shares" (%worker = d0 to d1 :
// CHECK:             tile.load "total_parts" %total_parts[%slot, %n_2]
// CHECK:           tile.store "out" %e, %out[%n_1]
builtin.module attributes {helion_ir.target = "h200"} {
  knob.declare @k.block_size : pow2 16 to 32 = 16 in "block_sizes" by "frontend" doc "rows of a part"
  knob.declare @n.block_size : pow2 16 to 32 = 16 in "block_sizes" by "frontend" doc "columns"
  knob.declare @n.stream_k : one_of "off", "two_phase", "atomic" = "off" by "stream-k" doc "whether programs share blocks"
  knob.declare @n.stream_k_programs : pow2 1 to 4 = 1 by "stream-k" doc "programs a multiprocessor"
  knob.declare @n.stream_k_parts : pow2 1 to 16 = 8 by "stream-k" doc "programs that add up one block"
  host.func @f ["x"] {
    host.python "out = torch.empty([32], dtype=torch.float32, device=x.device)"
    host.launch @_f ["x", "out"]
    host.python "return out"
  }
  tile.kernel @_f (%x: !tile.ref<[100, 32], f32, strides = [32, 1]>, %out: !tile.ref<[32], f32, strides = [1]>) names ["x", "out"] {
    tile.parallel "n" (%n = 0 to 32 : !tile.range<@n.block_size>) {
      %total = tile.full <0.0> -> !tile.tile<[@n.block_size], f32>
      %acc = tile.for "k" (%k = 0 to 100 : !tile.range<@k.block_size>) iter_args (%a = %total : !tile.tile<[@n.block_size], f32>) attributes {schedule = {stream = #knob.value<1>}} {
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

// With atomics: the output is set to zero, and each worker adds its share; whole waves store.
// CHECK:         host.python "out.zero_()"
// CHECK-NEXT:    host.launch @_f ["x", "out"]
// CHECK-LABEL: tile.kernel @_f (
// CHECK:         tile.parallel "n" (
// CHECK:           tile.store "out" %acc, %out[%n]
// CHECK:         tile.parallel "n.shared" (
// CHECK:             tile.atomic "out" add relaxed (%acc_1), %out[%n_1]
// CHECK-NOT:   tile.kernel
builtin.module attributes {helion_ir.target = "h200"} {
  knob.declare @k.block_size : pow2 16 to 32 = 16 in "block_sizes" by "frontend" doc "rows of a part"
  knob.declare @n.block_size : pow2 16 to 32 = 16 in "block_sizes" by "frontend" doc "columns"
  knob.declare @n.stream_k : one_of "off", "two_phase", "atomic" = "off" by "stream-k" doc "whether programs share blocks"
  knob.declare @n.stream_k_programs : pow2 1 to 4 = 1 by "stream-k" doc "programs a multiprocessor"
  knob.declare @n.stream_k_parts : pow2 1 to 16 = 8 by "stream-k" doc "programs that add up one block"
  host.func @f ["x"] {
    host.python "out = torch.empty([32], dtype=torch.float32, device=x.device)"
    host.launch @_f ["x", "out"]
    host.python "return out"
  }
  tile.kernel @_f (%x: !tile.ref<[100, 32], f32, strides = [32, 1]>, %out: !tile.ref<[32], f32, strides = [1]>) names ["x", "out"] {
    tile.parallel "n" (%n = 0 to 32 : !tile.range<@n.block_size>) {
      %total = tile.full <0.0> -> !tile.tile<[@n.block_size], f32>
      %acc = tile.for "k" (%k = 0 to 100 : !tile.range<@k.block_size>) iter_args (%a = %total : !tile.tile<[@n.block_size], f32>) attributes {schedule = {stream = #knob.value<2>}} {
        %v = tile.load "x" %x[%k, %n] : !tile.ref<[100, 32], f32, strides = [32, 1]>[!tile.range<@k.block_size>, !tile.range<@n.block_size>] -> !tile.tile<[@k.block_size, @n.block_size], f32>
        %s = tile.reduce "sum" <0> %v : !tile.tile<[@k.block_size, @n.block_size], f32> -> !tile.tile<[@n.block_size], f32>
        %b = tile.add %a, %s : !tile.tile<[@n.block_size], f32>
        tile.yield %b : !tile.tile<[@n.block_size], f32>
      }
      tile.store "out" %acc, %out[%n] : !tile.tile<[@n.block_size], f32> : !tile.ref<[32], f32, strides = [1]>[!tile.range<@n.block_size>]
    }
  }
}
