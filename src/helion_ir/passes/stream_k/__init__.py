"""stream-k: blocks that fill no whole wave are shared by all programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sympy import Expr, Integer
from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp

from helion_ir.dialects.index import expr_attr
from helion_ir.dialects.knob import DeclareOp, RequireOp, RuledOutOp, one_of, pow2
from helion_ir.dialects.tile import control
from helion_ir.dialects.types import RangeType
from helion_ir.index.expr import And, Eq, Le, Ne, constant_of, knob, knobs_of, string
from helion_ir.index.facts import Domains, decide, fact_of
from helion_ir.passes.base import Pass, kernels, target_of
from helion_ir.passes.bind_structure import open_schedule, take_schedule
from helion_ir.passes.map_grid import RESERVED
from helion_ir.passes.plan_memory.footprint import elements_of
from helion_ir.passes.scope import INT32_MAX, domains_of, knob_facts
from helion_ir.passes.split_k import SPLIT_KNOB
from helion_ir.passes.stream_k.rewrite import BUFFERED, share_blocks
from helion_ir.passes.stream_k.site import Site, find_site
from helion_ir.passes.summing_loops import why_not_shared

STREAM_KNOB = "stream_k"
STREAM = "stream"
"""The decision's name in a loop's `schedule`: 0 not, 1 in two phases, 2 with atomics."""
OFF, TWO_PHASE, ATOMIC = "off", "two_phase", "atomic"

WAVES = 16
"""Of so many waves of blocks the last has at most a seventeenth of the work."""
MOST_PROGRAMS = 4
"""Programs a multiprocessor that share."""
PARTS, MOST_PARTS = 8, 16
"""Programs of the second launch that add up one block, by default and at most."""


@dataclass(frozen=True)
class StreamK(Pass):
    """Give whole waves of blocks a program each, and divide the iterations of the blocks left over evenly among all programs.

    ```mlir
    tile.parallel "mn" (%m = …, %n = …) { %acc = tile.for "k" (%k = 0 to K : …) iter_args (%a = %zero : …)
        attributes {schedule = {stream = #knob.value<1>}} { … tile.dot … }   tile.store "out" (epilogue %acc), %out[%m, %n] }
    // with T blocks of I iterations and W workers, of T mod W = R blocks left over, becomes in two phases
    host.python "_acc_parts = torch.empty([2 * W, bm, bn], …)"
    tile.parallel "mn" (%b = 0 to T - R : i32) { %m, %n = block %b …   the body as it was }
    tile.parallel "mn.shared" (%w = 0 to W : i32) { tile.for "mn.blocks" (%t = w * R // W to ceil((w + 1) * R / W) : i32) {
        %m, %n = block T - R + %t …   %acc = tile.for "k" (%i = first(w, t) to last(w, t) : i32) { %k = tile.block %i … tile.dot … }
        tile.store %acc, %_acc_parts[%w + %t, the whole block] } }
    // and, in a second launch, of whose programs each has a part of a block
    tile.parallel "mn.fixup" (…) { %acc = tile.for "mn.shares" (%w = t * W // R to ceil((t + 1) * W / R) : i32) … { tile.load %_acc_parts … }
        tile.store "out" (epilogue %acc), %out[%m, %n] }
    ```

    W is the target's compute units times `@mn.stream_k_programs`; with fewer blocks than workers all blocks are shared.
    A worker has iterations of two blocks at most, and its share differs from others' by an iteration. Blocks are numbered
    by loop order and L2 grouping as ever. No program waits for another: launches are ordered, so that any number of
    workers may run at a time. With atomics there is no second launch: workers add to the output, which the host sets to zero.
    (Osama et al., Stream-K: Work-centric Parallel Decomposition for Dense Matrix-Matrix Multiplication on the GPU, 2023)

    Legal where the kernel is one root loop with one loop over tiles in it, of bounds the host knows, which starts all that
    it carries at 0, in float32 or float64, and adds terms that depend on none of that; and where what the kernel stores
    it does not load. With atomics also: as for split-k. Sums of the shared blocks are taken in another order; in two phases
    in the same order each time, with atomics not.

    Does not handle: split loops (a knob of their own), grids of several axes, loops whose bounds the device knows. Offered
    where at the largest block sizes there are fewer than 16 blocks a multiprocessor.
    Runs after split-k, and before peel-masks, which splits the loop of the blocks in whole waves.
    """

    name = "stream-k"
    decision = STREAM

    def declare(self, module: ModuleOp) -> Iterator[DeclareOp | RuledOutOp]:
        domains = domains_of(module)
        for kernel in kernels(module, control.KernelOp):
            site = find_site(module, kernel, domains)
            if not isinstance(site, str) and (reason := _why_no_gain(site, module, domains)):
                site = reason
            if isinstance(site, str):
                yield from why_not_shared(kernel, STREAM_KNOB, [TWO_PHASE], site, self.name)
                continue
            label = site.root.label.data
            name, split = f"{label}.{STREAM_KNOB}", f"{label}.{SPLIT_KNOB}"
            alone = Eq(knob(split), Integer(1)) if split in domains else Integer(1)
            modes = (OFF, TWO_PHASE) if site.atomic is None else (OFF, TWO_PHASE, ATOMIC)
            yield DeclareOp(
                name, one_of(*modes), OFF, owner=self.name, when=None if alone == 1 else expr_attr(alone),
                doc="whether all programs share the blocks that fill no whole wave: a second launch adds up what they find, "
                "or each adds to the output itself",
            )  # fmt: skip
            two_phase, atomic = (And(alone, Eq(knob(name), string(mode))) for mode in (TWO_PHASE, ATOMIC))
            yield DeclareOp(
                f"{name}_programs", pow2(1, MOST_PROGRAMS), 1, owner=self.name,
                doc="programs a multiprocessor that share blocks, and the blocks of a wave",
                when=expr_attr(And(alone, Ne(knob(name), string(OFF)))),
            )  # fmt: skip
            open_schedule(site.loop, STREAM, two_phase if site.atomic is None else two_phase + 2 * atomic)
            if site.parted is not None and (most := min(max(domains[site.parted.block]), MOST_PARTS)) > 1:
                yield DeclareOp(
                    f"{name}_parts", pow2(1, most), min(PARTS, most), owner=self.name, when=expr_attr(two_phase),
                    doc="programs of the second launch that add up one block",
                )  # fmt: skip

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        domains = domains_of(op)
        for kernel in kernels(op, control.KernelOp):
            loops = [o for o in kernel.walk() if isinstance(o, control.ForOp)]
            chosen = max(
                [c for loop in loops if isinstance(c := take_schedule(loop, STREAM, self.name), int)], default=0
            )
            if not chosen:
                continue
            site = find_site(op, kernel, domains)
            if isinstance(site, str):
                raise ValueError(f"stream-k: the blocks of {kernel.sym_name.data} cannot be shared any more: {site}")
            workers = _workers(op, site)
            self._require(op, site, workers, in_parts=chosen == BUFFERED)
            share_blocks(self, op, site, site.shares(workers), chosen)

    def _require(self, module: ModuleOp, site: Site, workers: Expr, *, in_parts: bool) -> None:
        label, domains = site.root.label.data, domains_of(module)
        rules: list[tuple[Expr, str]] = []
        if "xyz" in domains.get("pid_type", ()):
            rules.append(
                (
                    Ne(knob("pid_type"), string("xyz")),
                    f"programs share blocks of {label}, so that its grid has one axis",
                )
            )
        if in_parts:
            if site.parted is not None and (parts := f"{label}.{STREAM_KNOB}_parts") in domains:
                reason = "each part of a block has an index"
                rules.append((Le(knob(parts), knob(site.parted.block)), reason))
            for i in site.carried:
                elements = 2 * workers * elements_of(site.loop.results[i].type)
                if fact_of(elements, knob_facts(module)).high > INT32_MAX:
                    rules.append((Le(elements, Integer(INT32_MAX)), "partial sums are counted in 32 bits"))
        first = module.body.block.first_op
        assert first is not None
        for condition, reason in rules:
            condition = decide(condition, domains)
            if condition != 1:
                module.body.block.insert_op_before(RequireOp(expr_attr(condition), reason, owner=self.name), first)


def _workers(module: ModuleOp, site: Site) -> Expr:
    """Programs that share blocks: as many as a persistent launch has."""
    reserved = module.attributes.get(RESERVED)
    units = target_of(module).compute_units - (reserved.value.data if isinstance(reserved, IntegerAttr) else 0)
    return max(units, 1) * knob(f"{site.root.label.data}.{STREAM_KNOB}_programs")


def _why_no_gain(site: Site, module: ModuleOp, domains: Domains) -> str:
    """Why the last wave cannot be worth sharing; "" if it may."""
    blocks = 1
    for argument, lower, upper in zip(site.root.body.block.args, site.root.lower, site.root.upper):
        extent = constant_of(upper.data - lower.data)
        if extent is None:
            return ""  # only a call says
        blocks *= -(-extent // _largest(argument.type, domains))
    iterations = constant_of(site.extent)
    if iterations is not None and iterations <= min(_sizes(site.loop.body.block.args[0].type, domains)):
        return "the loop has one iteration at most"
    units = target_of(module).compute_units
    if blocks >= WAVES * units:
        return f"there are {blocks} blocks at the largest sizes, so many for {units} compute units that the last wave matters little"
    return ""


def _sizes(type_: object, domains: Domains) -> list[int]:
    if not isinstance(type_, RangeType):
        return [1]
    block = type_.block.data
    return [int(block)] if block.is_Integer else [int(v) for k in knobs_of(block) for v in domains[k]]


def _largest(type_: object, domains: Domains) -> int:
    return max(_sizes(type_, domains))
