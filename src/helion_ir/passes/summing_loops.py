"""Loops that sum, with what follows them: where programs may share the iterations, and why not elsewhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sympy import Expr
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.traits import Pure

from helion_ir.dialects.host import FuncOp, LaunchOp, PythonOp
from helion_ir.dialects.index import ApplyOp
from helion_ir.dialects.knob import KnobValue, RuledOutOp
from helion_ir.dialects.tile import compute, control, elementwise, memory
from helion_ir.dialects.tile.elementwise_base import ElementwiseOp
from helion_ir.dialects.types import RangeType, RefType, TileType, f32, f64
from helion_ir.index.expr import knobs_of
from helion_ir.index.facts import Domains

ALLOCATED = r"(torch\.(empty|zeros|ones|full)(_like)?|\w+\.new_(empty|zeros|ones|full))\("


@dataclass(frozen=True)
class SummingLoop:
    """A kernel of one root loop with one loop in it, which sums."""

    kernel: control.KernelOp
    root: control.ParallelOp
    loop: control.ForOp
    launch: LaunchOp
    stores: tuple[memory.StoreOp, ...]
    """What follows the loop stores."""

    @property
    def extent(self) -> Expr:
        """Indices that the loop runs over."""
        return self.loop.upper.data - self.loop.lower.data

    @property
    def block(self) -> Expr:
        """Indices of one iteration."""
        type_ = self.loop.body.block.args[0].type
        assert isinstance(type_, RangeType)
        return type_.block.data


def why_not_shared(
    kernel: control.KernelOp, knob: str, values: Sequence[KnobValue], reason: str, owner: str
) -> Iterator[RuledOutOp]:
    """Says why a kernel's loop has no knob of the name `<root>.<knob>`; of kernels whose loops carry nothing nobody asks."""
    for root in kernel.body.block.ops:
        if not isinstance(root, control.ParallelOp):
            continue
        loops = (op for op in root.walk() if isinstance(op, control.ForOp) and op.iter_args)
        if (loop := next(loops, None)) is not None:
            made = RuledOutOp(f"{root.label.data}.{knob}", values, reason, owner=owner)
            made.location = loop.location
            yield made
            return


def find_summing_loop(module: ModuleOp, kernel: control.KernelOp) -> SummingLoop | str:
    """The kernel's loop, if programs may share its iterations and add up what they find; else why they may not."""
    roots = [op for op in kernel.body.block.ops if isinstance(op, control.ParallelOp)]
    if len(roots) != 1 or any(op is not roots[0] and not op.has_trait(Pure) for op in kernel.body.block.ops):
        return "the kernel has more than one root loop"
    (root,) = roots
    inner = list(root.body.block.ops)
    loops = [op for op in inner if isinstance(op, control.ForOp)]
    if len(loops) != 1:
        return f"the root loop has {len(loops)} loops in it, not one"
    (loop,) = loops
    if root.symbols or loop.symbols:
        return "a loop's bounds are computed on the device"
    if reason := _why_no_sum(loop):
        return reason
    after = inner[inner.index(loop) + 1 :]
    stores = [op for op in after if isinstance(op, memory.StoreOp)]
    plain = [op for op in inner if op is not loop and op not in stores]
    if not stores:
        return "nothing is stored after the loop"
    if any(op.regions or not (op.has_trait(Pure) or isinstance(op, memory.LoadOp)) for op in plain):
        return "the loop's sum is not just computed with and stored: there is an atomic, a store, a branch or a barrier beside it"
    if any(isinstance(op, control.AxisOp) and op.schedule is not None for op in inner):
        return "reductions of the root loop may be looped over themselves"
    read = {op.ref for op in root.walk() if isinstance(op, memory.LoadOp)}
    if read & {op.ref for op in stores}:
        return "what the kernel stores to it loads from too"
    launches = [o for o in module.walk() if isinstance(o, LaunchOp) and o.kernel.data == kernel.sym_name.data]
    if len(launches) != 1 or not isinstance(launches[0].parent_op(), FuncOp):
        return "the kernel is not launched once by the function"
    if all(r.first_use is None for r in loop.results):
        return "nothing uses what the loop sums"
    return SummingLoop(kernel, root, loop, launches[0], tuple(stores))


