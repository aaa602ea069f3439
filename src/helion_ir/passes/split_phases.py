"""split-phases: a kernel with barriers becomes one kernel a phase."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp, StringAttr
from xdsl.ir import Attribute, Block, Operation, ParametrizedAttribute, Region, SSAValue
from xdsl.traits import Pure

from helion_ir.dialects.host import LaunchOp
from helion_ir.dialects.index import ExprAttr
from helion_ir.dialects.tile import control
from helion_ir.index.expr import free_names
from helion_ir.passes.base import Pass, kernels


@dataclass(frozen=True)
class SplitPhases(Pass):
    """Launch the root loops on either side of a `tile.barrier` one after the other: launches order memory.

    ```mlir
    host.launch @_f ["x", "tmp", "out"]
    tile.kernel @_f (…) { tile.parallel "a" … { … }   tile.barrier   tile.parallel "b" … { … } }
    // becomes
    host.launch @_f ["x", "tmp"]
    host.launch @_f_1 ["tmp", "out"]
    tile.kernel @_f (…) { tile.parallel "a" … { … } }
    tile.kernel @_f_1 (…) { tile.parallel "b" … { … } }
    ```

    Each kernel takes the arguments that it uses. Does not handle: values read from memory before a barrier and used
    after it. Runs before declare-schedules, so that every later pass sees kernels without barriers.
    """

    name = "split-phases"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for kernel in kernels(op, control.KernelOp):
            if any(isinstance(inner, control.BarrierOp) for inner in kernel.body.block.ops):
                self.split(kernel, op)

    def split(self, kernel: control.KernelOp, module: ModuleOp) -> None:
        """Put a kernel a phase in the place of a kernel, in its module and where the host launches it."""
        taken = {s.data for o in module.body.block.ops if isinstance(s := o.properties.get("sym_name"), StringAttr)}
        block = kernel.parent_block()
        assert block is not None
        made: list[tuple[str, tuple[int, ...]]] = []
        phases = _phases(kernel)
        for number, phase in enumerate(phases):
            name = kernel.sym_name.data if not made else _unused(f"{kernel.sym_name.data}_{len(made)}", taken)
            new, arguments = _phase(kernel, name, phase)
            new.programmatic = _programmatic(kernel, first=number == 0, last=number == len(phases) - 1)
            block.insert_op_before(new, kernel)
            made.append((name, arguments))
        for launch in [o for o in module.walk() if isinstance(o, LaunchOp) and o.kernel.data == kernel.sym_name.data]:
            _replace_launch(launch, made)
        kernel.detach()
        kernel.erase()


def _programmatic(kernel: control.KernelOp, *, first: bool, last: bool) -> ArrayAttr[StringAttr] | None:
    """The first phase waits for other kernels, the last lets them begin; between them launches order themselves."""
    if kernel.programmatic is None:
        return None
    kept = [a for a in kernel.programmatic if (first if a.data == "wait" else last)]
    return ArrayAttr(kept) if kept else None


def _phases(kernel: control.KernelOp) -> list[list[Operation]]:
    """The ops between barriers; phases without a loop have nothing to run."""
    phases: list[list[Operation]] = [[]]
    for op in kernel.body.block.ops:
        if isinstance(op, control.BarrierOp):
            phases.append([])
        else:
            phases[-1].append(op)
    return [p for p in phases if any(op.regions for op in p)]


def _phase(kernel: control.KernelOp, name: str, phase: Sequence[Operation]) -> tuple[control.KernelOp, tuple[int, ...]]:
    """A kernel of some of the ops, and which of the arguments it kept."""
    source = kernel.body.block
    # What has no effect goes to the phases that use it.
    needed = {op for op in phase if not op.has_trait(Pure)}
    for op in reversed(list(source.ops)):
        users = {use.operation for r in op.results for use in r.uses}
        if op not in needed and any(_within(user, source) in needed for user in users):
            _check_movable(op)
            needed.add(op)
    ops = [op for op in source.ops if op in needed]
    names = {n for op in ops for inner in op.walk() for a in _attributes(inner) for n in _names(a)}
    used = {v for op in ops for inner in op.walk() for v in inner.operands}
    types = [a.type for a in source.args if a in used]
    names |= {n for t in types for n in _names(t)}
    kept = tuple(i for i, (a, n) in enumerate(zip(source.args, kernel.arg_names)) if a in used or n.data in names)
    target = Block(arg_types=[source.args[i].type for i in kept])
    values: dict[SSAValue, SSAValue] = {source.args[i]: new for i, new in zip(kept, target.args)}
    for old, new in values.items():
        new.name_hint = old.name_hint
    for op in ops:
        copy = op.clone(values)
        for old, new in zip(op.walk(), copy.walk()):
            new.location = old.location
        target.add_op(copy)
    made = control.KernelOp(name, [kernel.arg_names.data[i].data for i in kept], Region(target))
    made.properties.update({k: v for k, v in kernel.properties.items() if k not in made.properties})
    made.location = kernel.location
    return made, kept


def _check_movable(op: Operation) -> None:
    from helion_ir.exc import BackendUnsupported

    if not op.has_trait(Pure):
        raise BackendUnsupported("a value that is read before hl.barrier() and used after it; read it again after it")


def _within(op: Operation, block: Block) -> Operation | None:
    """The op of `block` that `op` is, or is in."""
    return block.find_ancestor_op_in_block(op)


def _replace_launch(launch: LaunchOp, phases: Sequence[tuple[str, tuple[int, ...]]]) -> None:
    block = launch.parent_block()
    assert block is not None
    for name, kept in phases:
        made = LaunchOp(name, [launch.arguments.data[i].data for i in kept])
        made.location = launch.location
        block.insert_op_before(made, launch)
    launch.detach()
    launch.erase()


def _unused(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _attributes(op: Operation) -> Iterator[Attribute]:
    yield from op.properties.values()
    yield from (r.type for r in op.results)
    yield from (a.type for region in op.regions for b in region.blocks for a in b.args)


def _names(attribute: Attribute) -> Iterator[str]:
    """The names that the expressions in an attribute or type read."""
    if isinstance(attribute, ExprAttr):
        yield from free_names(attribute.data)
    elif isinstance(attribute, ArrayAttr):
        for inner in attribute.data:
            yield from _names(inner)
    elif isinstance(attribute, DictionaryAttr):
        for inner in attribute.data.values():
            yield from _names(inner)
    elif isinstance(attribute, ParametrizedAttribute):
        for inner in attribute.parameters:
            yield from _names(inner)
