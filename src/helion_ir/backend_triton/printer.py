"""`print_module`: a module of the triton dialect as Python, open under an assignment or concrete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sympy import Expr
from xdsl.dialects.builtin import ModuleOp

# Importing the emitters registers them.
from helion_ir.backend_triton import emit_control, emit_inline, emit_memory, emit_programs, emit_values, library  # noqa: F401
from helion_ir.backend_triton.emitting import KernelPrinter, KernelText, emitter
from helion_ir.backend_triton.host_printer import HostPrinter
from helion_ir.backend_triton.printed import PLAIN, PrintedModule, PrintOptions
from helion_ir.dialects.knob import KnobValue
from helion_ir.dialects.operation import ops_of
from helion_ir.dialects.triton.control import KernelOp
from helion_ir.index.expr import Evaluator, compiled
from helion_ir.passes.bind_structure import check_structure, structure_check

__all__ = ["TemplatePrinter", "emitter", "print_module"]

_NO_KNOBS: Mapping[str, KnobValue] = {}


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


@dataclass(frozen=True)
class _Decision:
    """What a text depends on next, after the decisions before it, and what came of the values that it had."""

    value: Evaluator
    texts: dict[KnobValue, _Decision | HostPrinter]


def _after(decisions: list[tuple[Expr, KnobValue]], host: HostPrinter) -> _Decision | HostPrinter:
    made: _Decision | HostPrinter = host
    for e, value in reversed(decisions):
        made = _Decision(compiled(e), {value: made})
    return made


class TemplatePrinter:
    """Prints one template under many assignments; kernels are printed once for all that agree in what the text shows.

    The module must not change afterwards.

    >>> from helion_ir.dialects.context import parse_module
    >>> TemplatePrinter(parse_module("builtin.module {}"))({}).launches
    ()
    """

    def __init__(self, module: ModuleOp, options: PrintOptions = PLAIN):
        self.module = module
        self.options = options
        self.structure = structure_check(module)
        self._texts: dict[KnobValue, _Decision | HostPrinter] = {}

    def __call__(self, assignment: Mapping[str, KnobValue]) -> PrintedModule:
        """As `print_module`."""
        self.structure(assignment)
        # Printing reads the same decisions in the same order as long as they are made alike.
        texts, made, depth = self._texts, None, 0
        while isinstance(found := texts.get(made), _Decision):
            texts, made, depth = found.texts, found.value(assignment), depth + 1
        if found is None:
            kernels = print_kernels(self.module, assignment, self.options)
            found = HostPrinter(self.module, kernels)
            texts[made] = _after(list(kernels.decisions.items())[depth:], found)
        return _with_host(found, assignment)


def _with_host(host: HostPrinter, assignment: Mapping[str, KnobValue]) -> PrintedModule:
    made = host(assignment)
    return PrintedModule(host.kernels.text, made.text, made.functions, host.kernels.kernels, made.launches)


def print_kernels(module: ModuleOp, assignment: Mapping[str, KnobValue], options: PrintOptions = PLAIN) -> KernelText:
    """The kernels of a module, with the library functions and imports they need."""
    p = KernelPrinter(assignment, options)
    kernels: list[str] = []
    for op in ops_of(module.body.block):
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
    return KernelText("\n\n\n".join(parts) + "\n", p.kernels, p.grids, frozenset(p.evictions), p.decisions)