def may_be_parted(site: SummingLoop, domains: Domains) -> bool:
    """Whether what stands beside the loop means the same in blocks of another size: each element is computed by itself."""
    ops = [op for op in site.root.body.block.ops if op is not site.loop]
    return all(_is_elementwise(op, domains) for op in ops)


def _is_elementwise(op: Operation, domains: Domains) -> bool:
    match op:
        case ElementwiseOp() | compute.BroadcastOp() | compute.FullOp() | compute.PermuteOp() | memory.AccessOp():
            return True
        case compute.ReshapeOp():  # may only add and drop extents of 1
            before, after = op.operand.type, op.result.type
            assert isinstance(before, TileType) and isinstance(after, TileType)
            return [d for d in before.dims if d != 1] == [d for d in after.dims if d != 1]
        case control.BeginOp():  # of one index it is that index
            return isinstance(op.range.type, RangeType) and is_unit(op.range.type, domains)
        case compute.ReduceOp():
            dims = op.operand.type.dims  # pyright: ignore[reportAttributeAccessIssue] - a tile
            return not any(knobs_of(dims[i]) for i in op.dims)
        case ApplyOp():  # a number that depends on the block's size is another in a block of another size
            return not knobs_of(op.expr.data)
        case control.IndexOp() | control.AxisOp():
            return True
        case _:
            return False


# -- the loop ----------------------------------------------------------------------------------------------------------
def _why_no_sum(loop: control.ForOp) -> str:
    """ "" if every value that a loop over tiles carries starts at 0 and has terms added that depend on none of them."""
    block = loop.body.block
    if not isinstance(block.args[0].type, RangeType) or not loop.iter_args:
        return "the loop is none over tiles that carries a sum"
    if any(op.regions or not (op.has_trait(Pure) or isinstance(op, memory.LoadOp)) for op in block.ops):
        return "the loop does more than load and compute"
    last = block.last_op
    assert isinstance(last, control.YieldOp)
    carried: set[SSAValue] = set(block.args[1:])
    dependent = _dependent(block, carried)
    for init, argument, result in zip(loop.iter_args, block.args[1:], last.arguments):
        owner = init.owner
        if not isinstance(owner, compute.FullOp) or owner.value.data != 0 or not _is_float(init):
            return "the loop carries what does not start as zeros in float32 or float64"
        if not _adds(result, argument, dependent):
            return "the loop does not just add to what it carries"
    return ""


def _is_float(value: SSAValue) -> bool:
    return isinstance(value.type, TileType) and value.type.element_type in (f32, f64)


def _dependent(block: Block, sources: set[SSAValue]) -> set[SSAValue]:
    found = set(sources)
    for op in block.ops:
        if any(x in found for x in op.operands):
            found.update(op.results)
    return found


def _adds(value: SSAValue, argument: SSAValue, dependent: set[SSAValue]) -> bool:
    """Whether a value is the argument plus terms that depend on nothing carried."""
    while value is not argument:
        owner = value.owner
        if isinstance(owner, compute.DotOp) and not {owner.lhs, owner.rhs} & dependent:
            value = owner.acc
        elif isinstance(owner, elementwise.AddOp) and owner.rhs not in dependent:
            value = owner.lhs
        elif isinstance(owner, elementwise.AddOp) and owner.lhs not in dependent:
            value = owner.rhs
        else:
            return False
    return True


# -- adding to the output -------------------------------------------------------------------------------------------------
def added_store(site: SummingLoop, domains: Domains) -> memory.StoreOp | None:
    """The store that programs may each add their share to instead, in a tensor that the host sets to zero first.

    None where sums of what they store are not what the sums would be stored as.
    """
    return site.stores[0] if len(site.stores) == 1 and _adds_up(site, site.stores[0], domains) else None


