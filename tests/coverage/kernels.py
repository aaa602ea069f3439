"""Kernels made of calls on tiles: operands loaded by ranges, the calls applied, every result stored."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from tests.frontend.oracle import Captured, tiles_of
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Region, SSAValue

from helion_ir.dialects.host import FuncOp, LaunchOp
from helion_ir.dialects.index import expr_attr
from helion_ir.dialects.knob import DeclareOp, RequireOp, pow2
from helion_ir.dialects.tile.compute import IotaOp
from helion_ir.dialects.tile.control import AxisOp, IdOp, KernelOp, ParallelOp
from helion_ir.dialects.tile.memory import LoadOp, StoreOp
from helion_ir.dialects.types import TileType, i32, range_type, ref_type, tile_type
from helion_ir.frontend.dtypes import element_of
from helion_ir.index.expr import compiled, knob
from helion_ir.passes.bind_structure import complete
from helion_ir.passes.pipeline import prepare
from helion_ir.targets import get_target

BM, BN = knob("tile_m.block_size"), knob("tile_n.block_size")
Inputs = Mapping[str, torch.Tensor]
Call = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True)
class Layout:
    """How the operands of shape [rows, columns] are walked: in blocks of `blocks`, or whole rows where it has one."""

    name: str
    rows: int
    columns: int
    blocks: tuple[int, ...]

    @property
    def tiled(self) -> bool:
        return len(self.blocks) == 2

    def starts(self) -> list[tuple[int, ...]]:
        """The first row, and the first column, of every block."""
        extents = (self.rows, self.columns)
        return list(itertools.product(*[range(0, e, b) for e, b in zip(extents, self.blocks)]))


PARTIAL = Layout("partial", 13, 21, (8, 16))
"""Tiles of which the last ones are partial, in both dimensions."""
AXIS = Layout("axis", 13, 21, (8,))
"""Whole rows, of a length that is no power of two."""
FULL = Layout("full", 32, 32, (16, 16))
"""No lane is inactive."""


@dataclass(frozen=True)
class Output:
    """One stored result: its dimensions as the kernel knows them, and its dtype."""

    name: str
    dims: tuple[Any, ...]
    dtype: torch.dtype

    def leading(self, layout: Layout) -> list[int]:
        """The loops, by number, whose block's number is a subscript, since no dimension tells the blocks apart."""
        loops = [BM, BN][: len(layout.blocks)]
        return [i for i, b in enumerate(loops) if b not in self.dims]

    def shape(self, layout: Layout) -> list[int]:
        sizes = dict(zip((BM, BN), (layout.rows, layout.columns)))
        counts = [-(-e // b) for e, b in zip((layout.rows, layout.columns), layout.blocks)]
        names = dict(zip(("tile_m.block_size", "tile_n.block_size"), layout.blocks))
        return [
            *[counts[i] for i in self.leading(layout)],
            *[sizes[d] if d in sizes else int(compiled(d)(names)) for d in self.dims],
        ]

    def region(self, layout: Layout, start: Sequence[int]) -> tuple[Any, ...]:
        """The subscripts of what one block stores."""
        places = [slice(s, min(s + b, e)) for s, b, e in zip(start, layout.blocks, (layout.rows, layout.columns))]
        ids = [start[i] // layout.blocks[i] for i in self.leading(layout)]
        return (*ids, *[places[0] if d == BM else places[1] if d == BN else slice(None) for d in self.dims])


@dataclass(frozen=True)
class Kernel:
    """A tile module for one layout, with what it stores."""

    module: ModuleOp
    layout: Layout
    inputs: tuple[str, ...]
    outputs: tuple[Output, ...]

    def of(self, name: str) -> list[int]:
        """Which outputs are the results of a call."""
        return [i for i, o in enumerate(self.outputs) if o.name.rpartition(".")[0] == name]

    def empty(self) -> list[torch.Tensor]:
        """Outputs with every byte set to 0xA5 (true, of bools)."""
        return [poisoned(o.shape(self.layout), o.dtype) for o in self.outputs]

    def expected(self, call: Call, inputs: Inputs, outputs: Sequence[Output]) -> list[torch.Tensor]:
        """What eager PyTorch gives block by block, placed where the kernel stores it, poison elsewhere."""
        out = [poisoned(o.shape(self.layout), o.dtype) for o in outputs]
        for start in self.layout.starts():
            at = tuple(
                slice(s, min(s + b, e))
                for s, b, e in zip(start, self.layout.blocks, (self.layout.rows, self.layout.columns))
            )
            results = tiles_of(call({k: v[at].clone() for k, v in inputs.items()}))
            for o, buffer, value in zip(outputs, out, results, strict=True):
                buffer[o.region(self.layout, start)] = value.to(o.dtype)
        return out


def poisoned(shape: Sequence[int], dtype: torch.dtype) -> torch.Tensor:
    """A tensor that was never written, recognizably."""
    out = torch.empty(list(shape), dtype=dtype)
    if dtype == torch.bool:
        return out.fill_(True)
    out.view(torch.uint8).fill_(0xA5) if out.ndim else out.fill_(-77)
    return out


def build(calls: Mapping[str, Call], inputs: Inputs, layout: Layout, target: str = "cpu") -> Kernel:
    """A declared module of one kernel that makes all the calls.

    Args:
        calls: functions of the operands, by name; what they return is stored as `<name>.<number>`.
        inputs: operands of the layout's shape, of which only names and dtypes are read.

    Raises: whatever the frontend says of a call it refuses.
    """
    captured = Captured()
    columns = captured.bn if layout.tiled else layout.columns
    tiles = captured.inputs(*[((captured.bm, columns), v.dtype) for v in inputs.values()])
    results: list[tuple[str, Any]] = []
    with captured.capture:
        for name, call in calls.items():
            found = tiles_of(call(dict(zip(inputs, tiles))))
            results += [(f"{name}.{i}", t) for i, t in enumerate(found)]
        values = [t.value for _, t in results]
    outputs = tuple(Output(n, _dims(v), t.dtype) for (n, t), v in zip(results, values))
    kernel = _kernel(captured.capture.block, list(inputs), [v.dtype for v in inputs.values()], values, outputs, layout)
    names = [*inputs, *[f"out{i}" for i in range(len(outputs))]]
    host = FuncOp("f", names, Region(Block([LaunchOp("_f", names)])))
    declared = [
        DeclareOp(f"{n}.block_size", pow2(b, b), b, owner="test", doc="block", field="block_sizes")
        for n, b in zip(("tile_m", "tile_n"), layout.blocks)
    ]
    required = [RequireOp(expr_attr(e), reason, owner="frontend") for e, reason in captured.sizes.requirements]
    module = ModuleOp([*declared, *required, host, kernel])
    prepare(module, get_target(target))
    module.verify()
    return Kernel(module, layout, tuple(inputs), outputs)


def _dims(value: SSAValue) -> tuple[Any, ...]:
    assert isinstance(value.type, TileType)
    return value.type.dims


def _kernel(
    block: Block,
    names: Sequence[str],
    dtypes: Sequence[torch.dtype],
    values: Sequence[SSAValue],
    outputs: Sequence[Output],
    layout: Layout,
) -> KernelOp:
    shapes = [[layout.rows, layout.columns]] * len(names) + [o.shape(layout) for o in outputs]
    types = [
        ref_type(shape, element_of(dtype), _strides(shape))
        for shape, dtype in zip(shapes, [*dtypes, *[o.dtype for o in outputs]])
    ]
    entry = Block(arg_types=types)
    body = Block(arg_types=[range_type(e) for e in (BM, BN)[: len(layout.blocks)]])
    rows = body.args[0]
    if layout.tiled:
        columns = body.args[1]
    else:
        axis = AxisOp("n", 0, layout.columns)
        body.add_op(axis)
        columns = axis.result
    rows.name_hint, columns.name_hint = "rows", "columns"
    for name, ref, argument in zip(names, entry.args, list(block.args)):
        made = LoadOp(name, ref, [rows, columns], argument.type)
        made.result.name_hint = name
        body.add_op(made)
        argument.replace_all_uses_with(made.result)
    values = [body_value(v, block, body, len(names)) for v in values]
    for op in list(block.ops):
        op.detach()
        body.add_op(op)
    for i, (output, value) in enumerate(zip(outputs, values)):
        subscripts: list[SSAValue] = []
        for loop in output.leading(layout):
            number = IdOp(body.args[loop])
            body.add_op(number)
            subscripts.append(number.result)
        for d in output.dims:
            if d == BM or (d == BN and layout.tiled):
                subscripts.append(body.args[0 if d == BM else 1])
            elif d.is_Integer:
                whole = AxisOp("d", 0, d)
                body.add_op(whole)
                subscripts.append(whole.result)
            else:
                lane = IotaOp(expr_attr(0), expr_attr(1), tile_type((d,), i32))
                body.add_op(lane)
                subscripts.append(lane.result)
        body.add_op(StoreOp(f"out{i}", value, entry.args[len(names) + i], subscripts))
    extents = [layout.rows, layout.columns][: len(layout.blocks)]
    label = "tile_m"
    entry.add_op(ParallelOp(label, [0] * len(extents), extents, Region(body)))
    return KernelOp("_f", [*names, *[f"out{i}" for i in range(len(outputs))]], Region(entry))


def body_value(value: SSAValue, block: Block, body: Block, count: int) -> SSAValue:
    """A result that is an operand itself is what was loaded."""
    if value.owner is block:
        loads = [op for op in body.ops if isinstance(op, LoadOp)]
        return loads[value.index].result  # pyright: ignore
    return value


def _strides(shape: Sequence[int]) -> list[int]:
    strides = [1]
    for extent in reversed(shape[1:]):
        strides.insert(0, strides[0] * max(extent, 1))
    return strides[: len(shape)]


def assignment_of(kernel: Kernel) -> dict[str, Any]:
    """The defaults of all knobs."""
    return complete(kernel.module, {})


def broken_requirements(module: ModuleOp, assignment: Mapping[str, Any]) -> list[str]:
    """Reasons for which the configuration is not allowed."""
    return [
        op.reason.data
        for op in module.body.block.ops
        if isinstance(op, RequireOp) and not compiled(op.condition.data)(assignment)
    ]
