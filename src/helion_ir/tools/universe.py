"""What this project offers to any xDSL tool: its dialects and passes, each imported when it is asked for."""

from __future__ import annotations

import functools
import pkgutil
from collections.abc import Callable

from xdsl.ir import Dialect
from xdsl.universe import XDSL_UNIVERSE, Universe

from helion_ir.passes.registry import PASSES, load_pass

_DIALECTS = {
    "index": "helion_ir.dialects.index:Index",
    "knob": "helion_ir.dialects.knob:Knob",
    "host": "helion_ir.dialects.host:Host",
    "tile": "helion_ir.dialects.tile:Tile",
    "triton": "helion_ir.dialects.triton:Triton",
}

DIALECTS: dict[str, Callable[[], Dialect]] = {
    name: functools.partial(pkgutil.resolve_name, path) for name, path in _DIALECTS.items()
}
"""Our dialects by name."""

# xDSL's tools refuse to start when two universes have one name, so the three passes that replace xDSL's own are left
# out here; helion-ir-opt takes them from the registry.
UNIVERSE = Universe(
    all_dialects=dict(DIALECTS),
    all_passes={name: functools.partial(load_pass, name) for name in PASSES if name not in XDSL_UNIVERSE.all_passes},
)