def _adds_up(site: SummingLoop, store: memory.StoreOp, domains: Domains) -> bool:
    assert isinstance(store.ref.type, RefType)
    if store.ref.type.element_type not in (f32, f64) or not _is_linear(store.value, site.loop):
        return False
    if store.mask is not None or not _covers(store, site.root, domains):
        return False
    kernel = site.kernel
    name = next(a.data for a, b in zip(site.launch.arguments, kernel.body.block.args) if b is store.ref)
    function = site.launch.parent_op()
    assert isinstance(function, FuncOp)
    sources = [op.source.data for op in function.body.block.ops if isinstance(op, PythonOp)]
    made = [s for s in sources if re.search(rf"(?<![\w.]){re.escape(name)}\s*[:=,]", s)]
    return name.isidentifier() and len(made) == 1 and re.match(rf"{name} = {ALLOCATED}", made[0]) is not None


def is_zero_at(launch: LaunchOp, name: str) -> bool:
    """Whether a tensor that the function allocates is zero when a launch begins: made so, and not named since."""
    at = launch.prev_op
    while at is not None:
        texts = [at.source.data] if isinstance(at, PythonOp) else []
        if isinstance(at, LaunchOp):
            texts = [a.data for a in at.arguments]
        if any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) for text in texts):
            return isinstance(at, PythonOp) and _makes_zeros(at.source.data, name)
        at = at.prev_op
    return False


def _makes_zeros(statement: str, name: str) -> bool:
    """Whether a statement is `name = torch.zeros(…)` or the like, and nothing more."""
    match ast.parse(statement).body:
        case [ast.Assign([ast.Name(target)], ast.Call(ast.Attribute(_, "zeros" | "zeros_like" | "new_zeros")))]:
            return target == name
    return False


def _is_linear(value: SSAValue, loop: control.ForOp) -> bool:
    """Whether a value is a sum of multiples of what the loop carried, in its precision."""
    if value in loop.results:
        return True
    owner = value.owner
    if not isinstance(owner, Operation):
        return False
    match owner:
        case compute.ReshapeOp() | compute.PermuteOp() | compute.BroadcastOp() | elementwise.NegOp():
            return _is_linear(owner.operand, loop)
        case elementwise.CastOp():
            return _is_float(owner.result) and _is_linear(owner.operand, loop)
        case elementwise.AddOp() | elementwise.SubOp():
            return _is_linear(owner.lhs, loop) and _is_linear(owner.rhs, loop)
        case elementwise.MulOp():
            sides = [(owner.lhs, owner.rhs), (owner.rhs, owner.lhs)]
            return any(_is_linear(a, loop) and not _is_after(b, loop) for a, b in sides)
        case elementwise.DivOp():
            return _is_linear(owner.lhs, loop) and not _is_after(owner.rhs, loop)
        case _:
            return False


def _is_after(value: SSAValue, loop: control.ForOp) -> bool:
    """Whether a value is computed from what the loop carried."""
    if value in loop.results:
        return True
    return isinstance(value.owner, Operation) and any(_is_after(x, loop) for x in value.owner.operands)


def _covers(store: memory.StoreOp, root: control.ParallelOp, domains: Domains) -> bool:
    """Whether the programs together store every element of the tensor, each once."""
    assert isinstance(store.ref.type, RefType)
    bounds = {a: (lo.data, hi.data) for a, lo, hi in zip(root.body.block.args, root.lower, root.upper)}
    used: list[SSAValue] = []
    for s, extent in zip(store.subscripts, store.ref.type.dims):
        owner = s.owner
        if isinstance(owner, control.BeginOp) and isinstance(owner.range.type, RangeType):
            s = owner.range
            if not is_unit(owner.range.type, domains):
                return False
        if isinstance(s.owner, control.AxisOp):
            low, high = s.owner.lower.data, s.owner.upper.data
        elif s in bounds:
            low, high = bounds[s]  # pyright: ignore[reportArgumentType]
        else:
            return False
        if low != 0 or high != extent or s in used:
            return False
        used.append(s)
    return all(a in used for a in bounds)


def is_unit(type_: RangeType, domains: Domains) -> bool:
    """Whether a range has one index in every configuration."""
    block = type_.block.data
    names = knobs_of(block)
    return block == 1 or (len(names) == 1 and block.is_Symbol and domains.get(*names) == (1,))
