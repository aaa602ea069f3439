"""`print_module`: a module of the triton dialect as Python, open under an assignment or concrete."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp
from xdsl.ir import Attribute, Operation

# Importing the emitters registers them.
from helion_ir.backend_triton import emit_control, emit_inline, emit_memory, emit_programs, emit_values, library  # noqa: F401
from helion_ir.backend_triton.emit_control import scalars
from helion_ir.backend_triton.emitting import KernelPrinter, KernelText, emitter
from helion_ir.backend_triton.host_printer import HostPrinter
from helion_ir.backend_triton.printed import PLAIN, PrintedModule, PrintOptions
from helion_ir.dialects.index import ExprAttr
from helion_ir.dialects.knob import KnobValue
from helion_ir.dialects.triton.control import TOTAL, KernelOp, ProgramLoopOp
from helion_ir.dialects.triton.memory import HostDescriptorOp
from helion_ir.index.expr import compiled, free_names, knob, knobs_of
from helion_ir.passes.bind_structure import check_structure, structure_check

__all__ = ["TemplatePrinter", "emitter", "print_module"]

_NO_KNOBS: Mapping[str, KnobValue] = {}
_ON_HOST = ("multiplier", "reserved", "axes")
"""Properties of a program loop that only the host reads."""


def print_module(module: ModuleOp, assignment: Mapping[str, KnobValue] | None = None) -> PrintedModule:
    """Print a module of the triton dialect as a standalone Python file.

    Args:
        module: level 4 (a template, some decisions open) or level 5 (concrete); it is not changed.
        assignment: knob name without `@` to value, complete for the module; None for concrete IR.

    Returns:
        The texts and the launches. `print_module(materialize(t, a)).text == print_module(t, a).text`.

    Raises:
        TritonPrintError: a knob is open, an op has no emitter, or the choice made has no alternative.
        ValueError: the template was lowered for another structure than the assignment's.

    To print one template under many assignments, make a `TemplatePrinter`, which shares kernel texts.
    """
    if assignment is None:
        assignment = _NO_KNOBS
    else:
        check_structure(module, assignment)
    return _with_host(HostPrinter(module, print_kernels(module, assignment)), assignment)


class TemplatePrinter:
    """Prints one template under many assignments; kernels are printed once a distinct text.

    The module must not change afterwards.

    >>> from helion_ir.dialects.context import parse_module
    >>> TemplatePrinter(parse_module("builtin.module {}"))({}).launches
    ()
    """

    def __init__(self, module: ModuleOp, options: PrintOptions = PLAIN):
        self.module = module
        self.options = options
        self.decisions: tuple[Callable[[Mapping[str, Any]], Any], ...] = tuple(_decisions(module))
        self.structure = structure_check(module)
        self.texts: dict[tuple[KnobValue, ...], HostPrinter] = {}

    def __call__(self, assignment: Mapping[str, KnobValue]) -> PrintedModule:
        """As `print_module`."""
        self.structure(assignment)
        key = tuple([decide(assignment) for decide in self.decisions])
        host = self.texts.get(key)
        if host is None:
            host = self.texts[key] = HostPrinter(self.module, print_kernels(self.module, assignment, self.options))
        return _with_host(host, assignment)


def _with_host(host: HostPrinter, assignment: Mapping[str, KnobValue]) -> PrintedModule:
    made = host(assignment)
    return PrintedModule(host.kernels.text, made.text, made.functions, host.kernels.kernels, made.launches)


def print_kernels(module: ModuleOp, assignment: Mapping[str, KnobValue], options: PrintOptions = PLAIN) -> KernelText:
    """The kernels of a module, with the library functions and imports they need."""
    p = KernelPrinter(assignment, options)
    kernels: list[str] = []
    for op in module.body.block.ops:
        if type(op) is KernelOp:
            p.lines = []
            p.op(op)
            kernels += ["\n".join(f) for f in p.functions]
            p.functions.clear()
            kernels.append("\n".join(p.lines))
    imports = "import triton\nimport triton.language as tl"
    if p.uses_libdevice:
        imports += "\nfrom triton.language.extra import libdevice"
    parts = [imports, *library.printed_sources(sorted(p.library)), *kernels]
    return KernelText("\n\n\n".join(parts) + "\n", p.kernels, p.grids, frozenset(p.evictions))


def _decisions(module: ModuleOp) -> Iterator[Callable[[Mapping[str, Any]], Any]]:
    """What of an assignment the kernels' text depends on, each once."""
    seen: set[Any] = set()
    for kernel in module.body.block.ops:
        if type(kernel) is not KernelOp:
            continue
        for op in kernel.body.walk():
            named = TOTAL in kernel.constexprs.data or TOTAL in scalars(kernel)
            for e in _open_expressions(op, named):
                # Beside names that are no knobs an expression has no value; the text then has that of its knobs.
                whole = all(n[0] == "@" for n in free_names(e))
                for part in (e,) if whole else [knob(n) for n in sorted(knobs_of(e))]:
                    if part not in seen:
                        seen.add(part)
                        yield compiled(part)


def _open_expressions(op: Operation, named_total: bool) -> Iterator[Any]:
    for key, attr in op.properties.items():
        if (
            isinstance(op, HostDescriptorOp)
            or isinstance(op, ProgramLoopOp)
            and (key in _ON_HOST or key == "total" and named_total)
        ):
            continue
        yield from _open_in(attr)


def _open_in(attr: Attribute) -> Iterator[Any]:
    if isinstance(attr, ExprAttr):
        if knobs_of(attr.data):
            yield attr.data
    elif isinstance(attr, ArrayAttr):
        for a in attr.data:
            yield from _open_in(a)
    elif isinstance(attr, DictionaryAttr):
        for a in attr.data.values():
            yield from _open_in(a)
