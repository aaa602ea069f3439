"""The gradient of a kernel as a graph of PyTorch's operators on whole tensors: its body run eagerly under autograd.

A kernel of one device loop without tile-local values computes on whole tensors what it computes on tiles, so that
PyTorch derives the gradient. Which dimension is which the graph does not say: it is made a second time with a length
of its own for every tile and axis.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch._decomp import get_decompositions
from torch.fx.experimental.proxy_tensor import make_fx

from helion_ir import exc
from helion_ir.language import active
from helion_ir.runtime.eager_access import EagerTile
from helion_ir.runtime.eager_language import EagerLanguage, TileSubscripts

_aten = torch.ops.aten
Label = str
"""A dimension: `t0` of the loop's first tile, `n13` of an axis of 13 elements that is loaded whole, `1`."""
_ALLOWED = frozenset(
    "tile full zeros cdiv next_power_of_2 constexpr specialize register_block_size register_tunable".split()
)
_LENGTHS = (10007, 10009, 10037, 10039, 10061, 10067, 10069, 10079)
"""Primes, to tell dimensions apart by their lengths."""


@dataclass(frozen=True)
class GradientGraph:
    """What a backward kernel is written from."""

    tensors: tuple[int, ...]
    """Which inputs are tensors; their gradients are asked for where they are floats."""
    labels: Mapping[int, tuple[Label, ...]]
    """The dimensions of the inputs that are loaded, by position."""
    tiles: int
    outputs: int
    lengths: Mapping[int, Label]
    """Of the lengths in `labelled` and `forward`."""
    forward: torch.fx.Graph
    """What the kernel computes."""
    labelled: torch.fx.Graph
    """Of tensors whose dimensions have these lengths; the inputs that are tensors and the outputs' gradients come in."""
    actual: torch.fx.Graph
    """The same graph of tensors of their own sizes, on which constants may depend."""


def unsupported(what: str) -> exc.AutodiffNotSupported:
    return exc.AutodiffNotSupported(f"no gradient of this kernel: {what}")


