"""Buffers of the host's for partial sums, and copies of the root loop that write and read them."""

from __future__ import annotations

from collections.abc import Sequence

from sympy import Expr, Integer, Symbol
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, StringAttr
from xdsl.ir import Block, Operation, SSAValue

from helion_ir.dialects.host import BindOp, FuncOp, LaunchOp, PythonOp
from helion_ir.dialects.tile import memory
from helion_ir.dialects.types import f64, ref_type
from helion_ir.passes.base import Pass
from helion_ir.passes.copying import Substitution
from helion_ir.passes.summing_loops import SummingLoop, is_zero_at


class CopyWithout(Substitution):
    """Copies ops of the root's body, but for those given."""

    def __init__(self, without: Sequence[Operation], symbols: dict[Symbol, Expr] | None = None):
        super().__init__(symbols or {})
        self.without = set(without)

    def block(self, source: Block, target: Block) -> None:
        for op in source.ops:
            if op not in self.without:
                target.add_op(self.op(op))


def unused_name(site: SummingLoop, name: str) -> str:
    """A name that neither the function nor the kernel has."""
    function = site.launch.parent_op()
    assert isinstance(function, FuncOp)
    taken = [op.source.data for op in function.body.block.ops if isinstance(op, PythonOp)]
    taken += [op.variable.data for op in function.body.block.ops if isinstance(op, BindOp)]
    taken += [a.data for a in (*site.kernel.arg_names, *function.parameters)]
    text = " ".join(taken)
    while name in text:
        name += "_"
    return name


def add_buffer(
    owner: Pass, site: SummingLoop, position: int, extents: Sequence[Expr], shape: Sequence[str], *, wide: bool
) -> SSAValue:
    """A parameter of the kernel for the partial sums of one carried value, and a statement of the host's that allocates it.

    Args:
        owner: the pass that adds it.
        site: the kernel.
        position: which of the values carried.
        extents: of the buffer, expressions over knobs.
        shape: the same as the host's expressions.
        wide: whether 32 bits may not be able to count its elements.
    """
    kernel, element = site.kernel, site.loop.results[position].type.element_type  # pyright: ignore - a tile
    strides: list[Expr] = [Integer(1)]
    for e in reversed(extents[1:]):
        strides.insert(0, strides[0] * e)
    type_ = ref_type(list(extents), element, strides)
    name = unused_name(site, f"_{site.loop.iter_args[position].name_hint or 'sum'}_parts")
    argument = kernel.body.block.insert_arg(type_, len(kernel.body.block.args))
    argument.name_hint = name.strip("_")
    kernel.arg_names = ArrayAttr([*kernel.arg_names.data, StringAttr(name)])
    # Memory of its own: nothing that touches another tensor has to wait for it.
    groups = kernel.allocations.data if kernel.allocations is not None else ()
    kernel.allocations = ArrayAttr([*groups, ArrayAttr([StringAttr(name)])])
    if wide:
        kernel.wide = ArrayAttr([*(kernel.wide or ArrayAttr([])).data, StringAttr(name)])
    dtype = "torch.float64" if element == f64 else "torch.float32"
    first = site.launch.arguments.data[0].data
    device = f"{first if first.isidentifier() else f'({first})'}.device"
    made = PythonOp(f"{name} = torch.empty([{', '.join(shape)}], dtype={dtype}, device={device})")
    insert(owner, made, site.launch)
    site.launch.arguments = ArrayAttr([*site.launch.arguments.data, StringAttr(name)])
    return argument


def add_instead(owner: Pass, store: memory.StoreOp) -> None:
    """Make a store add to what is there, atomically."""
    added = memory.AtomicOp(store.site.data, "add", "relaxed", [store.value], store.ref, store.subscripts)
    replace(owner, store, [added])


def zero_before(owner: Pass, site: SummingLoop, ref: SSAValue) -> None:
    """Let the host set a tensor to zero before the launch, unless the author did."""
    name = site.launch.arguments.data[list(site.kernel.body.block.args).index(ref)].data  # pyright: ignore
    if not is_zero_at(site.launch, name):
        insert(owner, PythonOp(f"{name}.zero_()"), site.launch)


def release(owner: Pass, module: ModuleOp, buffers: Sequence[StringAttr]) -> None:
    """Let the host drop buffers after the last launch that takes them, where others follow.

    PyTorch's allocator gives their memory to the next buffer, in the order of the stream: buffers that are not needed at
    the same time have one place.
    """
    for name in buffers:
        launches = [o for o in module.walk() if isinstance(o, LaunchOp) and name in o.arguments.data]
        following = launches[-1].next_op
        rest = following
        while rest is not None and not isinstance(rest, LaunchOp):
            rest = rest.next_op
        if following is not None and rest is not None:
            insert(owner, PythonOp(f"del {name.data}"), following)


def site_name(buffer: SSAValue) -> str:
    """What the accesses of a buffer are called."""
    return buffer.name_hint or "parts"


def insert(owner: Pass, new: Operation, before: Operation) -> None:
    block = before.parent_block()
    assert block is not None
    block.insert_op_before(new, before)
    owner.located(before, [new])


def replace(owner: Pass, old: Operation, new: Sequence[Operation]) -> None:
    for op in new:
        insert(owner, op, old)
    old.detach()
    old.erase()
