"""The compiler, in order. Everything that dumps, times, checks or resumes it derives from these lists."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Sequence

from xdsl.dialects.builtin import ModuleOp, StringAttr

from helion_ir.dialects.context import new_context
from helion_ir.dialects.editing import copied
from helion_ir.passes.assign_names import AssignNames
from helion_ir.passes.avoid_faults import AvoidFaults
from helion_ir.passes.base import TARGET, Pass
from helion_ir.passes.bind_structure import Assignment, BindStructure, bind, structure_key
from helion_ir.passes.canonicalize import Canonicalize
from helion_ir.passes.check_types import CheckTypes
from helion_ir.passes.choose_indexing import ChooseIndexing
from helion_ir.passes.clip_loops import ClipLoops
from helion_ir.passes.collection import uncollected
from helion_ir.passes.convert_tile_to_triton import ConvertTileToTriton
from helion_ir.passes.cse import Cse
from helion_ir.passes.dce import Dce
from helion_ir.passes.declare_plain import DeclarePlain
from helion_ir.passes.declare_schedules import DeclareSchedules
from helion_ir.passes.drop_unit_dims import DropUnitDims
from helion_ir.passes.epilogue_subtile import EpilogueSubtile
from helion_ir.passes.flatten_loops import FlattenLoops
from helion_ir.passes.fold_exp2 import FoldExp2
from helion_ir.passes.forward_memory import ForwardMemory
from helion_ir.passes.hoist_descriptors import HoistDescriptors
from helion_ir.passes.hoist_scaling import HoistScaling
from helion_ir.passes.lift_constexprs import LiftConstexprs
from helion_ir.passes.make_masks import MakeMasks
from helion_ir.passes.map_grid import MapGrid
from helion_ir.passes.peel_masks import PeelMasks
from helion_ir.passes.plan_memory import Plan, PlanMemory
from helion_ir.passes.relax_precision import RelaxPrecision
from helion_ir.passes.roll_reductions import RollReductions
from helion_ir.passes.set_defaults import SetDefaults
from helion_ir.passes.simplify_index import SimplifyIndex
from helion_ir.passes.split_k import SplitK
from helion_ir.passes.split_phases import SplitPhases
from helion_ir.passes.stream_k import StreamK
from helion_ir.passes.swap_dot_operands import SwapDotOperands
from helion_ir.targets import Target

__all__ = ["FRONT", "LOWER", "StageCallback", "lower", "lower_plain", "pipeline", "prepare", "structure_key"]

FRONT: tuple[Pass, ...] = (
    Canonicalize(),
    Cse(),
    Dce(),
    DropUnitDims(),  # after dce, which may remove what keeps it from doing so
    Canonicalize(),  # the reshapes that this made trivial
    ForwardMemory(),  # after cse, which makes equal subscripts one
    Dce(),  # what computed the subscripts of loads that are gone
    RelaxPrecision(),  # on the uses that are left
    CheckTypes(),  # on what is left to be computed
    SplitPhases(),  # before knobs are declared, since those are of loops and launches
    DeclareSchedules(),  # after dce: a dead loop has no knobs
    AvoidFaults(),  # of the knobs just declared
    SetDefaults(),  # in the domains that are left
    DeclarePlain(),  # of the defaults
)
"""Once a kernel, on the tile module; no decision is made."""

LOWER: tuple[Pass, ...] = (
    FlattenLoops(),  # before loops are made in the roots
    ClipLoops(),  # while exponents are the author's
    FoldExp2(),  # while each exponent is there once
    RollReductions(),  # first of those that make loops, since the others see their ranges
    HoistScaling(),  # before those that look for plain products
    SwapDotOperands(),  # before split-k stores what the loop carries
    SplitK(),  # after roll-reductions, since it wants to know all loops
    StreamK(),  # after split-k, with which it cannot be; before loops are peeled
    PeelMasks(),  # the last that makes loops
    EpilogueSubtile(),  # on what loops have left, before masks are made of its ranges
    MapGrid(),
    MakeMasks(),  # needs every range that will be
    ChooseIndexing(),  # needs to know which masks are only the tensor's bounds
    PlanMemory(),  # needs loads and dots, which the next pass takes apart
    ConvertTileToTriton(),
    SimplifyIndex(),
    Cse(),
    Dce(),
    HoistDescriptors(),  # after dce: what nobody uses is not made; before knobs leave the text
    LiftConstexprs(),  # after simplify-index, whose facts are about knobs
    AssignNames(),
)
"""Once a structure, after bind-structure; only local choices stay open."""

StageCallback = Callable[[str, ModuleOp], None]
"""Called with the name of a pass and the module it left."""


def pipeline() -> list[Pass]:
    """The lowering passes with those of installed plugins, each after the pass it names."""
    from helion_ir.passes.registry import plugin_passes

    passes: list[Pass] = list(LOWER)
    for plugin in plugin_passes():
        place = max((i for i, p in enumerate(passes) if p.name == plugin.after), default=len(passes) - 1)
        passes.insert(place + 1, plugin())  # pyright: ignore
    return passes


def prepare(module: ModuleOp, target: Target, callback: StageCallback | None = None) -> None:
    """Declare the configuration space of a traced module, in place."""
    module.attributes[TARGET] = StringAttr(target.name)
    _run(FRONT, module, callback)


def lower(
    module: ModuleOp, assignment: Assignment, callback: StageCallback | None = None, *, whole: bool = False
) -> ModuleOp:
    """The template of the structure that `assignment` has; the declared module stays as it is.

    Args:
        module: the declared module.
        assignment: a value for every knob.
        callback: called with every stage.
        whole: with all alternatives, even where the assignment is plain and needs none: see declare-plain.

    Raises ValueError or BackendUnsupported if the kernel cannot be lowered.
    """
    made = copied(module)
    decided = bind(made, assignment, whole=whole)
    if callback is not None:
        callback(BindStructure.name, made)
    # Whoever looks at every stage is shown also the passes that have nothing to do.
    _run(pipeline() if callback is not None else _needed(decided), made, callback)
    return made


def lower_plain(module: ModuleOp, assignment: Assignment) -> tuple[ModuleOp, Plan]:
    """The template of a plain configuration, and the plan that plan-memory has still to write on it.

    A plan holds for all configurations of a template, and costs as much as half of the other passes together. What is
    never tuned needs of it only that its own configuration fits: `Plan.allows`.
    """
    made = copied(module)
    decided = bind(made, assignment)
    passes = _needed(decided)
    place = next(i for i, p in enumerate(passes) if p.name == PlanMemory.name)
    _run(passes[:place], made, None)
    plan = Plan(made)
    _run(passes[place + 1 :], made, None)
    return made, plan


_context = functools.cache(new_context)  # passes look up in it only; making one costs as much as a pass


def _needed(decided: Collection[str]) -> list[Pass]:
    """The passes but for those that carry out one of the decisions that are none of `decided`."""
    return [p for p in pipeline() if p.decision is None or p.decision in decided]


def _run(passes: Sequence[Pass], module: ModuleOp, callback: StageCallback | None) -> None:
    ctx = _context()
    with uncollected():
        for p in passes:
            p.apply(ctx, module)
            if callback is not None:
                callback(p.name, module)
