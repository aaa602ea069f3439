"""What a kernel is given: host values that device code reads become its parameters."""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from sympy import Integer
from torch import SymInt
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, IntegerAttr, StringAttr
from xdsl.ir import Block, Operation, SSAValue

from helion_ir import exc
from helion_ir.dialects.index import ExprAttr
from helion_ir.dialects.types import RangeType, RefType, TileType, f32, i1, i32, i64, ref_type, tile_type
from helion_ir.frontend.alignment import ALIGNMENT
from helion_ir.frontend.dtypes import element_of
from helion_ir.frontend.host_text import host_text, last_offset, upper_bound
from helion_ir.frontend.subscripts import HostTensor
from helion_ir.frontend.values import HostBool, HostFloat
from helion_ir.index.expr import compiled, free_names, scalars_of, symbol
from helion_ir.records import is_record, with_fields

if TYPE_CHECKING:
    from sympy import Expr

    from helion_ir.frontend.trace import Trace

INT32_MAX = 2**31 - 1
PACKED = getattr(torch, "float4_e2m1fn_x2", None)
"""Two floats of four bits in a byte: device code reads the bytes."""


@dataclass
class Scalar:
    """An integer of the host that a kernel may use by name in expressions."""

    text: str
    """The host expression for its value at the launch."""
    hint: int | None
    """Its value in the call that is traced; None if only the run knows."""
    origin: str = ""
    """The expression for its value when the function is called."""

    def __post_init__(self) -> None:
        self.origin = self.origin or self.text

    @property
    def wide(self) -> bool:
        """Whether its value is known to exceed 32 bits."""
        return self.hint is not None and not -(2**31) <= self.hint <= INT32_MAX


