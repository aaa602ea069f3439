"""split-k: programs share the iterations of a loop that sums."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from sympy import Expr, Integer
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import BlockArgument

from helion_ir.dialects.index import expr_attr
from helion_ir.dialects.knob import DeclareOp, RequireOp, RuledOutOp, declarations, one_of, pow2
from helion_ir.dialects.tile import control
from helion_ir.dialects.types import RangeType
from helion_ir.index.expr import And, CeilDiv, Eq, Le, Lt, Ne, Or, knob, knobs_of, string
from helion_ir.index.facts import Domains
from helion_ir.passes.base import Pass, kernels, target_of
from helion_ir.passes.bind_structure import open_schedule, take_schedule
from helion_ir.passes.scope import domains_of
from helion_ir.passes.split_k.rewrite import add_atomically, sum_in_second_launch, sum_knob
from helion_ir.passes.split_k.site import Site, find_site
from helion_ir.passes.summing_loops import may_be_parted, why_not_shared
from helion_ir.targets import Target

SPLIT_KNOB = "split_k"
SPLIT = "split"
"""The decision's name in a loop's `schedule`: 0 not, 1 in two phases, 2 with atomics."""
TWO_PHASE, ATOMIC = "two_phase", "atomic"

MOST = 64
"""Parts of a loop."""
WAVES = 2
"""A launch of so many blocks a multiprocessor has no use for more."""
COLUMNS, ROWS = 128, 8
"""The default block of the second phase: of the last dimension, and of the others."""


@dataclass(frozen=True)
class SplitK(Pass):
    """Give several programs a part of a summing loop each, and add up what they find.

    ```mlir
    tile.parallel "mn" (%m = …, %n = …) { %acc = tile.for "k" (%k = 0 to 1000 : …) iter_args (%a = %zero : …)
        attributes {schedule = {split = #knob.value<1>}} { … tile.dot … }   tile.store "out" (epilogue %acc), %out[%m, %n] }
    // in two phases becomes
    host.python "_acc = torch.empty([_split, 512, 512], …)"             // split = @mn.split_k
    tile.parallel "mn" (%m = …, %n = …, %s = 0 to @mn.split_k : i32) {
      %acc = tile.for "k" (%k = d0 to min(d0 + chunk, 1000) : …) with (chunk * %s) … { … }   tile.store %acc, %_acc[%s, %m, %n] }
    // and, in a second launch, whose blocks have sizes of their own
    tile.parallel "mn.sum" (%m = …, %n = …) { %acc = tile.for "mn.parts" (%s = 0 to @mn.split_k) … { tile.load %_acc[%s, %m, %n] … }
        tile.store "out" (epilogue %acc), %out[%m, %n] }
    ```

    With atomics there is one launch, which adds to the output: the host sets it to zero first.

    Legal where the kernel is one root loop with one loop over tiles in it, of constant bounds, which starts all that it
    carries at 0, in float32 or float64, and adds terms that depend on none of that; where what the kernel stores it does
    not load; and where the carried tiles' dimensions tell the programs apart. With atomics also: one store, of every
    element, of a multiple or sum of multiples of what is carried, in the same type, to a tensor that the function allocates itself.
    Sums are taken in another order; in two phases in the same order each time, with atomics not. Parts lie in memory that
    is not zeroed and that the host drops after the second launch where others follow, so that parts of several loops
    have one place (PyTorch's allocator keeps the order of the stream); an output is zeroed for atomics unless the author
    did.

    Does not handle: loops whose bounds a call or the device knows, several loops, 16-bit outputs with atomics. Offered
    where the output has fewer than 2 blocks a multiprocessor at the largest block sizes.
    Runs after roll-reductions, so that there is one loop, and before peel-masks, which splits the parts' loops.
    """

    name = "split-k"
    decision = SPLIT

    def declare(self, module: ModuleOp) -> Iterator[DeclareOp | RuledOutOp]:
        domains, target = domains_of(module), target_of(module)
        for kernel in kernels(module, control.KernelOp):
            site = find_site(module, kernel, domains)
            if not isinstance(site, str) and (reason := _why_no_gain(site, domains, target)):
                site = reason
            if isinstance(site, str):
                yield from why_not_shared(kernel, SPLIT_KNOB, [2], site, self.name)
                continue
            most = _most(site, domains)
            label = site.root.label.data
            split, mode = f"{label}.{SPLIT_KNOB}", f"{label}.split_k_mode"
            yield DeclareOp(
                split, pow2(1, most), 1, owner=self.name, doc=f"programs that share loop {site.loop.label.data}"
            )
            several = Lt(Integer(1), knob(split))
            phases = several
            if site.atomic is not None:
                yield DeclareOp(
                    mode, one_of(TWO_PHASE, ATOMIC), TWO_PHASE, owner=self.name, when=expr_attr(several),
                    doc="whether a second launch adds up the parts, or each adds to the output itself",
                )  # fmt: skip
                phases = And(several, Eq(knob(mode), string(TWO_PHASE)))
                open_schedule(site.loop, SPLIT, several + And(several, Eq(knob(mode), string(ATOMIC))))
            else:
                open_schedule(site.loop, SPLIT, several)
            yield from self._second_phase(site, module, domains, phases)

    def _second_phase(self, site: Site, module: ModuleOp, domains: Domains, when: Expr) -> Iterator[DeclareOp]:
        """The block sizes of the launch that adds up."""
        if not may_be_parted(site, domains):
            return
        known = {d.sym_name.data: d for d in declarations(module)}
        place = next(p for p in site.places if p is not None)
        for position, (argument, extent) in enumerate(zip(place.subscripts, place.extents)):
            name = sum_knob(argument) if isinstance(argument, BlockArgument) else None
            if name is None or len(domains[name.old]) < 2 or name.new in known:
                continue
            most = min(1 << (extent - 1).bit_length(), 256)
            wanted = COLUMNS if position == len(place.subscripts) - 1 else ROWS
            yield DeclareOp(
                name.new, pow2(1, most), min(wanted, most), owner=self.name, when=expr_attr(when),
                doc=f"indices of {argument.name_hint or 'a dimension'} a block of the second launch holds",
            )  # fmt: skip

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        domains = domains_of(op)
        for kernel in kernels(op, control.KernelOp):
            loops = [o for o in kernel.walk() if isinstance(o, control.ForOp)]
            chosen = [take_schedule(loop, SPLIT, self.name) for loop in loops]
            if not any(chosen):
                continue
            site = find_site(op, kernel, domains)
            if isinstance(site, str):
                raise ValueError(f"split-k: the loop of {kernel.sym_name.data} cannot be split any more: {site}")
            split = knob(f"{site.root.label.data}.split_k")
            self._require(op, site, split)
            if max(c for c in chosen if isinstance(c, int)) == 2:
                add_atomically(self, site, split)
            else:
                sum_in_second_launch(self, op, site, split, max(domains[f"{site.root.label.data}.split_k"]))

    def _require(self, module: ModuleOp, site: Site, split: Expr) -> None:
        rules = [
            (Le(split, CeilDiv(Integer(site.size), site.block)), "each part of a split loop has a tile of its own")
        ]
        kinds = domains_of(module).get("pid_type", ())
        if len(site.root.body.block.args) == 3 and "xyz" in kinds:
            rules.append((Or(Le(split, Integer(1)), Ne(knob("pid_type"), string("xyz"))), "a grid has three axes"))
        first = module.body.block.first_op
        assert first is not None
        for condition, reason in rules:
            module.body.block.insert_op_before(RequireOp(expr_attr(condition), reason, owner=self.name), first)


def _most(site: Site, domains: Domains) -> int:
    """Programs at most that have an iteration each."""
    least = min((v for k in knobs_of(site.block) for v in domains[k]), default=0) or int(site.block)
    return min(MOST, 1 << (max(math.ceil(site.size / least), 1).bit_length() - 1))


def _why_no_gain(site: Site, domains: Domains, target: Target) -> str:
    """Why no multiprocessor can be without a block; "" if one may."""
    if _most(site, domains) < 2:
        return "the loop has one iteration at most"
    blocks = 1
    for argument, lower, upper in zip(site.root.body.block.args, site.root.lower, site.root.upper):
        size = 1
        if isinstance(argument.type, RangeType):
            e = argument.type.block.data
            size = max((v for k in knobs_of(e) for v in domains[k]), default=0) or int(e)
        blocks *= math.ceil(int(upper.data - lower.data) / size)
    if blocks >= WAVES * target.compute_units:
        return f"there are {blocks} blocks at the largest sizes, enough for {target.compute_units} compute units"
    return ""
