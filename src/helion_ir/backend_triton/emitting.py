"""The walk that prints kernels, and the registry of emitters: one small function a class of op."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy
from sympy import Expr
from xdsl.dialects.builtin import AnyFloat, IntegerAttr, IntegerType, StringAttr
from xdsl.ir import Attribute, Block, Operation, SSAValue

from helion_ir.backend_triton.errors import TritonPrintError
from helion_ir.backend_triton.origins import origin_line, origin_of
from helion_ir.backend_triton.printed import PLAIN, HostDescriptor, Kernel, PrintOptions
from helion_ir.backend_triton.spelling import dtype_text, identifier, kernel_format, literal_text
from helion_ir.dialects.index import ExprAttr, expr_attr
from helion_ir.dialects.knob import KnobValue, ValueAttr
from helion_ir.dialects.operation import operands_of
from helion_ir.dialects.types import TileType
from helion_ir.index.expr import as_expr, compiled, free_names, knob, knobs_of, substitute

Emitter = Callable[["KernelPrinter", Any], None]

EMITTERS: dict[type[Operation], Emitter] = {}


def emitter(kind: type[Operation]) -> Callable[[Emitter], Emitter]:
    """Register how ops of a class are printed.

    >>> from xdsl.dialects.test import TestOp
    >>> @emitter(TestOp)
    ... def emit_test(p, op):
    ...     p.line(f"tl.device_print({p.names[op.operands[0]]})")
    """

    def register(emit: Emitter) -> Emitter:
        EMITTERS[kind] = emit
        return emit

    return register


@dataclass
class Grid:
    """What a kernel's `triton.program_loop` says about its launch; the host's printer evaluates it."""

    totals: tuple[ExprAttr, ...]
    """Virtual programs of each of the kernel's loops."""
    kind: KnobValue
    multiplier: Attribute | None
    reserved: Attribute | None = None
    """Multiprocessors to leave free."""
    axes: tuple[ExprAttr, ...] = ()
    """Programs along each axis, for the kind "xyz"."""
    on_device: bool = False
    """Whether the totals are known on the device alone."""

    @functools.cached_property
    def total(self) -> ExprAttr:
        """Virtual programs of all loops."""
        return self.totals[0] if len(self.totals) == 1 else expr_attr(sympy.Add(*[t.data for t in self.totals]))


@dataclass
class KernelText:
    """Printed kernels, before anything of one configuration but what the text depends on."""

    text: str = ""
    kernels: dict[str, Kernel] = field(default_factory=dict)
    grids: dict[str, Grid] = field(default_factory=dict)
    evictions: frozenset[str] = frozenset()
    """Constexpr parameters that are eviction policies, whose values Triton calls otherwise than knobs do."""
    decisions: dict[Expr, KnobValue] = field(default_factory=dict)
    """The expressions over knobs whose values the text shows, in the order in which they were read."""


