"""A backward kernel as source: the operators of a gradient's graph, on tiles."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.fx import Node

from helion_ir.runtime.gradient_graph import GradientGraph, Label, unsupported

_aten = torch.ops.aten
_SAME = {_aten.detach.default, _aten.alias.default, _aten.clone.default, _aten.lift_fresh_copy.default}
_VIEWS = {
    _aten.view.default: "reshape", _aten._unsafe_view.default: "reshape", _aten.reshape.default: "reshape",
    _aten.expand.default: "expand",
}  # fmt: skip
_LINEAR_VIEWS = {_aten.squeeze.dim, _aten.squeeze.dims, _aten.unsqueeze.default, _aten.permute.default,
                 _aten.transpose.int, _aten.t.default}  # fmt: skip
_ALONG = {
    _aten.mean.dim, _aten.amax.default, _aten.amin.default, _aten.sum.dim_IntList, _aten._softmax.default,
    _aten._log_softmax.default, _aten._softmax_backward_data.default, _aten._log_softmax_backward_data.default,
    _aten.logsumexp.default, _aten.prod.dim_int, _aten.var_mean.correction, _aten.var.correction, _aten.any.dim, _aten.all.dim,
}  # fmt: skip
"""Operators that mix the elements along the dimensions of an argument named dim."""
_OPERATORS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**", "eq": "==", "ne": "!=", "lt": "<", "le": "<=",
              "gt": ">", "ge": ">="}  # fmt: skip
_PLAIN = frozenset("sin cos exp exp2 log log2 sqrt rsqrt neg abs tanh sigmoid erf maximum minimum where sign".split())
_PLACES = {"device", "layout", "pin_memory", "memory_format", "non_blocking"}


def _of_a_tile() -> Exception:
    return unsupported("it reduces over a tile; load the whole axis with `:`")


def _uses_again() -> Exception:
    return unsupported("it uses the sum over a tile again, which no program has whole")


class GradientSource:
    """Writes the function of a backward kernel."""

    def __init__(self, graph: GradientGraph, name: str, inputs: Sequence[Any], parameters: Sequence[str]):
        self.graph, self.name, self.inputs = graph, name, inputs
        self.parameters = [parameters[i] for i in graph.tensors]
        self.grads = ["grad_out"] if graph.outputs == 1 else [f"grad_out_{k}" for k in range(graph.outputs)]
        self.lines: list[str] = []
        self.names: dict[Node, str] = {}
        self.sums: dict[Node, frozenset[Label]] = {}
        """Values that are sums over a tile, hence parts of the sum over all tiles: over which."""
        self.allocations: list[str] = []
        self.results: list[str] = []

    def text(self) -> str:
        """The file."""
        for node in self.graph.forward.nodes:
            if node.target in _ALONG and self._mixed(node):
                raise _of_a_tile()
        for node, twin in zip(self.graph.labelled.nodes, self.graph.actual.nodes):
            if node.op == "placeholder":
                self._placeholder(node)
            elif node.op == "call_function":
                self._call(node, twin)
            else:
                self._outputs(node)
        loops = [self._extent(f"t{k}") for k in range(self.graph.tiles)]
        variables = ", ".join(f"t{k}" for k in range(self.graph.tiles))
        bounds = loops[0] if len(loops) == 1 else f"[{', '.join(loops)}]"
        head = [
            "import torch", "", "import helion_ir.language as hl", "", "",
            f"def {self.name}({', '.join([*self.grads, *self.parameters])}):",
        ]  # fmt: skip
        body = [*self.allocations, f"for {variables} in hl.tile({bounds}):", *(f"    {line}" for line in self.lines)]
        returned = ", ".join(self.results)
        return "\n".join([*head, *(f"    {line}" for line in [*body, f"return {returned}"])]) + "\n"

    def _extent(self, tile: Label) -> str:
        for i, name in zip(self.graph.tensors, self.parameters):
            for axis, label in enumerate(self.graph.labels.get(i, ())):
                if label == tile:
                    return f"{name}.size({axis})"
        raise unsupported("no argument says how long its loop is")

    # ---- dimensions ----

    def _label(self, length: Any) -> Label:
        return self.graph.lengths.get(length, str(length))

    def _labels(self, node: Node) -> tuple[Label, ...]:
        return tuple(self._label(n) for n in node.meta["val"].shape)

    def _index(self, labels: Sequence[Label]) -> str:
        return f"[{', '.join(n if n[0] == 't' else ':' for n in labels) or '()'}]"

    def _shape(self, sizes: Sequence[Any]) -> str:
        out: list[str] = []
        for size in sizes:
            label = self._label(size)
            if label[0] not in "tn" and label not in ("1", "-1"):
                raise unsupported("it merges or splits dimensions")
            out.append(label.removeprefix("n"))
        return f"[{', '.join(out)}]"

    # ---- nodes ----

    def _placeholder(self, node: Node) -> None:
        number = len(self.names)
        host = [*self.parameters, *self.grads][number]
        self.names[node] = f"{host}_"
        if node.users:
            self.lines.append(f"{host}_ = {host}{self._index(self._labels(node))}")

    def _call(self, node: Node, twin: Node) -> None:
        target: Any = node.target
        arguments: list[Node] = [a for a in node.all_input_nodes]
        sums = frozenset().union(*[self.sums.get(a, frozenset()) for a in arguments])
        if target in _SAME:
            self.names[node] = self.names[arguments[0]]
        elif target is operator.getitem:
            self._define(node, f"{self.names[arguments[0]]}[{node.args[1]}]")
        elif target is _aten.scalar_tensor.default:
            self._define(node, f"torch.full([], {twin.args[0]!r}, dtype={node.meta['val'].dtype})")
        elif target in _VIEWS and self._labels(node) == self._labels(arguments[0]):
            self.names[node] = self.names[arguments[0]]
        elif target in _VIEWS:
            self._define(node, f"{self.names[arguments[0]]}.{_VIEWS[target]}({self._shape(node.args[1])})")  # pyright: ignore
            if sums and target is _aten.expand.default:
                raise _uses_again()
        elif target in (_aten.full.default, _aten.zeros.default, _aten.ones.default):
            value = twin.args[1] if target is _aten.full.default else int(target is _aten.ones.default)
            dtype = node.meta["val"].dtype
            self._define(node, f"torch.full({self._shape(node.args[0])}, {value!r}, dtype={dtype})")  # pyright: ignore
        elif target in _ALONG:
            if (mixed := self._mixed(node)) and target is not _aten.sum.dim_IntList:
                raise _of_a_tile()
            if sums and target is not _aten.sum.dim_IntList:
                raise _uses_again()
            sums |= mixed
            self._define(node, self._overload(node, twin))
        elif target in _LINEAR_VIEWS:
            self._define(node, self._overload(node, twin))
        elif torch.Tag.pointwise in target.tags or target in (_aten._to_copy.default, _aten.full_like.default):
            alone = len(arguments) == 1 and target in (_aten._to_copy.default, _aten.neg.default, _aten.mul.Tensor)
            alike = target is _aten.add.Tensor and all(self.sums.get(a) == sums for a in arguments)
            if sums and not alone and not alike:
                raise _uses_again()
            self._define(node, self._pointwise(node, twin))
        else:
            raise unsupported(f"its gradient needs {target}")
        if sums:
            self.sums[node] = sums

    def _define(self, node: Node, text: str) -> None:
        self.names[node] = f"v{len(self.names)}"
        self.lines.append(f"{self.names[node]} = {text}")

    def _mixed(self, node: Node) -> frozenset[Label]:
        """The tiles that an operator mixes the elements of."""
        schema: Any = node.target
        names = [a.name for a in schema._schema.arguments]
        dim: Any = node.args[names.index("dim")] if len(node.args) > names.index("dim") else node.kwargs.get("dim")
        labels = self._labels(node.args[0])  # pyright: ignore
        dims = range(len(labels)) if dim is None or dim == [] else [dim] if isinstance(dim, int) else dim
        return frozenset(labels[d] for d in dims if labels[d][0] == "t")

    def _pointwise(self, node: Node, twin: Node) -> str:
        target: Any = node.target
        symbol = _OPERATORS.get(target.overloadpacket.__name__)
        values = [self._value(a, b) for a, b in zip(node.args, twin.args)]
        if symbol and len(values) == 2 and not node.kwargs:
            return f"{values[0]} {symbol} {values[1]}"
        if target is _aten._to_copy.default:
            return f"{values[0]}.to({node.kwargs['dtype']})"
        return self._overload(node, twin)

    def _overload(self, node: Node, twin: Node) -> str:
        values = [self._value(a, b) for a, b in zip(node.args, twin.args)]
        kept = [k for k in node.kwargs if k not in _PLACES]
        values += [f"{k}={self._value(node.kwargs[k], twin.kwargs[k])}" for k in kept]
        packet = node.target.overloadpacket.__name__  # pyright: ignore
        plain = packet in _PLAIN and not kept
        return f"{f'torch.{packet}' if plain else f'torch.ops.{node.target}'}({', '.join(values)})"

    def _value(self, labelled: Any, actual: Any) -> str:
        if isinstance(labelled, Node):
            return self.names[labelled]
        if isinstance(actual, list | tuple):
            return f"[{', '.join(self._value(a, b) for a, b in zip(labelled, actual))}]"
        if isinstance(actual, float) and actual in (float("inf"), float("-inf")) or actual != actual:
            return f'float("{actual}")'
        return repr(actual)

    # ---- results ----

    def _outputs(self, node: Node) -> None:
        floats = [(i, p) for i, p in zip(self.graph.tensors, self.parameters) if self.inputs[i].is_floating_point()]
        for (i, name), value in zip(floats, node.args[0]):  # pyright: ignore
            self.lines += self._stored(i, name, value)

    def _stored(self, i: int, name: str, value: Node) -> Iterator[str] | list[str]:
        grad, dtype = f"grad_{name}", self.inputs[i].dtype
        if i not in self.graph.labels:
            self.allocations.append(f"{grad} = torch.zeros_like({name})")
            self.results.append(grad)
            return []
        index = self._index(self.graph.labels[i])
        if value not in self.sums:
            self.allocations.append(f"{grad} = torch.empty_like({name})")
            self.results.append(grad)
            return [f"{grad}{index} = {self.names[value]}"]
        # Programs add their parts up, in float32 where the dtype is narrower.
        wide = torch.promote_types(dtype, torch.float32)
        self.allocations.append(f"{grad} = torch.zeros_like({name}, dtype={wide})")
        self.results.append(grad if wide == dtype else f"{grad}.to({dtype})")
        subscript = index.replace(":", "slice(None)")
        return [f"hl.atomic_add({grad}, {subscript}, {self.names[value]}.to({wide}))"]
