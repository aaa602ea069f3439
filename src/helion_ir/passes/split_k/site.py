"""Where a sum over a loop may be shared among programs: the analysis of split-k."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from sympy import Expr
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.traits import Pure

from helion_ir.dialects.host import FuncOp, LaunchOp, PythonOp
from helion_ir.dialects.tile import compute, control, elementwise, memory
from helion_ir.dialects.types import RangeType, RefType, TileType, f32, f64
from helion_ir.index.expr import knobs_of
from helion_ir.index.facts import Domains

VIEWS = (compute.ReshapeOp, compute.PermuteOp, compute.BroadcastOp)
ALLOCATED = r"(torch\.(empty|zeros|ones|full)(_like)?|\w+\.new_(empty|zeros|ones|full))\("


@dataclass(frozen=True)
class Place:
    """Where one carried value goes in a buffer of partial sums: subscripts after the split's, and extents."""

    subscripts: tuple[SSAValue, ...]
    """Arguments of the root loop, and axes."""
    extents: tuple[int, ...]
    leading: int
    """How many of the first are scalars, or ranges of one index, that give the tile no dimension."""


@dataclass(frozen=True)
class Site:
    """A kernel whose one loop may be split."""

    kernel: control.KernelOp
    root: control.ParallelOp
    loop: control.ForOp
    launch: LaunchOp
    places: tuple[Place | None, ...]
    """Of every carried value, None of those that are not used after the loop."""
    atomic: memory.StoreOp | None
    """The store that may add to its tensor instead."""

    @property
    def extent(self) -> int:
        return int(self.loop.upper.data - self.loop.lower.data)

    @property
    def block(self) -> Expr:
        type_ = self.loop.body.block.args[0].type
        assert isinstance(type_, RangeType)
        return type_.block.data


def find_site(module: ModuleOp, kernel: control.KernelOp, domains: Domains) -> Site | None:
    """The kernel's loop, if its programs may share it; None otherwise."""
    roots = [op for op in kernel.body.block.ops if isinstance(op, control.ParallelOp)]
    if len(roots) != 1 or any(op is not roots[0] and not op.has_trait(Pure) for op in kernel.body.block.ops):
        return None
    (root,) = roots
    inner = list(root.body.block.ops)
    loops = [op for op in inner if isinstance(op, control.ForOp)]
    if root.symbols or len(loops) != 1 or not _is_sum(loops[0]):
        return None
    (loop,) = loops
    after = inner[inner.index(loop) + 1 :]
    stores = [op for op in after if isinstance(op, memory.StoreOp)]
    plain = [op for op in inner if op is not loop and op not in stores]
    if not stores or any(op.regions or not (op.has_trait(Pure) or isinstance(op, memory.LoadOp)) for op in plain):
        return None
    if any(isinstance(op, control.AxisOp) and op.schedule is not None for op in inner):
        return None  # rolling it makes further loops
    read = {op.ref for op in root.walk() if isinstance(op, memory.LoadOp)}
    if read & {op.ref for op in stores} or not _is_static((*root.lower, *root.upper, loop.lower, loop.upper)):
        return None
    launches = [o for o in module.walk() if isinstance(o, LaunchOp) and o.kernel.data == kernel.sym_name.data]
    if len(launches) != 1 or not isinstance(launches[0].parent_op(), FuncOp):
        return None
    if all(r.first_use is None for r in loop.results):
        return None
    places = [_place(r, root, loop, domains) if r.first_use is not None else None for r in loop.results]
    if any(p is None for p, r in zip(places, loop.results) if r.first_use is not None):
        return None
    site = Site(kernel, root, loop, launches[0], tuple(places), None)
    if len(stores) == 1 and _adds_up(site, stores[0], domains):
        site = Site(kernel, root, loop, launches[0], tuple(places), stores[0])
    return site


def _is_static(bounds: tuple) -> bool:
    return all(b.data.is_Integer for b in bounds)


# -- the loop ----------------------------------------------------------------------------------------------------------
def _is_sum(loop: control.ForOp) -> bool:
    """Whether every value that a loop over tiles carries starts at 0 and has terms added that depend on none of them."""
    block = loop.body.block
    if not isinstance(block.args[0].type, RangeType) or loop.symbols or not loop.iter_args:
        return False
    if any(op.regions or not (op.has_trait(Pure) or isinstance(op, memory.LoadOp)) for op in block.ops):
        return False
    last = block.last_op
    assert isinstance(last, control.YieldOp)
    carried: set[SSAValue] = set(block.args[1:])
    dependent = _dependent(block, carried)
    for init, argument, result in zip(loop.iter_args, block.args[1:], last.arguments):
        owner = init.owner
        if not isinstance(owner, compute.FullOp) or owner.value.data != 0 or not _is_float(init):
            return False
        if not _adds(result, argument, dependent):
            return False
    return True


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


# -- where partial sums go -----------------------------------------------------------------------------------------------
def _place(value: SSAValue, root: control.ParallelOp, loop: control.ForOp, domains: Domains) -> Place | None:
    """Subscripts that tell the programs' partial sums apart and have the dimensions of the value in their order."""
    assert isinstance(value.type, TileType)
    extents = {a: int(u.data) for a, u in zip(root.body.block.args, root.upper)}
    first = [a for a in root.body.block.args if not isinstance(a.type, RangeType) or _is_unit(a.type, domains)]
    tiles = [a for a in root.body.block.args if a not in first]
    for op in root.body.block.ops:
        if isinstance(op, control.AxisOp) and op.is_before_in_block(loop) and op.lower.data == 0:
            if any(t.type == op.result.type for t in root.body.block.args):
                return None  # whose lanes a dimension's are cannot be told
            if not op.upper.data.is_Integer or any(t.type == op.result.type for t in tiles):
                continue
            tiles.append(op.result)  # pyright: ignore[reportArgumentType]
            extents[op.result] = int(op.upper.data)  # pyright: ignore[reportArgumentType]
    found: list[SSAValue] = []
    for d in value.type.dims:
        of = [t for t in tiles if isinstance(t.type, RangeType) and t.type.block.data == d]
        if d == 1:  # any range of one index may stand for it
            of = [t for t in first if isinstance(t.type, RangeType) and t.type.block.data == 1][:1]
            first = [t for t in first if t not in of]
        if len(of) != 1 or of[0] in found:
            return None
        found += of
    if any(t in root.body.block.args and t not in found for t in tiles):
        return None
    subscripts = (*first, *found)
    return Place(subscripts, tuple(extents[s] for s in subscripts), len(first))  # pyright: ignore[reportArgumentType]


def _is_unit(type_: RangeType, domains: Domains) -> bool:
    block = type_.block.data
    names = knobs_of(block)
    return block == 1 or (len(names) == 1 and block.is_Symbol and domains.get(*names) == (1,))


# -- adding to the output -------------------------------------------------------------------------------------------------
def _adds_up(site: Site, store: memory.StoreOp, domains: Domains) -> bool:
    """Whether sums of what programs store are what the sums would be stored as, in a tensor that may be zeroed first."""
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
            if not _is_unit(owner.range.type, domains):
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