class KernelPrinter:
    """Lines of Triton for the ops it walks.

    An open decision is an expression over knobs, evaluated under `assignment`; in concrete IR the same place holds a
    value, so the same emitters print both.
    """

    def __init__(self, assignment: Mapping[str, KnobValue], options: PrintOptions = PLAIN):
        self.assignment = assignment
        self.decisions: dict[Expr, KnobValue] = {}
        """Those that the text has shown so far; see `KernelText`."""
        self.options = options
        self.origin: tuple[str, int] | None = None
        """The author's line that the last comment shows."""
        self.lines: list[str] = []
        self.indent = ""
        self.names: dict[SSAValue, str] = {}
        self.inline: set[SSAValue] = set()
        """Values without a line of their own: constants printed where they are used."""
        self.undefined: set[SSAValue] = set()
        """Values that an alternative gives only because another has something to give."""
        self.constexprs: frozenset[str] = frozenset()
        self.kernel = ""
        self.unnamed = 0
        self.functions: list[list[str]] = []
        """Combine functions, printed above the kernel."""
        self.library: set[str] = set()
        self.evictions: set[str] = set()
        self.uses_libdevice = False
        self.uses_descriptors = False
        self.host_descriptors: dict[str, HostDescriptor] = {}
        """Of the kernel that is being printed, by parameter."""
        self.grids: dict[str, Grid] = {}
        self.kernels: dict[str, Kernel] = {}

    # Text

    def line(self, text: str) -> None:
        self.lines.append(self.indent + text)

    def define(self, value: SSAValue) -> str:
        """The name of a value from here on: its hint, which assign-names made unique in its kernel."""
        if (hint := value.name_hint) is not None:
            name = identifier(hint)
        else:
            # xDSL drops the digits of a hint like this, so it cannot clash with one.
            name = f"v_{self.unnamed}"
            self.unnamed += 1
        self.names[value] = name
        return name

    def result(self, op: Operation, text: str) -> None:
        """Assign an expression to the op's one result."""
        value = op.results[0]
        self.lines.append(f"{self.indent}{self.define(value)} = {text}")
        if self.options.dtype_asserts:
            self._assert_dtype(value)

    def _assert_dtype(self, value: SSAValue) -> None:
        """What a tile's dtype must be; scalars may be numbers of Python's, and pointers have none."""
        type_ = value.type
        if isinstance(type_, TileType) and type_.rank and isinstance(type_.element_type, IntegerType | AnyFloat):
            name, dtype = self.names[value], dtype_text(type_.element_type)
            self.line(f'tl.static_assert({name}.dtype == {dtype}, "{name} must be of dtype {dtype}")')

    def operands(self, op: Operation) -> list[str]:
        """The names of the op's operands."""
        names = self.names
        return [names[v] for v in operands_of(op)]

    def name(self, value: SSAValue) -> str:
        """The name of a value defined before. Raises TritonPrintError where the kernel cannot see it."""
        try:
            return self.names[value]
        except KeyError:
            hint = value.name_hint or "a value"
            raise TritonPrintError(
                f"{hint} is used where Triton cannot see it, such as in a combine function"
            ) from None

    def typed(self, value: SSAValue) -> str:
        """A value that must have its own type, such as a loop's initial value, which no literal of Python has."""
        name = self.name(value)
        if value not in self.inline:
            return name
        assert isinstance(value.type, TileType)
        return f"tl.full([], {name}, {dtype_text(value.type.element_type)})"

    def assign(self, targets: Sequence[str], sources: Sequence[str]) -> None:
        """`targets = sources`, all at once."""
        pairs = [(t, s) for t, s in zip(targets, sources) if t != s]
        clash = any(s == pairs[j][0] for i, (_, s) in enumerate(pairs) for j in range(i))
        if clash:
            self.line(f"{', '.join(t for t, _ in pairs)} = {', '.join(s for _, s in pairs)}")
        else:
            for target, source in pairs:
                self.line(f"{target} = {source}")

    # Decisions

    def value(self, attr: Attribute) -> KnobValue:
        """What an attribute stands for in this configuration."""
        kind = type(attr)
        if kind is ExprAttr:
            return self._decided(attr.data)  # pyright: ignore
        if kind is ValueAttr or kind is StringAttr:
            return attr.data  # pyright: ignore
        if kind is IntegerAttr:
            flag = attr.type.width.data == 1 if hasattr(attr.type, "width") else False  # pyright: ignore
            return bool(attr.value.data) if flag else attr.value.data  # pyright: ignore
        raise TritonPrintError(f"not a knob's value: {attr}")

    def _decided(self, e: Expr) -> KnobValue:
        try:
            value = self.decisions[e] = compiled(e)(self.assignment)
        except KeyError as missing:
            raise open_knob(missing.args[0]) from None
        return value

    def _closed(self, e: Expr) -> Expr:
        """`e` without knobs; after lift-constexprs there are none where text is printed."""
        if not (names := knobs_of(e)):
            return e
        for name in sorted(names):
            self._decided(knob(name))
        return closed(e, self.assignment)

    def literal(self, attr: Attribute) -> str:
        """An option as printed: a constexpr parameter's name, or a literal."""
        if type(attr) is ExprAttr and (names := free_names(attr.data)) and not all(n[0] == "@" for n in names):
            return self.expr(attr)
        return literal_text(self.value(attr))

    def expr(self, attr: ExprAttr, operands: Sequence[str] = ()) -> str:
        """An index expression over these operands, the kernel's parameters and, in hand-written IR, knobs."""
        text = kernel_format(self._closed(attr.data), self.constexprs)
        return text.format(*operands) if operands else text

    def shape(self, dims: Sequence[ExprAttr]) -> str:
        """`[block_m, 64]`."""
        return f"[{', '.join([self.constant(d) for d in dims])}]"

    def constant(self, attr: ExprAttr) -> str:
        """An extent of a tile, or a bound of a loop unrolled entirely: Triton must know it when it compiles."""
        return kernel_format(self._closed(attr.data), self.constexprs, True)

    # Structure

    def op(self, op: Operation) -> None:
        try:
            emit = EMITTERS[type(op)]
        except KeyError:
            raise TritonPrintError(
                f"nothing says how to print {op.name}: lower it, or register a function with @emitter"
            ) from None
        if not self.options.origin_lines:
            emit(self, op)
            return
        lines, start = self.lines, len(self.lines)
        if op.regions:
            self._origin(op, start)
        emit(self, op)
        if self.lines is lines and len(lines) > start and not op.regions:  # some ops print where they are used
            self._origin(op, start)

    def _origin(self, op: Operation, at: int) -> None:
        """Show the author's line that an op comes from, above the line `at`, where it is another than before."""
        found = origin_of(op.location)
        if found is not None and found != self.origin:
            self.origin = found
            self.lines.insert(at, self.indent + origin_line(*found))

    def block(self, block: Block) -> None:
        """The ops of a block."""
        emitters, annotated = EMITTERS, self.options.origin_lines
        op = block.first_op
        while op is not None:
            emit = emitters.get(type(op))
            if emit is None or annotated:
                self.op(op)
            else:
                emit(self, op)
            op = op.next_op

    def nested(self, block: Block, targets: Sequence[str] = (), first: str = "") -> None:
        """A line if there is one, and the ops of a block, one level deeper; its values are assigned to these names."""
        outer = self.indent
        self.indent = outer + "    "
        start = len(self.lines)
        if first:
            self.line(first)
        self.block(block)
        if targets and (last := block.last_op) is not None:
            known = [(t, v) for t, v in zip(targets, last.operands) if v not in self.undefined]
            self.assign([t for t, _ in known], [self.typed(v) for _, v in known])
        if len(self.lines) == start:
            self.line("pass")
        self.indent = outer


def closed(e: Expr, assignment: Mapping[str, KnobValue]) -> Expr:
    """`e` with the knobs it reads replaced."""
    if not (names := knobs_of(e)):
        return e
    try:
        return _bound(e, tuple((n, assignment[n]) for n in sorted(names)))
    except KeyError as missing:
        raise open_knob(missing.args[0]) from None


@functools.lru_cache(65536)
def _bound(e: Expr, values: tuple[tuple[str, KnobValue], ...]) -> Expr:
    return substitute(e, {knob(n): as_expr(v) for n, v in values})


def open_knob(name: str) -> TritonPrintError:
    """The error for a knob without a value."""
    return TritonPrintError(f"@{name} is open: give the printer an assignment, or run materialize-config first")
