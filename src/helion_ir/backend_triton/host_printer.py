"""The host's function around the kernels: the author's statements, and launches with one configuration's numbers."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sympy import Expr, Symbol
from xdsl.dialects.builtin import IntegerAttr, ModuleOp
from xdsl.ir import Attribute, Operation

from helion_ir.backend_triton.emit_control import scalars
from helion_ir.backend_triton.emit_memory import eviction_policy
from helion_ir.backend_triton.emitting import Grid, KernelPrinter, KernelText, closed, open_knob
from helion_ir.backend_triton.errors import TritonPrintError
from helion_ir.backend_triton.printed import HostDescriptor, Launch
from helion_ir.backend_triton.spelling import argument_value, call_text, host_text, literal_text
from helion_ir.dialects.host import BindOp, FuncOp, LaunchOp, PythonOp
from helion_ir.dialects.index import ExprAttr
from helion_ir.dialects.knob import KnobValue
from helion_ir.dialects.operation import ops_of
from helion_ir.dialects.triton.control import TOTAL, KernelOp
from helion_ir.index.expr import Evaluator, compiled, free_names, knobs_of, scalars_of, value_of

_LAUNCHER = """\
def _default_launcher(kernel, grid, *args, **options):
    return kernel[grid](*args, **options)
"""

_DESCRIPTOR_LAUNCHER = """\
def _allocate(size, alignment, stream):
    return torch.empty(size, dtype=torch.int8, device="cuda")


def _default_launcher(kernel, grid, *args, **options):
    triton.set_allocator(_allocate)
    return kernel[grid](*args, **options)
"""

_HOST_DESCRIPTOR = "from triton.tools.tensor_descriptor import TensorDescriptor"

_MULTIPROCESSORS = """\
@functools.cache
def _multiprocessors(device):
    if device.type == "cpu":
        return 3
    return torch.cuda.get_device_properties(device).multi_processor_count
"""


UNKNOWN_EXTENT = 128
"""What an extent that the trace left open counts as where a kernel is compiled without a call."""


Values = Mapping[str, KnobValue]
Number = Callable[[Values], tuple[str, KnobValue]]
"""From an assignment to a number as Python, and its value; where it reads run-time scalars the value is the text."""


@dataclass(frozen=True)
class HostText:
    """The host's part of one configuration."""

    text: str
    functions: tuple[str, ...]
    launches: tuple[Launch, ...]


