"""A stand-in for a bound kernel: knobs, and a printer that writes a Python function on CPU tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from helion_ir.autotuner.space import ConfigSpace
from helion_ir.dialects.context import parse_module

SPACE = """
knob.declare @tile_m.block_size : pow2 1 to 128 = 16 in "block_sizes" by "frontend" doc "rows"
knob.declare @num_warps : pow2 1 to 16 = 4 by "triton" doc "warps"
knob.declare @pid_type : one_of "flat", "persistent_blocked" = "flat" by "map-grid" doc "programs"
knob.declare @num_sm_multiplier : pow2 1 to 8 = 1 by "map-grid" doc "programs a unit" when <@pid_type eq "persistent_blocked">
"""

GOOD = """
import torch

COST = {cost!r}

def scale(x):
    out = torch.empty_like(x)
    out[:] = x * 3.0
    return out
"""


def space_of(text: str) -> ConfigSpace:
    return ConfigSpace.of(parse_module(text))


def cost_of(assignment: dict[str, Any]) -> float:
    """Least, 1.0, at 64 rows and 8 warps."""
    rows = abs(assignment["tile_m.block_size"].bit_length() - 7)
    warps = abs(assignment["num_warps"].bit_length() - 4)
    return 1.0 + 0.5 * rows + 0.3 * warps


@dataclass
class FakeBound:
    """`body(assignment)` is the text of a module with the function `scale`."""

    body: Callable[[dict[str, Any]], str] = lambda a: GOOD.format(cost=cost_of(a))
    settings: Any = field(default_factory=SimpleNamespace)
    reference: Callable[[Any], Any] = lambda args: args[0] * 3.0
    target: Any = field(default_factory=lambda: SimpleNamespace(name="cpu", backend=""))
    config_space: ConfigSpace = field(default_factory=lambda: space_of(SPACE_PLAIN))
    function_name: str = "scale"
    source: str = "def scale(x): ..."
    printed_count: int = 0

    @property
    def kernel(self) -> Any:
        return SimpleNamespace(name="scale", kernel_source=lambda: self.source)

    def printed(self, assignment: dict[str, Any]) -> Any:
        self.printed_count += 1
        return SimpleNamespace(text=self.body(assignment))

    def cache_key(self) -> str:
        return "f32[64]"


SPACE_PLAIN = "\n".join(line for line in SPACE.strip().splitlines()[:2])


def cost_measure(function: Any, args: Any, restore: Any, effort: Any) -> float:
    """A clock that reads the time off the text."""
    return function.__globals__["COST"]
