"""Every pass by name, imported when it is asked for, and the passes that other packages add.

A package adds passes and dialects by an `xdsl.universe.Universe` under the entry point group `xdsl.universe`. A pass of
such a package joins the compiler's own pipeline when its class says which pass it follows:

    class ScaleStores(Pass):
        name = "scale-stores"
        after: ClassVar[str] = "plan-memory"
"""

from __future__ import annotations

import functools
import pkgutil
import warnings
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from xdsl.passes import ModulePass

if TYPE_CHECKING:
    from xdsl.universe import Universe

    from helion_ir.passes.base import Pass

PASS_NAMES = (
    "canonicalize",
    "cse",
    "forward-memory",
    "dce",
    "drop-unit-dims",
    "relax-precision",
    "check-types",
    "split-phases",
    "declare-schedules",
    "avoid-faults",
    "set-defaults",
    "declare-plain",
    "bind-structure",
    "flatten-loops",
    "clip-loops",
    "fold-exp2",
    "roll-reductions",
    "hoist-scaling",
    "swap-dot-operands",
    "split-k",
    "stream-k",
    "peel-masks",
    "epilogue-subtile",
    "map-grid",
    "make-masks",
    "choose-indexing",
    "simplify-index",
    "plan-memory",
    "convert-tile-to-triton",
    "hoist-descriptors",
    "lift-constexprs",
    "assign-names",
    "materialize-config",
)


BEFORE_STRUCTURE = (
    "canonicalize",
    "check-types",
    "split-phases",
    "declare-schedules",
    "avoid-faults",
    "set-defaults",
    "declare-plain",
    "bind-structure",
)
"""Passes that no other package's pass can follow in the pipeline: knobs are asked for, and decided, while they run."""


def class_path(name: str) -> str:
    """Where the class of a pass of ours is: the file and the class carry the name of the pass.

    >>> class_path("simplify-index")
    'helion_ir.passes.simplify_index:SimplifyIndex'
    """
    return f"helion_ir.passes.{name.replace('-', '_')}:{''.join(w.title() for w in name.split('-'))}"


PASSES: dict[str, str] = {name: class_path(name) for name in PASS_NAMES}
"""The passes of this project: name → `"module:Class"`, resolved on first use."""


def load_pass(name: str) -> type[Pass]:
    """The class of one of our own passes. Raises KeyError if there is none of that name."""
    return pkgutil.resolve_name(PASSES[name])


@functools.cache
def plugin_universes() -> dict[str, Universe]:
    """The universes of other packages by the name of their entry point, sorted; xDSL's own is not among them.

    One that cannot be imported is reported by a warning and left out.
    """
    from xdsl.universe import Universe

    found: dict[str, Universe] = {}
    for entry in sorted(entry_points(group="xdsl.universe"), key=lambda e: e.name):
        if entry.module.split(".")[0] in ("xdsl", "helion_ir"):
            continue
        try:
            universe = entry.load()
        except Exception as error:  # whatever a foreign module raises while it is imported
            warnings.warn(f"universe {entry.name} ({entry.value}) left out: {error}", RuntimeWarning, stacklevel=2)
            continue
        if not isinstance(universe, Universe):
            warnings.warn(f"universe {entry.name} ({entry.value}) left out: no Universe", RuntimeWarning, stacklevel=2)
            continue
        found[entry.name] = universe
    return found


def available_passes() -> dict[str, Callable[[], type[ModulePass]]]:
    """All passes by name, each as a function that imports its class: ours and those of installed universes.

    Raises ValueError when two of them have one name.
    """
    found: dict[str, Callable[[], type[ModulePass]]] = {name: functools.partial(load_pass, name) for name in PASSES}
    for origin, universe in plugin_universes().items():
        for name, factory in universe.all_passes.items():
            if name in found:
                raise ValueError(f"universe {origin}: there is a pass named {name} already")
            found[name] = factory
    return found


def plugin_passes() -> list[type[Pass]]:
    """The passes of other packages that take part in the compiler's pipeline: those with `after` set.

    Raises ValueError when `after` names none of the passes that lower a kernel, and none of these.
    """
    from helion_ir.passes.base import Pass

    classes = [factory() for universe in plugin_universes().values() for factory in universe.all_passes.values()]
    found = [c for c in classes if issubclass(c, Pass) and hasattr(c, "after")]
    known = {*PASSES, *(c.name for c in found)} - {*BEFORE_STRUCTURE, "materialize-config"}
    for c in found:
        if (after := getattr(c, "after")) not in known:  # noqa: B009 - the base class does not declare it
            raise ValueError(
                f"pass {c.name} is to follow {after!r}, which lowers no kernel; there are {', '.join(n for n in PASSES if n in known)}"
            )
    return found
