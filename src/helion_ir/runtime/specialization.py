"""The specialization key: what about a call's arguments decides which compiled kernel serves it."""

from __future__ import annotations

import dataclasses
import functools
import types
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch._subclasses import FakeTensor

from helion_ir.language.tunables import constexpr
from helion_ir.records import fields_of, is_record

Key = Callable[[Any], Hashable]

INT32_ELEMENTS = 2**31 - 1
"""Tensors of more elements need 64-bit offsets."""

ALIGNMENT = 16
"""Bytes of which a tensor's address must be a multiple for it to have a descriptor."""


@dataclasses.dataclass(frozen=True)
class Specializer:
    """Computes keys under two settings; called on every launch, so types are looked up, not tested.

    >>> s = Specializer(static_shapes=True, any_index_dtype=True)
    >>> s.key(3) == s.key(4), s.key("a") == s.key("b")
    (True, False)
    """

    static_shapes: bool
    any_index_dtype: bool
    """Whether large tensors need a kernel of their own, or an error: not where all offsets have 64 bits anyway."""
    by_type: dict[type, Key] = dataclasses.field(default_factory=dict, compare=False, repr=False)

    def key(self, value: Any) -> Hashable:
        """The key of one argument. Raises TypeError, naming the type, for what a kernel cannot take."""
        found = self.by_type.get(type(value))
        if found is None:
            found = self.by_type[type(value)] = self._of_type(value)
        return found(value)

    def keys(self, values: Sequence[Any]) -> tuple[Hashable, ...]:
        """The keys of the arguments in order."""
        by_type = self.by_type
        try:
            return tuple([by_type[type(v)](v) for v in values])
        except KeyError:
            return tuple([self.key(v) for v in values])

    def _of_type(self, value: Any) -> Key:
        kind = type(value)
        if isinstance(value, torch.Tensor):
            if not self.static_shapes:
                return self._dynamic_tensor
            return _static_fake_tensor if isinstance(value, FakeTensor) else _static_tensor
        if isinstance(value, bool):
            return lambda v: bool
        if isinstance(value, (int, float)):
            plain = int if isinstance(value, int) else float
            return lambda v: plain
        if value is None or isinstance(value, (str, torch.dtype, torch.device)):
            return lambda v: v
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return lambda v: (kind, *[(n, self.key(getattr(v, n))) for n in v._fields])
        if isinstance(value, (list, tuple)):
            return lambda v: (kind, *[self.key(x) for x in v])
        if isinstance(value, Mapping):
            return lambda v: (kind, *[(n, self.key(x)) for n, x in v.items()])
        if is_record(value):
            return lambda v: (kind, *[(n, self.key(x)) for n, x in fields_of(v).items()])
        if isinstance(value, types.FunctionType):
            return self._function
        if isinstance(value, (types.BuiltinFunctionType, types.MethodType)) or _is_torch_op(value):
            return lambda v: v
        if is_constexpr(value):
            return lambda v: ("constexpr", type(v.value), v.value)
        if isinstance(value, torch.fx.GraphModule):
            return _graph_module
        raise TypeError(
            f"a kernel cannot take an argument of type {kind.__module__}.{kind.__qualname__}; it takes tensors, numbers, "
            "strings, dtypes, devices, None, functions, and lists, tuples, dicts and dataclasses of them"
        )

    def _function(self, fn: types.FunctionType) -> Hashable:
        # Of a closure only the kinds of what it holds: a value is read anew on every call.
        cells = tuple([self.key(c.cell_contents) for c in fn.__closure__ or ()])
        return (fn.__code__, cells, fn.__defaults__)

    def _dynamic_tensor(self, t: torch.Tensor) -> Hashable:
        stride = t.stride()
        # Sizes and strides are arguments of the kernel but for one: where elements are next to each other in memory.
        unit = stride[::-1].index(1) if 1 in stride else -1
        key = (t.dtype, len(stride), unit, self.any_index_dtype and _is_large(t), _aligned(t))
        marked = getattr(t, "_dynamo_static_indices", None)
        return key if not marked else (*key, tuple([(i, t.shape[i]) for i in sorted(marked)]))


