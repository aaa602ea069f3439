"""Stand-ins for the parts behind the runtime, which record what they are asked to do."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, StringAttr

import helion_ir.autotuner
import helion_ir.frontend
import helion_ir.interpreter
from helion_ir.dialects.context import parse_module
from helion_ir.dialects.index import expr_attr
from helion_ir.dialects.knob import ValueAttr
from helion_ir.index.expr import NONE, Ne, compiled, knob
from helion_ir.passes.bind_structure import STRUCTURE
from helion_ir.targets import Target, get_target

TILE = """
builtin.module {
  knob.declare @tile_m.block_size : pow2 16 to 64 = 32 in "block_sizes" by "frontend" doc "rows"
}
"""
DECLARED = """
builtin.module {
  knob.declare @reduction.n : one_of none, 16 = none in "reduction_loops" by "roll-reductions" doc "chunks"
  knob.declare @num_warps : pow2 1 to 8 = 4 by "t" doc "warps"
}
"""


@dataclass
class Printed:
    text: str
    kernel_text: str = ""
    host_text: str = ""


@dataclass
class Backend:
    """What was called, in order, and what the generated host function does."""

    log: list[str] = field(default_factory=list)
    tuned: dict[str, Any] = field(default_factory=lambda: {"block_sizes": [64]})
    run: Callable[..., Any] = staticmethod(lambda *args: ("ran", *args))  # pyright: ignore

    def trace(self, function: Any, args: tuple[Any, ...], **settings: Any) -> ModuleOp:
        self.log.append(f"trace {function.__name__} {settings['static_shapes']}")
        return parse_module(TILE)

    def prepare(self, module: ModuleOp, target: Target, callback: Any = None) -> None:
        self.log.append(f"prepare {target.name}")
        for op in list(parse_module(DECLARED).body.block.ops):
            op.detach()
            module.body.block.add_op(op)

    def structure_key(self, module: ModuleOp) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
        return lambda a: (int(a["reduction.n"] is not None), 0)

    def lower(
        self, module: ModuleOp, assignment: Mapping[str, Any], callback: Any = None, *, whole: bool = False
    ) -> ModuleOp:
        self.log.append(f"lower {assignment['reduction.n']}")
        module = module.clone()
        chunked = Ne(knob("reduction.n"), NONE)
        module.attributes[STRUCTURE] = ArrayAttr([expr_attr(chunked), ValueAttr(int(compiled(chunked)(assignment)))])
        for name in ("map-grid", "make-masks"):
            module.attributes["last"] = StringAttr(name)
            if callback is not None:
                callback(name, module)
        return module

    def materialize(self, template: ModuleOp, assignment: Mapping[str, Any]) -> ModuleOp:
        module = template.clone()
        module.attributes["config"] = StringAttr(str(dict(assignment)))
        return module

    def print_module(self, template: ModuleOp, assignment: Mapping[str, Any]) -> Printed:
        self.log.append(f"print {dict(assignment)}")
        return Printed(f"program {assignment['tile_m.block_size']} {assignment['num_warps']}\n")

    def template_printer(self, template: ModuleOp, options: Any = None) -> Callable[[Mapping[str, Any]], Printed]:
        return lambda assignment: self.print_module(template, assignment)

    def load(self, printed: Printed, namespace: dict[str, Any]) -> Callable[..., Any]:
        self.log.append(f"load {printed.text.strip()}")
        return self.run

    def compile_module(self, module: ModuleOp, assignment: Mapping[str, Any], **kwargs: Any) -> Callable[..., Any]:
        return lambda *args: ("interpreted", dict(assignment), *args)

    def tune(self, bound: Any, args: tuple[Any, ...], **options: Any) -> Any:
        from helion_ir import Config

        self.log.append(f"tune {options}")
        return Config(**self.tuned)

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Put the stand-ins where the runtime imports from."""
        compiled = types.SimpleNamespace
        modules: dict[str, dict[str, Any]] = {
            "frontend": {"trace": self.trace, "__path__": list(helion_ir.frontend.__path__)},
            "passes.pipeline": {
                "prepare": self.prepare,
                "structure_key": self.structure_key,
                "lower": self.lower,
            },
            "passes.materialize_config": {"materialize": self.materialize},
            "backend_triton.printer": {"print_module": self.print_module, "TemplatePrinter": self.template_printer},
            "backend_triton.loader": {"load": self.load, "write_text": lambda text: "path"},
            "backend_triton.compile": {"compile_text": lambda p, t: compiled(asm={"ptx": t.name}, resources=p.text)},
            "backend_triton.devices": {"get_device_target": lambda device: get_target("h200")},
            "interpreter": {
                "compile_module": self.compile_module,
                "largest_assignment": lambda m: {"tile_m.block_size": 64},
                "__path__": list(helion_ir.interpreter.__path__),
            },
        }
        patch.setattr(helion_ir.autotuner, "tune", self.tune)
        for name, members in modules.items():
            module = types.ModuleType(f"helion_ir.{name}")
            vars(module).update(members)
            patch.setitem(sys.modules, f"helion_ir.{name}", module)


def as_gpu(bound: Any) -> Any:
    """Make a bound kernel believe that its tensors are on a GPU."""
    bound.device = types.SimpleNamespace(type="cuda", index=0)
    return bound


X = torch.ones(8, 4)