class HostPrinter:
    """Prints the host's functions around printed kernels, for as many assignments as these kernels serve.

    What no assignment changes is done when it is made: printing a configuration evaluates numbers and joins pieces.
    """

    def __init__(self, module: ModuleOp, kernels: KernelText):
        self.kernels = kernels
        ops = ops_of(module.body.block)
        self.kernel_ops = {op.sym_name.data: op for op in ops if type(op) is KernelOp}
        hosts = [op for op in ops if type(op) is FuncOp]
        self.functions = tuple([op.sym_name.data for op in hosts])
        self._uses_multiprocessors = False
        self._parts: list[str | Callable[[Values, list[Launch]], str]] = []
        for op in hosts:
            self._function(op)
        if not hosts:  # one launch a kernel all the same
            self._parts += [self._launch(n, tuple(k.parameters), "") for n, k in kernels.kernels.items()]
        self._head = self._helpers(hosts) if hosts else ""

    def __call__(self, assignment: Values) -> HostText:
        """Print for one assignment. The text is empty where the module has no host.func."""
        launches: list[Launch] = []
        pieces = [p if isinstance(p, str) else p(assignment, launches) for p in self._parts]
        text = self._head + "\n".join([p for p in pieces if p is not NOTHING]) + "\n" if self._head else ""
        return HostText(text, self.functions, tuple(launches))

    def _helpers(self, hosts: Sequence[FuncOp]) -> str:
        descriptors = any(k.uses_descriptors for k in self.kernels.kernels.values())
        helpers = [_DESCRIPTOR_LAUNCHER if descriptors else _LAUNCHER]
        needed = {"import torch", *(i.data for op in hosts for i in op.imports)}
        if any(k.host_descriptors for k in self.kernels.kernels.values()):
            needed.add(_HOST_DESCRIPTOR)
        if self._uses_multiprocessors:
            helpers.append(_MULTIPROCESSORS)
            needed.add("import functools")
        imports = "".join(f"{line}\n" for line in sorted(needed))
        return "\n\n".join([imports, *helpers, ""])

    def _function(self, op: FuncOp) -> None:
        if self._parts:
            self._parts += ["", ""]
        parameters = [*(p.data for p in op.parameters), "*", "_launcher=_default_launcher"]
        self._parts.append(f"def {op.sym_name.data}({', '.join(parameters)}):")
        statements = ops_of(op.body.block)
        for inner in statements:
            self._statement(inner)
        if not any(isinstance(s, PythonOp | BindOp) for s in statements):
            self._only_launches(len(statements))

    def _only_launches(self, count: int) -> None:
        """Print `pass` where none of a function's launches, all that it has, is printed."""
        start = len(self._parts) - count
        parts, self._parts = self._parts[start:], self._parts[:start]

        def all_launches(a: Values, launches: list[Launch]) -> str:
            pieces = [p(a, launches) for p in parts]  # pyright: ignore[reportCallIssue] - launches are functions
            return "\n".join([p for p in pieces if p is not NOTHING]) or "    pass"

        self._parts.append(all_launches)

    def _statement(self, op: Operation) -> None:
        if isinstance(op, PythonOp):
            self._parts += indented(op.source.data)
        elif isinstance(op, BindOp):
            variable, number = op.variable.data, self._number(op.value, {})
            self._parts.append(lambda a, _: f"    {variable} = {number(a)[0]}")
        elif isinstance(op, LaunchOp):
            self._parts.append(self._launch(op.kernel.data, tuple(a.data for a in op.arguments), "    "))
        else:
            raise TritonPrintError(f"nothing says how to print {op.name} in a host.func")

    def _number(self, attr: Attribute, scalars: Mapping[str, str]) -> Number:
        if type(attr) is ExprAttr and scalars_of(attr.data):
            names = tuple(sorted((n, scalars[n]) for n in free_names(attr.data) if n in scalars))

            def of_call(a: Values) -> tuple[str, KnobValue]:
                text = host_text(closed(attr.data, a), names)
                return text, text

            return of_call
        if type(attr) is not ExprAttr:
            value = KernelPrinter({}).value(attr)
            known = literal_text(value), value
            return lambda a: known
        function, texts = _later(attr.data), dict[tuple[type, KnobValue], tuple[str, KnobValue]]()

        def evaluated(a: Values) -> tuple[str, KnobValue]:
            try:
                value = function(a)
            except KeyError as missing:
                raise open_knob(missing.args[0]) from None
            key = (type(value), value)
            if (found := texts.get(key)) is None:
                found = texts[key] = literal_text(value), value
            return found

        return evaluated

    def _launch(self, name: str, arguments: tuple[str, ...], indent: str) -> Callable[[Values, list[Launch]], str]:
        try:
            kernel, op = self.kernels.kernels[name], self.kernel_ops[name]
        except KeyError:
            raise TritonPrintError(f"host.launch @{name}: there is no such kernel") from None
        values = {n.data: a for n, a in zip(op.arg_names, arguments)}
        evictions = self.kernels.evictions
        given = [(key, self._number(attr, values)) for key, attr in scalars(op).items()]
        constexprs = [
            (key, self._number(attr, values), key in evictions, self._hinted(attr, op))
            for key, attr in op.constexprs.data.items()
            if key in kernel.constexprs
        ]
        described = [(key, self._described(d, values)) for key, d in kernel.host_descriptors.items()]
        options = [(key, self._number(attr, {})) for key, attr in op.launch.data.items()]
        grid = self.kernels.grids.get(name)
        programs_of = self._grid(grid, values, arguments, kernel.parameters) if grid else lambda a: ("1", 1)
        total_of = None
        if grid and not grid.on_device and scalars_of(grid.total.data):
            total_of = self._number(grid.total, values)

        def launch(a: Values, launches: list[Launch]) -> str:
            keywords = [f"{key}={number(a)[0]}" for key, number in given]
            types: dict[str, str] = {}
            chosen: dict[str, KnobValue] = {}
            for key, describe in described:
                text, type_ = describe(a)
                keywords.append(f"{key}={text}")
                if type_:
                    types[key] = type_
                else:
                    chosen[key] = None  # of which Triton makes a constant
            for key, number, evicts, hinted in constexprs:
                text, value = number(a)
                if evicts or isinstance(value, tuple):
                    value = eviction_policy(value) if evicts else argument_value(value)
                    text = literal_text(value)
                chosen[key] = value if hinted is None else hinted(a)
                keywords.append(f"{key}={text}")
            opted: dict[str, KnobValue] = {}
            for key, number in options:
                text, opted[key] = number(a)
                if text != "None":  # an option without a value is left to Triton
                    keywords.append(f"{key}={text}")
            programs, value = programs_of(a)
            launches.append(Launch(name, value, arguments, chosen, opted, types))
            if value == 0 or not indent:
                return NOTHING
            inner, before = indent, ""
            if total_of is not None:
                total = total_of(a)[0]
                before = f"{indent}_total = {total}\n{indent}if _total > 0:\n"
                inner += "    "
                programs = programs.replace(total, "_total", 1)
                keywords = [f"{TOTAL}=_total" if k == f"{TOTAL}={total}" else k for k in keywords]
            where = f"({programs})" if isinstance(value, tuple) else f"({programs},)"
            return before + inner + call_text("_launcher", [name, where, *arguments, *keywords], inner)

        return launch

    def _described(self, made: HostDescriptor, scalars: Mapping[str, str]) -> Callable[[Values], tuple[str, str]]:
        """The call that makes a descriptor, and the type it has in Triton's signatures; None, and no type."""
        base = scalars[made.base]

        def numbers(attrs: Sequence[ExprAttr]) -> Callable[[Values], str]:
            each = [self._number(e, scalars) for e in attrs]
            return lambda a: f"[{', '.join([number(a)[0] for number in each])}]"

        shape, strides, block = numbers(made.shape), numbers(made.strides), numbers(made.block)
        fixed = None if any(knobs_of(e.data) for e in (*made.shape, *made.strides)) else (shape({}), strides({}))

        used: Number = (lambda a: ("", True)) if made.when is None else self._number(made.when, {})

        def describe(a: Values) -> tuple[str, str]:
            if not used(a)[1]:
                return "None", ""
            extents, steps = fixed or (shape(a), strides(a))
            blocks = block(a)
            return f"TensorDescriptor({base}, {extents}, {steps}, {blocks})", f"tensordesc<{made.dtype}{blocks}>"

        return describe

    def _hinted(self, attr: Attribute, op: KernelOp) -> Callable[[Values], KnobValue] | None:
        """The value of a constexpr in the call that was traced, where it differs from call to call."""
        if type(attr) is not ExprAttr or not (names := scalars_of(attr.data)):
            return None
        hints = {} if op.hints is None else op.hints.data
        known = {n: h.value.data for n, h in hints.items() if isinstance(h, IntegerAttr)}
        numbers = {n: known.get(n, UNKNOWN_EXTENT) for n in names}
        return lambda a: compiled(closed(attr.data, a))(numbers)

    def _grid(
        self, grid: Grid, scalars: Mapping[str, str], arguments: tuple[str, ...], parameters: Mapping[str, str]
    ) -> Callable[[Values], tuple[str, int | str | tuple[int | str, ...]]]:
        """The number of programs launched, or numbers along axes, as Python and where possible as numbers."""
        total_of: Number = (lambda a: ("", None)) if grid.on_device else self._number(grid.total, scalars)
        if grid.kind in ("flat", "xyz"):
            axes = [self._number(n, scalars) for n in grid.axes] if grid.kind == "xyz" else []

            def launched(a: Values) -> tuple[str, int | str | tuple[int | str, ...]]:
                text, total = total_of(a)
                if axes and total != 0:
                    along = [number(a) for number in axes]
                    return ", ".join(t for t, _ in along), tuple(v if isinstance(v, int) else t for t, v in along)
                return text, total if isinstance(total, int) else text

            return launched
        self._uses_multiprocessors = True
        tensor = next((a for a, t in zip(arguments, parameters.values()) if t.startswith("*")), None)
        if tensor is None:
            raise TritonPrintError("a persistent kernel needs a tensor among its arguments, which says the device")
        device = f"{tensor if tensor.isidentifier() else f'({tensor})'}.device"
        none: Number = lambda a: ("", None)  # noqa: E731
        reserved_of = none if grid.reserved is None else self._number(grid.reserved, {})
        multiplier_of = none if grid.multiplier is None else self._number(grid.multiplier, {})

        def persistent(a: Values) -> tuple[str, int | str]:
            text, total = total_of(a)
            if total == 0:
                return text, 0
            programs = f"_multiprocessors({device})"
            reserved, left_free = reserved_of(a)
            if left_free:
                programs = f"max({programs} - {reserved}, 1)"
            multiplier, times = multiplier_of(a)
            if times not in (None, 1):
                programs += f" * {multiplier}"
            text = programs if grid.on_device else f"min({text}, {programs})"
            return text, text

        return persistent


def _later(e: Expr) -> Evaluator:
    """An expression that is compiled for the second value: often one is all that is asked for."""
    if isinstance(e, Symbol):
        return compiled(e)
    asked = False

    def value(a: Values) -> KnobValue:
        nonlocal asked
        if asked:
            return compiled(e)(a)
        asked = True
        return value_of(e, a)

    return value


NOTHING = "\0"
"""Stands for a launch without programs, which is not printed."""


@functools.cache
def indented(source: str) -> tuple[str, ...]:
    """Statements one level deeper; the lines inside of strings stay as they are.

    >>> indented("if n:\\n    m = 1")
    ('    if n:', '        m = 1')
    """
    inside = set(_string_lines(source)) if '"""' in source or "'''" in source else set()
    lines = enumerate(source.split("\n"), 1)
    return tuple(line if n in inside or not line.strip() else f"    {line}" for n, line in lines)


def _string_lines(source: str) -> Iterator[int]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant | ast.JoinedStr) and node.end_lineno is not None:
            yield from range(node.lineno + 1, node.end_lineno + 1)
