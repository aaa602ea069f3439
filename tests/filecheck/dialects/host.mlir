// RUN: helion-ir-opt %s | filecheck %s
// The author's function: statements verbatim, quotes and line breaks included, a bound variable, and launches.

builtin.module {
// CHECK: builtin.module {
  host.func @matmul ["x", "y"] {
  // CHECK-NEXT: host.func @matmul ["x", "y"] {
    host.python "s = \22a\\tb\22" loc("k.py":3:4)
    // CHECK-NEXT: host.python "s = \22a\\tb\22" loc("k.py":3:4)
    host.python "if x.size(0) > 1:\0A    y = y + 1"
    // CHECK-NEXT: host.python "if x.size(0) > 1:\0A    y = y + 1"
    host.bind "split_k" = <@split_k>
    // CHECK-NEXT: host.bind "split_k" = <@split_k>
    host.launch @_matmul ["x", "torch.empty_like(y)", "x.size(0)"] loc("k.py":9:4)
    // CHECK-NEXT: host.launch @_matmul ["x", "torch.empty_like(y)", "x.size(0)"] loc("k.py":9:4)
    host.launch @_second []
    // CHECK-NEXT: host.launch @_second []
    host.python "return y"
    // CHECK-NEXT: host.python "return y"
  } loc("k.py":1:0)
  // CHECK-NEXT: } loc("k.py":1:0)
}
// CHECK-NEXT: }
