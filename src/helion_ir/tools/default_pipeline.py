"""`default-pipeline`: the compiler's passes that a module has still to go through, read off the module itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.utils.arg_spec import ArgSpec

from helion_ir.dialects.knob import declarations
from helion_ir.dialects.tile import control, memory
from helion_ir.dialects.triton.control import KernelOp as TritonKernelOp
from helion_ir.passes.base import Pass, kernels
from helion_ir.passes.bind_structure import STRUCTURE, BindStructure
from helion_ir.passes.materialize_config import MaterializeConfig
from helion_ir.passes.plan_memory import MEMORY


def _converted(module: ModuleOp) -> bool:
    return not any(isinstance(op, control.KernelOp) for op in module.walk())


def _declared(module: ModuleOp) -> bool:
    return any(d.owner.data != "frontend" for d in declarations(module))


def _has_chosen_indexing(module: ModuleOp) -> bool:
    accesses = [op for op in module.walk() if isinstance(op, memory.LoadOp | memory.StoreOp)]
    return all(op.indexing is not None for op in accesses)


def _is_planned(module: ModuleOp) -> bool:
    return all(MEMORY in k.properties for k in kernels(module, control.KernelOp))


def _is_lifted(module: ModuleOp) -> bool:
    return any(op.constexprs.data for op in module.walk() if isinstance(op, TritonKernelOp))


_TRACES: dict[str, Callable[[ModuleOp], bool]] = {
    "declare-schedules": _declared,
    "bind-structure": lambda module: STRUCTURE in module.attributes,
    "map-grid": lambda module: not any(isinstance(op, control.ParallelOp) for op in module.walk()),
    "make-masks": lambda module: all(k.explicit_masks is not None for k in kernels(module, control.KernelOp)),
    "choose-indexing": _has_chosen_indexing,
    "plan-memory": _is_planned,
    "convert-tile-to-triton": _converted,
    "lift-constexprs": _is_lifted,
}
"""What the passes leave behind that shows they have run; the others may run once more and change nothing."""


def expand(module: ModuleOp, spec: ArgSpec) -> list[ModulePass]:
    """The passes to run on a module.

    Args:
        module: one that any stage of the compiler has left, or text of such a stage.
        spec: the alias; its option `config`, a JSON object, goes to bind-structure, and if it is there the pipeline
            goes on to materialize-config.

    Returns:
        The passes of the compiler from the first that has not run, those of plugins among them.

    Raises:
        ValueError: an option other than `config`.
    """
    from helion_ir.passes.pipeline import FRONT, pipeline

    options = dict(spec.parameters)
    config = options.pop("config", None)
    if options:
        raise ValueError(f"unknown option {', '.join(options)}; there is config")
    text = str(config[0]) if config else ""
    compiler: list[Pass] = [*FRONT, BindStructure(text) if text else BindStructure(), *pipeline()]
    if any(isinstance(op, TritonKernelOp) for op in module.walk()) and not any(declarations(module)):
        return []  # every knob is bound
    rest: list[ModulePass] = list(compiler[_first_missing(compiler, module) :])
    return [*rest, MaterializeConfig(text)] if text else rest


def _first_missing(passes: Sequence[Pass], module: ModuleOp) -> int:
    """The position after the last pass whose traces are in the module."""
    done = 0
    for position, p in enumerate(passes):
        trace = _TRACES.get(p.name)
        if trace is None:
            continue
        if not trace(module):
            break
        done = position + 1
    return done
