"""The host's function around the kernels: the author's statements, and launches with one configuration's numbers."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Mapping

from xdsl.dialects.builtin import IntegerAttr, ModuleOp
from xdsl.ir import Attribute, Operation

from helion_ir.backend_triton.emit_control import scalars
from helion_ir.backend_triton.emit_memory import eviction_policy
from helion_ir.backend_triton.emitting import Grid, KernelPrinter, KernelText
from helion_ir.backend_triton.errors import TritonPrintError
from helion_ir.backend_triton.printed import Launch
from helion_ir.backend_triton.spelling import call_text, host_text, literal_text
from helion_ir.dialects.host import BindOp, FuncOp, LaunchOp, PythonOp
from helion_ir.dialects.index import ExprAttr
from helion_ir.dialects.knob import KnobValue
from helion_ir.dialects.triton.control import TOTAL, KernelOp
from helion_ir.index.expr import compiled, free_names, scalars_of

_LAUNCHER = """\
def _default_launcher(kernel, grid, *args, **options):
    kernel[grid](*args, **options)
"""

_DESCRIPTOR_LAUNCHER = """\
def _allocate(size, alignment, stream):
    return torch.empty(size, dtype=torch.int8, device="cuda")


def _default_launcher(kernel, grid, *args, **options):
    triton.set_allocator(_allocate)
    kernel[grid](*args, **options)
"""

_MULTIPROCESSORS = """\
@functools.cache
def _multiprocessors(device):
    if device.type == "cpu":
        return 3
    return torch.cuda.get_device_properties(device).multi_processor_count