def _is_large(t: torch.Tensor) -> bool:
    """Whether 32 bits cannot count a tensor's elements, or say the offset of its last one."""
    last = 0
    for n, stride in zip(t.shape, t.stride()):
        last += (n - 1) * stride
    return last > INT32_ELEMENTS or t.numel() > INT32_ELEMENTS


def _aligned(t: torch.Tensor) -> bool:
    return isinstance(t, FakeTensor) or t.data_ptr() % ALIGNMENT == 0


def _static_tensor(t: torch.Tensor) -> Hashable:
    return (t.dtype, t.shape, t.stride(), t.data_ptr() % ALIGNMENT == 0)


def _static_fake_tensor(t: torch.Tensor) -> Hashable:
    return (t.dtype, t.shape, t.stride(), True)  # its data will be allocated, hence aligned


def _is_torch_op(value: object) -> bool:
    return isinstance(value, (torch._ops.OpOverload, torch._ops.OpOverloadPacket, torch.jit.ScriptFunction))


def _graph_module(module: torch.fx.GraphModule) -> Hashable:
    for node in module.graph.nodes:
        if node.op in ("call_module", "get_attr"):
            from helion_ir import exc

            raise exc.GraphModuleUnsupportedOps(f"{node.op} {node.target}")
    return ("graph", module.code)


def is_constexpr(value: object) -> bool:
    """Whether a value is wrapped in `hl.constexpr`."""
    return isinstance(value, constexpr)


@functools.cache
def capability(device: torch.device) -> tuple[int, int] | None:
    """The compute capability of a GPU, None of other devices."""
    return torch.cuda.get_device_capability(device) if device.type == "cuda" else None


def tensors_in(values: object) -> Iterator[torch.Tensor]:
    """The tensors in arguments, looking into lists, tuples, dicts and dataclasses."""
    if isinstance(values, torch.Tensor):
        yield values
    elif isinstance(values, Mapping):
        for v in values.values():
            yield from tensors_in(v)
    elif isinstance(values, (list, tuple)):
        for v in values:
            yield from tensors_in(v)
    elif is_record(values):
        yield from tensors_in(fields_of(values))


def aliases(values: object) -> tuple[int, ...]:
    """Which tensors are the same object: for each, the position of its first occurrence; () where all differ.

    >>> x, y = torch.ones(2), torch.ones(2)
    >>> aliases([x, y, (y, 3)]), aliases([x, y])
    ((0, 1, 1), ())
    """
    first: dict[int, int] = {}
    pattern = tuple([first.setdefault(id(t), i) for i, t in enumerate(tensors_in(values))])
    return pattern if len(first) < len(pattern) else ()


def device_of(values: object) -> torch.device | None:
    """The device of the first tensor or `torch.device` in arguments, looking into lists, tuples, dicts and dataclasses."""
    if isinstance(values, torch.Tensor):
        return values.device
    if isinstance(values, torch.device):
        return values
    if is_record(values):
        values = fields_of(values)
    if isinstance(values, Mapping):
        values = list(values.values())
    if isinstance(values, (list, tuple)):
        for v in values:
            if (found := device_of(v)) is not None:
                return found
    return None


def stable_text(key: object) -> str:
    """Text of a key that is the same in every process, for stores on disk.

    >>> stable_text((int, "a", None, (torch.float16, torch.Size([2, 3]))))
    "(int, 'a', None, (torch.float16, (2, 3)))"
    """
    if isinstance(key, type):
        return key.__qualname__
    if isinstance(key, (tuple, list)):
        return f"({', '.join(stable_text(k) for k in key)})"
    if isinstance(key, types.CodeType):
        return f"{key.co_name}:{key.co_code.hex()}:{stable_text(key.co_consts)}:{stable_text(key.co_names)}"
    if isinstance(key, (types.BuiltinFunctionType, types.MethodType)):
        return key.__qualname__
    if isinstance(key, frozenset):
        return stable_text(sorted(key, key=repr))
    return repr(key)