class Arguments:
    """The parameters of the kernel being traced, and the host expressions to pass for them."""

    def __init__(self, trace: Trace):
        self.trace = trace
        self.block = Block()
        self.names: list[str] = []
        self.texts: list[str] = []
        self.scalars: dict[str, Scalar] = {}
        self.numbers: set[str] = set()
        """Which of the scalars are the author's own numbers, rather than sizes and strides."""
        self.specialized: dict[str, None] = {}
        self._tensors: dict[int, HostTensor] = {}
        self._numbers: dict[str, SSAValue] = {}
        self._functions: dict[int, str] = {}
        self._kept: list[Any] = []  # keys above are ids
        self._bytes: dict[int, torch.Tensor] = {}
        """Views that the host makes for device code, by the id of what they show."""

    # ---- integers ----

    def integer(self, name: str, text: str, hint: int | None) -> SymInt:
        """An integer that differs from call to call, as a size named after it."""
        name = self._unique(name)
        self.scalars[name] = Scalar(text, hint)
        return self.trace.sizes.symbol(symbol(name))

    def number(self, name: str, text: str, value: int) -> SymInt:
        """An integer argument or global: of either sign, and of 32 bits unless it exceeds them in this call."""
        name = self._unique(name)
        scalar = self.scalars[name] = Scalar(text, value)
        self.numbers.add(name)
        bounds = (-(2**63), 2**63 - 1) if scalar.wide else (-(2**31), INT32_MAX)
        return self.trace.sizes.symbol(symbol(name), bounds=bounds)

    def value_of(self, size: SymInt) -> int | None:
        """What a size is in the call that is traced; None if that depends on the configuration or on data."""
        from helion_ir.index.expr import compiled

        expr = self.trace.sizes.expr(size)
        hints = {n: self.scalars[n].hint for n in free_names(expr) if n in self.scalars}
        if len(hints) < len(free_names(expr)) or None in hints.values():
            return None
        return int(compiled(expr)(hints))

    def specialize(self, size: SymInt) -> int | None:
        """The value of a size in this call, on which the kernel then depends."""
        value = self.value_of(size)
        if value is not None:
            self.decided(free_names(self.trace.sizes.expr(size)))
        return value

    def is_one(self, size: SymInt) -> bool:
        """Whether a size is 1 in this call, on which the kernel then depends."""
        value = self.value_of(size)
        text = host_text(self.trace.sizes.expr(size), {n: s.origin for n, s in self.scalars.items()})
        if value is None or text is None:
            return False
        self.specialized[f"{text} == 1"] = None
        return value == 1

    def decided(self, names: Iterable[str]) -> None:
        """Remember that a decision was taken on the values of these arguments."""
        for name in sorted(names):
            if name.startswith("@"):
                raise exc.ShapeSpecializingCall(
                    f"the host decides on the tunable {name[1:]}, which only a configuration fixes; decide in the device loop"
                )
            self.specialized[self.scalars[name].origin if name in self.scalars else name] = None

    # ---- what device code reads ----

    def lift(self, value: Any, name: str, text: str) -> Any:
        """A host value as device code sees it.

        Args:
            value: A tensor, number, function, or container of those.
            name: What to call it as a parameter.
            text: The host expression that gives it at run time.
        """
        match value:
            case torch.Tensor() if value.dtype == PACKED:
                bytes_ = self._bytes.setdefault(id(value), value.view(torch.uint8))
                return self._tensor(bytes_, name, f"{text}.view(torch.uint8)")
            case torch.Tensor():
                return self._tensor(value, name, text)
            case HostFloat():
                return self._number(name, text, torch.float32, f32)
            case HostBool():
                return self._number(name, text, torch.bool, i1)
            case types.FunctionType():
                self._functions[id(value)] = text
                self._kept.append(value)
                return value
            case torch.Size():
                return tuple(value)
            case tuple() if hasattr(value, "_fields"):
                return type(value)(*[self.lift(v, f"{name}_{f}", f"{text}.{f}") for f, v in zip(value._fields, value)])  # pyright: ignore
            case tuple() | list():
                return type(value)(self.lift(v, f"{name}_{i}", f"{text}[{i}]") for i, v in enumerate(value))
            case dict():
                return {k: self.lift(v, f"{name}_{k}", f"{text}[{k!r}]") for k, v in value.items()}
            case _ if is_record(value):
                return with_fields(value, lambda f, v: self.lift(v, f"{name}_{f}", f"{text}.{f}"))
            case torch.Generator() | set() | frozenset() | Iterator():
                raise exc.CantReadOnDevice(
                    f"'{name}' is a {type(value).__name__}, which device code cannot use; pass numbers, strings, "
                    "functions, tensors, or lists, tuples and dicts of them"
                )
        return value

    def flattened(self, tensor: HostTensor) -> HostTensor:
        """A contiguous host tensor with one dimension; the host makes the view."""
        like = self._bytes.setdefault(id(tensor.like), tensor.like.view(-1))
        return self._tensor(like, f"{tensor.name}_flat", f"{self.texts[self.names.index(tensor.name)]}.view(-1)")

    def outside(self, value: Any, name: str, text: str) -> Any:
        """Like `lift`, for globals and closure cells: their numbers may change between calls, too."""
        if isinstance(value, bool):
            self.specialized[text] = None
            return value
        if type(value) is int:
            found = next((n for n, s in self.scalars.items() if s.origin == text), None)
            return self.trace.sizes.symbol(symbol(found)) if found else self.number(name, text, value)
        if type(value) is float:
            value = HostFloat.of(value, frozenset([text]), self.decided)
        return self.lift(value, name, text)

    def _tensor(self, like: torch.Tensor, name: str, text: str) -> HostTensor:
        if (known := self._tensors.get(id(like))) is None:
            name = self._unique(name)
            expr = self.trace.sizes.expr
            strides = [self._stride(like, i, name, text) for i in range(like.ndim)]
            type_ = ref_type([expr(d) for d in like.shape], element_of(like.dtype), strides)
            value = self._parameter(name, text, type_)
            known = self._tensors[id(like)] = HostTensor(self.trace, name, like, value)
            self._kept.append(like)
            if not like.is_meta:  # a global, or part of an object: nothing else says what it is
                self.specialized[f"(tuple({text}.shape), {text}.stride(), {text}.data_ptr() % {ALIGNMENT} == 0)"] = None
                self.trace.order.outside(like, like, text)
        return known

    def _stride(self, like: torch.Tensor, i: int, name: str, text: str) -> Expr:
        """A stride; of a tensor made by host code, what the tensor says when it is there."""
        expr = self.trace.sizes.expr(like.stride(i))
        if id(like) in self.trace.alignment.arguments or not scalars_of(expr):
            return expr
        size = self.integer(f"{name}_stride_{i}", f"{text}.stride({i})", self.value_of(like.stride(i)))  # pyright: ignore
        return self.trace.sizes.expr(size)

    def _number(self, name: str, text: str, dtype: torch.dtype, element: Any) -> Any:
        if (value := self._numbers.get(text)) is None:
            value = self._numbers[text] = self._parameter(self._unique(name), text, tile_type((), element))
        return self.trace.cap.tile(value, [], dtype)

    def _parameter(self, name: str, text: str, type_: RefType | TileType) -> SSAValue:
        value = self.block.insert_arg(type_, len(self.block.args))
        value.name_hint = name
        self.names.append(name)
        self.texts.append(text)
        return value

    def _unique(self, name: str) -> str:
        taken = {*self.names, *self.scalars}
        n, unique = 0, name
        while unique in taken:
            n += 1
            unique = f"{name}_{n}"
        return unique

    # ---- functions ----

    def closure(self, function: types.FunctionType) -> dict[str, Any]:
        """The variables of enclosing functions that a helper reads, as device code sees them."""
        text = self._functions.get(id(function), function.__name__)
        out: dict[str, Any] = {}
        for i, (name, cell) in enumerate(zip(function.__code__.co_freevars, function.__closure__ or ())):
            out[name] = self.outside(cell.cell_contents, name, f"{text}.__closure__[{i}].cell_contents")
        return out

    def globals(self, function: types.FunctionType, home: dict[str, Any]) -> Callable[[str], Any]:
        """Where a helper's other names come from. `home` are the globals of the kernel's own module."""
        import builtins

        module, found = function.__globals__, {}

        def find(name: str) -> Any:
            if name in found:
                return found[name]
            if name not in module:
                if hasattr(builtins, name):
                    return getattr(builtins, name)
                raise NameError(f"name '{name}' is not defined")
            text = name if module is home else f"__import__('sys').modules[{module.get('__name__')!r}].{name}"
            found[name] = self.outside(module[name], name, text)
            return found[name]

        return find

    # ---- the end ----

    def close(self, kernel: Operation) -> None:
        """Drop parameters that were only asked about; add those for the integers that expressions use by name."""
        for i in reversed(range(len(self.names))):
            if self.block.args[i].first_use is None:
                self.block.erase_arg(self.block.args[i])
                del self.names[i], self.texts[i]
        used: dict[str, None] = {}
        for op in kernel.walk():
            attributes = [*op.properties.values(), *[r.type for r in op.results], *[o.type for o in op.operands]]
            attributes += [a.type for r in op.regions for b in r.blocks for a in b.args]
            for attribute in attributes:
                for expr in _expressions(attribute):
                    for name in sorted(free_names(expr.data)):
                        if name in self.scalars:
                            used[name] = None
        self._describe(kernel)
        for name in used:
            scalar = self.scalars[name]
            if name in self.numbers:
                self.specialized[f"{-(2**31)} <= {scalar.origin} <= {INT32_MAX}"] = None
            value = self.block.insert_arg(tile_type((), i64 if scalar.wide else i32), len(self.block.args))
            value.name_hint = name
            self.names.append(name)
            self.texts.append(scalar.text)

    def _describe(self, kernel: Operation) -> None:
        """Say of the tensors what their types do not, and what the numbers are that extents of tiles depend on."""
        tensors = [t for t in self._tensors.values() if t.name in self.names]
        lists = {
            "unaligned": [t.name for t in tensors if not self.trace.alignment.holds(t.like)],
            "wide": [t.name for t in tensors if self._wide(t)],
        }
        for key, names in lists.items():
            if names:
                kernel.properties[key] = ArrayAttr([StringAttr(n) for n in names])
        if allocations := self.trace.alignment.allocations([(t.name, t.like) for t in tensors]):
            groups = [ArrayAttr([StringAttr(n) for n in group]) for group in allocations]
            kernel.properties["allocations"] = ArrayAttr(groups)
        hints: dict[str, IntegerAttr] = {}
        for op in kernel.walk():
            types = [*[r.type for r in op.results], *[a.type for r in op.regions for b in r.blocks for a in b.args]]
            for expr in [e for t in types if not isinstance(t, RefType) for e in _expressions(t)]:
                for name in sorted(scalars_of(expr.data)):
                    hint = self.scalars[name].hint if name in self.scalars else None
                    if hint is not None:
                        hints[name] = IntegerAttr(hint, i64)
        if hints:
            kernel.properties["hints"] = DictionaryAttr(hints)

    def _wide(self, tensor: HostTensor) -> bool:
        """Whether offsets into a tensor need 64 bits, beyond what its type says."""
        wanted, like = self.trace.wanted_index_dtype, tensor.like
        if wanted == torch.int64:
            return True
        if wanted == torch.int32:
            if self.large(like):
                raise exc.IndexOffsetOutOfRangeForInt32(
                    f"offsets into '{tensor.name}' exceed 32 bits, but index_dtype=torch.int32"
                )
            return False
        if not any(isinstance(n, SymInt) for n in (*like.shape, *like.stride())):
            return False
        return self.large(like) is not False

    def _counted(self, bound: Expr) -> bool:
        """Whether a number is that of the elements of an argument that is not large, as its key says."""
        expr = self.trace.sizes.expr
        hints = {n: s.hint for n, s in self.scalars.items()}
        return any(
            bound == math.prod([expr(d) for d in meta.shape], start=Integer(1)) and compiled(bound)(hints) <= INT32_MAX
            for meta in self.trace.alignment.metas
        )

    def large(self, like: torch.Tensor) -> bool | None:
        """Whether 32 bits cannot count a tensor's elements, or the offset of its last one; None if only data says.

        Of arguments the key of a call says the same; on what host code makes, the kernel then depends.
        """
        expr = self.trace.sizes.expr
        dims = tuple(expr(d) for d in like.shape)
        bounds = [math.prod(dims, start=Integer(1)), last_offset(dims, tuple(expr(s) for s in like.stride()))]
        if id(like) not in self.trace.alignment.arguments:
            bounds = list(dict.fromkeys(upper_bound(b) for b in bounds))
            if all(self._counted(b) for b in bounds):
                return False
            texts = {n: s.origin for n, s in self.scalars.items() if s.hint is not None}
            for bound in bounds:
                text = host_text(bound, texts)
                if text is None:
                    return None
                if not bound.is_Integer:
                    self.specialized[f"{text} > {INT32_MAX}"] = None
        hints = {n: s.hint for n, s in self.scalars.items()}
        return any(compiled(b)(hints) > INT32_MAX for b in bounds)


def _expressions(attribute: Any) -> Iterable[ExprAttr]:
    match attribute:
        case ExprAttr():
            return [attribute]
        case TileType():
            return attribute.shape
        case RefType():
            return [*attribute.shape, *attribute.strides]
        case RangeType():
            return [attribute.block]
    data = getattr(attribute, "data", None)
    return [e for e in data if isinstance(e, ExprAttr)] if isinstance(data, tuple) else []