def gradient_graph(function: Callable[..., Any], inputs: Sequence[Any], config: Any) -> GradientGraph:
    """The graph of the gradient of `function` with respect to the float tensors among `inputs`."""
    tensors = tuple(i for i, v in enumerate(inputs) if isinstance(v, torch.Tensor))

    def shaped(size: Callable[[int, int, int], int]) -> list[torch.Tensor]:
        return [
            torch.empty(
                [size(i, axis, n) for axis, n in enumerate(inputs[i].shape)], dtype=inputs[i].dtype, device="meta"
            )
            for i in tensors
        ]

    def run(given: Sequence[torch.Tensor]) -> tuple[_Whole, tuple[torch.Tensor, ...]]:
        arguments = list(inputs)
        for i, tensor in zip(tensors, given):
            arguments[i] = tensor
        language = _Whole(config, {id(t): i for i, t in zip(tensors, given)})
        with active.using(language), _WholeSubscripts(language):
            returned = function(*arguments)
        return language, language.outputs(returned)

    language, first = run(shaped(lambda i, axis, n: n))
    used = dict.fromkeys(label for labels in language.labels.values() for label in labels if label != "1")
    if len(used) > len(_LENGTHS):
        raise unsupported(f"it has more than {len(_LENGTHS)} different dimensions")
    length_of = dict(zip(used, _LENGTHS))

    def length(i: int, axis: int, n: int) -> int:
        return length_of.get(language.labels[i][axis], n) if i in language.labels else n

    def graph(given: Sequence[torch.Tensor]) -> torch.fx.Graph:
        floats = [k for k, t in enumerate(given) if t.is_floating_point()]

        def pulled(all_: Sequence[torch.Tensor], grads: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
            def outputs(*differentiated: torch.Tensor) -> tuple[torch.Tensor, ...]:
                tensors_ = list(all_)
                for k, t in zip(floats, differentiated):
                    tensors_[k] = t
                return run(tensors_)[1]

            pull: Any = torch.func.vjp(outputs, *[all_[k] for k in floats])[1]
            return pull(tuple(grads))

        grads = [torch.empty_like(o) for o in run(given)[1]]
        made = make_fx(pulled, decomposition_table=decompositions)(list(given), grads).graph
        made.eliminate_dead_code()
        return made

    decompositions: Any = get_decompositions([_aten.native_layer_norm, _aten.native_layer_norm_backward])
    try:
        actual, labelled = graph(shaped(lambda i, axis, n: n)), graph(shaped(length))
        forward = make_fx(lambda given: run(given)[1], decomposition_table=decompositions)(shaped(length)).graph
    except exc.Base:
        raise
    except Exception as error:  # PyTorch differentiates here, and raises classes of every kind; the author sees which
        raise unsupported(f"{type(error).__name__}: {error}") from error
    if [n.target for n in actual.nodes] != [n.target for n in labelled.nodes]:
        raise unsupported("what it computes depends on sizes")
    lengths = {n: label for label, n in length_of.items()}
    return GradientGraph(tensors, language.labels, language.tiles, len(first), lengths, forward, labelled, actual)


class _Whole(EagerLanguage):
    """The reference mode with whole loads and stores, which are remembered."""

    def __init__(self, config: Any, inputs: Mapping[int, int]):
        super().__init__(torch.device("meta"), config, (exc.BaseWarning,), False)
        self.inputs = inputs
        """Position of a tensor among the arguments, by its id."""
        self.labels: dict[int, tuple[Label, ...]] = {}
        self.stored: dict[int, torch.Tensor] = {}
        self.tiles = 0
        self._kept: list[torch.Tensor] = []

    def function(self, name: str) -> Callable[..., Any]:
        if name not in _ALLOWED:
            raise unsupported(f"it uses hl.{name}")
        return getattr(self, name)

    def tile(self, begin_or_end: Any, end: Any, *, block_size: Any = None) -> Any:
        if self.depth or self.tiles:
            raise unsupported("it has more than one loop over tiles")
        rows = [*super().tile(begin_or_end, end)]
        if len(rows) != 1:
            raise unsupported("its loop over tiles runs over nothing")
        tiles = rows[0] if isinstance(rows[0], tuple) else (rows[0],)
        if any(t.first for t in tiles):
            raise unsupported("its loop does not begin at 0")
        for number, t in enumerate(tiles):
            t.name = f"t{number}"
        self.tiles = len(tiles)
        return self._entered(iter(rows))

    def whole(self, x: torch.Tensor, index: Any) -> tuple[tuple[Label, ...], tuple[Any, ...]]:
        """The labels of a host tensor's dimensions, and a subscript of PyTorch's that selects all of it."""
        items = list(index) if isinstance(index, tuple) else [index]
        missing = x.ndim - sum(i is not None and i is not Ellipsis for i in items)
        at = next((n for n, i in enumerate(items) if i is Ellipsis), None)
        rest: list[Any] = [slice(None)] * missing
        items = [*items, *rest] if at is None else [*items[:at], *rest, *items[at + 1 :]]
        labels: list[Label] = []
        for item in items:
            if item is None:
                continue
            size = x.size(len(labels))
            if isinstance(item, EagerTile) and size in (1, item.last):
                labels.append("1" if size == 1 else item.name)
            elif isinstance(item, slice) and item.indices(size) == (0, size, 1):
                labels.append("1" if size == 1 else f"n{size}")
            else:
                raise unsupported("a subscript is neither a tile of the whole extent nor a whole axis")
        return tuple(labels), tuple(None if i is None else slice(None) for i in items)

    def loaded(self, x: torch.Tensor, index: Any) -> torch.Tensor:
        position = self.inputs.get(id(x))
        if position is None:
            raise unsupported("it loads a tensor that is no argument, or one that it stores to")
        labels, subscript = self.whole(x, index)
        if self.labels.setdefault(position, labels) != labels:
            raise unsupported("it loads one tensor by different tiles")
        return x[subscript]

    def store_whole(self, x: torch.Tensor, index: Any, value: Any) -> None:
        _, subscript = self.whole(x, index)
        if id(x) in self.stored or id(x) in self.inputs:
            raise unsupported("it stores twice to one tensor, or to an argument")
        if not isinstance(value, torch.Tensor):
            value = torch.full([], value, device="meta")
        self._kept.append(x)
        self.stored[id(x)] = value.to(x.dtype).expand(x[subscript].shape).reshape(x.shape)

    def outputs(self, returned: Any) -> tuple[torch.Tensor, ...]:
        values = returned if isinstance(returned, tuple | list) else (returned,)
        if not values or any(id(v) not in self.stored for v in values):
            raise unsupported("it returns something else than tensors that it stores to")
        return tuple(self.stored[id(v)] for v in values)


class _WholeSubscripts(TileSubscripts):
    """Subscripts of host tensors are whole loads and stores."""

    def __torch_function__(self, func: Any, kinds: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        language = self.language
        assert isinstance(language, _Whole)
        if language.depth and func is torch.Tensor.__setitem__:
            with torch._C.DisableTorchFunction():
                return language.store_whole(*args)
        if language.depth and func is torch.Tensor.__getitem__:
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            if id(args[0]) in language.inputs or any(isinstance(i, EagerTile) for i in index):
                with torch._C.DisableTorchFunction():
                    return language.loaded(*args)
            return func(*args)
        return super().__torch_function__(func, kinds, args, kwargs)