"""


UNKNOWN_EXTENT = 128
"""What an extent that the trace left open counts as where a kernel is compiled without a call."""


class HostPrinter:
    """Prints the host's functions of a module for one assignment."""

    def __init__(self, module: ModuleOp, kernels: KernelText, assignment: Mapping[str, KnobValue]):
        self.module = module
        self.kernels = kernels
        self.values = KernelPrinter(assignment)
        self.lines: list[str] = []
        self.launches: list[Launch] = []
        self.functions: list[str] = []
        self.uses_multiprocessors = False

    def print(self) -> str:
        """The text; empty where the module has no host.func, in which case there is one launch a kernel all the same."""
        block = self.module.body.block
        self.kernel_ops = {op.sym_name.data: op for op in block.ops if type(op) is KernelOp}
        for op in block.ops:
            if type(op) is FuncOp:
                self.function(op)
        if not self.functions:
            for name, kernel in self.kernels.kernels.items():
                self.launch(name, tuple(kernel.parameters), "")
            return ""
        descriptors = any(k.uses_descriptors for k in self.kernels.kernels.values())
        helpers = [_DESCRIPTOR_LAUNCHER if descriptors else _LAUNCHER]
        needed = {"import torch", *(i.data for op in block.ops if type(op) is FuncOp for i in op.imports)}
        if self.uses_multiprocessors:
            helpers.append(_MULTIPROCESSORS)
            needed.add("import functools")
        imports = "".join(f"{line}\n" for line in sorted(needed))
        return "\n\n".join([imports, *helpers, "\n".join(self.lines) + "\n"])

    def function(self, op: FuncOp) -> None:
        name = op.sym_name.data
        self.functions.append(name)
        if len(self.functions) > 1:
            self.lines += ["", ""]
        parameters = [*(p.data for p in op.parameters), "*", "_launcher=_default_launcher"]
        self.lines.append(f"def {name}({', '.join(parameters)}):")
        start = len(self.lines)
        for inner in op.body.block.ops:
            self.statement(inner)
        if len(self.lines) == start:
            self.lines.append("    pass")

    def statement(self, op: Operation) -> None:
        if isinstance(op, PythonOp):
            self.lines += indented(op.source.data)
        elif isinstance(op, BindOp):
            self.lines.append(f"    {op.variable.data} = {self.number(op.value, {})[0]}")
        elif isinstance(op, LaunchOp):
            self.launch(op.kernel.data, tuple(a.data for a in op.arguments), "    ")
        else:
            raise TritonPrintError(f"nothing says how to print {op.name} in a host.func")

    def number(self, attr: Attribute, scalars: Mapping[str, str]) -> tuple[str, KnobValue]:
        """An attribute as Python, and its value; where it reads run-time scalars the value is the text."""
        if type(attr) is ExprAttr and scalars_of(attr.data):
            e = self.values.closed(attr.data)
            names = tuple(sorted((n, scalars[n]) for n in free_names(e) if n in scalars))
            text = host_text(e, names)
            return text, text
        value = self.values.value(attr)
        return literal_text(value), value

    def launch(self, name: str, arguments: tuple[str, ...], indent: str) -> None:
        try:
            kernel, op = self.kernels.kernels[name], self.kernel_ops[name]
        except KeyError:
            raise TritonPrintError(f"host.launch @{name}: there is no such kernel") from None
        values = {n.data: a for n, a in zip(op.arg_names, arguments)}
        constexprs: dict[str, KnobValue] = {}
        keywords: list[str] = []
        evictions = self.kernels.evictions
        for key, attr in scalars(op).items():
            keywords.append(f"{key}={self.number(attr, values)[0]}")
        for key, attr in op.constexprs.data.items():
            text, value = self.number(attr, values)
            if key in evictions:
                value = eviction_policy(value)
                text = literal_text(value)
            constexprs[key] = value if type(attr) is not ExprAttr else self.hinted(attr, value, op)
            keywords.append(f"{key}={text}")
        options = {k: self.values.value(a) for k, a in op.launch.data.items()}
        # An option without a value is left to Triton.
        keywords += [f"{k}={literal_text(v)}" for k, v in options.items() if v is not None]
        grid = self.kernels.grids.get(name)
        programs, value = self.grid(grid, values, arguments, kernel.parameters) if grid else ("1", 1)
        self.launches.append(Launch(name, value, arguments, constexprs, options))
        if value == 0 or not indent:
            return
        if grid and not grid.on_device and scalars_of(grid.total.data):
            total = self.number(grid.total, values)[0]
            self.lines.append(f"{indent}_total = {total}")
            self.lines.append(f"{indent}if _total > 0:")
            indent += "    "
            programs = programs.replace(total, "_total", 1)
            keywords = [f"{TOTAL}=_total" if k == f"{TOTAL}={total}" else k for k in keywords]
        self.lines.append(
            indent
            + call_text(
                "_launcher",
                [name, f"({programs})" if isinstance(value, tuple) else f"({programs},)", *arguments, *keywords],
                indent,
            )
        )

    def hinted(self, attr: ExprAttr, value: KnobValue, op: KernelOp) -> KnobValue:
        """The value of a constexpr in the call that was traced, where it differs from call to call."""
        names = scalars_of(attr.data)
        if not names:
            return value
        hints = {} if op.hints is None else op.hints.data
        known = {n: h.value.data for n, h in hints.items() if isinstance(h, IntegerAttr)}
        e = self.values.closed(attr.data)
        return compiled(e)({n: known.get(n, UNKNOWN_EXTENT) for n in names})

    def grid(
        self, grid: Grid, scalars: Mapping[str, str], arguments: tuple[str, ...], parameters: Mapping[str, str]
    ) -> tuple[str, int | str | tuple[int | str, ...]]:
        """The number of programs launched, or numbers along axes, as Python and where possible as numbers."""
        text, total = ("", None) if grid.on_device else self.number(grid.total, scalars)
        if grid.kind == "xyz" and total != 0:
            axes = [self.number(n, scalars) for n in grid.axes]
            return ", ".join(t for t, _ in axes), tuple(v if isinstance(v, int) else t for t, v in axes)
        if grid.kind in ("flat", "xyz") or total == 0:
            return text, total if isinstance(total, int) else text
        self.uses_multiprocessors = True
        tensor = next((a for a, t in zip(arguments, parameters.values()) if t.startswith("*")), None)
        if tensor is None:
            raise TritonPrintError("a persistent kernel needs a tensor among its arguments, which says the device")
        device = f"{tensor if tensor.isidentifier() else f'({tensor})'}.device"
        programs = f"_multiprocessors({device})"
        reserved = 0 if grid.reserved is None else self.values.value(grid.reserved)
        if reserved:
            programs = f"max({programs} - {literal_text(reserved)}, 1)"
        multiplier = 1 if grid.multiplier is None else self.values.value(grid.multiplier)
        if multiplier != 1:
            programs += f" * {literal_text(multiplier)}"
        text = programs if grid.on_device else f"min({text}, {programs})"
        return text, text


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
