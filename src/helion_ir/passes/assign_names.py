"""assign-names: every value gets the name that it is printed with."""

from __future__ import annotations

import functools
import keyword
import re
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, SSAValue

from helion_ir.dialects.knob import AlternativesOp
from helion_ir.dialects.operation import ops_of
from helion_ir.dialects.triton.control import ForOp, KernelOp, ProgramLoopOp
from helion_ir.passes.base import Pass, kernels

PROGRAM_PARTS = ("program", "first", "share")
"""Endings of the variables that a program loop is printed with, after the name of its program."""

RESERVED = frozenset({"tl", "triton", "libdevice", "torch", "math", "min", "max", "range", "float", "int", "bool"})


@dataclass(frozen=True)
class AssignNames(Pass):
    """Name values uniquely within their kernel, from the author's names where they are known.

    ```mlir
    %0 = triton.binary "+" %x, %x : …
    // becomes
    %v = triton.binary "+" %x, %x : …
    ```

    The alternatives of a `knob.choose` or `triton.switch` share names, since only one of them runs, and what they yield is
    named like the result: so a value has the same name in every configuration. Does not handle: values made later.
    Runs last.
    """

    name = "assign-names"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for kernel in kernels(op, KernelOp):
            arguments = [a.data for a in kernel.arg_names]
            scalars = () if kernel.scalars is None else kernel.scalars.data
            names = _Names({*arguments, *kernel.constexprs.data, *scalars, *RESERVED})
            for argument, name in zip(kernel.body.block.args, arguments):
                argument.name_hint = None if _stripped(name) else name
            names.ops(kernel.body.block)


def _stripped(name: str) -> bool:
    """Whether xDSL would drop the number at the end of a hint, or refuse it."""
    return re.fullmatch(r"[A-Za-z_][\w$]*", name) is None or re.search(r"_\d+$", name) is not None


@functools.cache
def _stem(hint: str) -> tuple[str, str]:
    """What the names of values with this hint begin with, before a number, and the first of them."""
    stem = re.sub(r"_(\d+)$", r"\1", re.sub(r"\W", "_", hint).strip("_") or "v")
    if stem[0].isdigit():
        stem = "v" + stem
    if stem[-1].isdigit():  # so that x1 never means the second x
        stem += "n"
    return stem, re.sub(r"(\d)n$", r"\1", stem)


class _Names:
    def __init__(self, taken: set[str]):
        self.taken, self.used = taken, dict[str, int]()
        self.given: set[str] = set()
        """Names in use, since the second `pid` and the first `pid1` would be called alike."""

    def give(self, value: SSAValue) -> None:
        stem, name = _stem(value.name_hint or "v")
        count = self.used.get(stem, 0)
        if count:
            name = f"{stem}{count}"
        while name in self.taken or name in self.given or keyword.iskeyword(name):
            count += 1
            name = f"{stem}{count}"
        self.used[stem] = count + 1
        self.given.add(name)
        value.name_hint = name

    def block(self, block: Block, fixed: frozenset[SSAValue] = frozenset()) -> None:
        for argument in block.args:
            self.give(argument)
        loop = block.parent_op()
        if isinstance(loop, ProgramLoopOp):
            pid = block.args[0].name_hint
            self.taken.update(f"{pid}_{part}" for part in PROGRAM_PARTS)
        elif isinstance(loop, ForOp) and loop.static is not None:
            self.taken.add(f"{block.args[0].name_hint}_static")
        self.ops(block, fixed)

    def ops(self, block: Block, fixed: frozenset[SSAValue] = frozenset()) -> None:
        """Name what the ops of a block make."""
        for op in ops_of(block):
            for result in op.results:
                if result not in fixed:
                    self.give(result)
            if isinstance(op, AlternativesOp):
                self.alternatives(op)
            else:
                for region in op.regions:
                    for inner in region.blocks:
                        self.block(inner)

    def alternatives(self, op: AlternativesOp) -> None:
        before, after = dict(self.used), dict(self.used)
        given, all_given = set(self.given), set(self.given)
        for region in op.alternatives:
            inner = region.block
            assert inner.last_op is not None
            own: set[SSAValue] = set()
            for result, value in zip(op.results, inner.last_op.operands):
                # A value yielded twice can be named once; the other result is then an alias.
                if value.owner is not inner and getattr(value.owner, "parent", None) is inner and value not in own:
                    value.name_hint = result.name_hint
                    own.add(value)
            self.used, self.given = dict(before), set(given)
            self.block(inner, frozenset(own))
            all_given |= self.given
            for stem, count in self.used.items():
                after[stem] = max(count, after.get(stem, 0))
        self.used, self.given = after, all_given
