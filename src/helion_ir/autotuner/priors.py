"""Configurations worth trying first, by what a kernel does: products, reductions, or one element at a time."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from helion_ir.autotuner.protocol import assignment_key

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

    from helion_ir.autotuner.protocol import Assignment, TunableSpace
    from helion_ir.dialects.knob import KnobValue

# Rows, columns and depth of a program's product, the depth where it is a loop over what another product made (as keys
# in attention), warps, stages: from large square tiles, which suit large products, to what suits thin ones.
PRODUCTS = (
    (128, 128, 64, 64, 8, 3),
    (128, 256, 64, 128, 8, 3),
    (64, 128, 64, 64, 4, 4),
    (128, 128, 64, 128, 4, 3),
    (256, 128, 64, 64, 8, 3),
    (128, 64, 64, 128, 8, 3),
    (64, 64, 64, 64, 4, 3),
    (128, 256, 64, 32, 8, 4),
    (128, 128, 128, 128, 8, 2),
    (64, 256, 64, 32, 8, 3),
    (64, 32, 128, 32, 4, 4),
    (16, 64, 128, 64, 4, 4),
    (32, 32, 64, 64, 2, 4),
)
L2_GROUPING = 8
ROWS = (1, 2, 4, 8, 16, 32)
CHUNKS = (1024, 2048, 4096, 8192)
WARPS = (1, 2, 4, 8, 16, 32)
ELEMENTS = (1024, 2048, 4096, 8192, 512, 16384)
# Elements a thread holds of what it reduces: fewer leave it waiting, more leave it without registers.
LEAST_HELD, MOST_HELD = 4, 64
WARP = 32


@dataclass
class KernelShape:
    """What of a tile module decides which configurations are good."""

    blocks: list[str] = field(default_factory=list)
    """Knobs of block sizes, outermost loop first."""
    roles: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """By block knob: m, n, k of the products that it is a dimension of."""
    reduced: int = 0
    """The longest extent that is reduced in one piece, rounded up to a power of two; 0: none."""
    products: int = 0

    @classmethod
    def of(cls, module: ModuleOp) -> KernelShape:
        """The shape of a declared module."""
        from helion_ir.dialects.knob import declarations
        from helion_ir.dialects.tile.compute import DotOp, ReduceOp
        from helion_ir.dialects.types import TileType
        from helion_ir.index.expr import constant_of, knobs_of

        shape = cls([op.sym_name.data for op in declarations(module) if op.field and op.field.data == "block_sizes"])
        for op in module.walk():
            if isinstance(op, DotOp):
                shape.products += 1
                lhs, rhs = op.lhs.type, op.rhs.type
                assert isinstance(lhs, TileType) and isinstance(rhs, TileType)
                for role, dim in (("m", lhs.dims[-2]), ("k", lhs.dims[-1]), ("n", rhs.dims[-1])):
                    for name in knobs_of(dim):
                        shape.roles[name].add(role)
            elif isinstance(op, ReduceOp) and isinstance(op.operands[0].type, TileType):
                for dim in op.operands[0].type.dims:
                    extent = constant_of(dim)
                    if extent is not None and extent > 1:
                        shape.reduced = max(shape.reduced, 1 << (extent - 1).bit_length())
        return shape


def priors(module: ModuleOp, space: TunableSpace) -> list[dict[str, KnobValue]]:
    """Legal configurations to begin with, the most promising and most different ones first.

    Args:
        module: the declared module.
        space: its space.
    """
    shape = KernelShape.of(module)
    if shape.products:
        wanted = _of_products(shape, space)
    elif shape.reduced or any(k.name.startswith("reduction.") for k in space):
        wanted = _of_reductions(shape, space)
    else:
        wanted = _of_elements(shape)
    return _legal(wanted, space)


def _legal(wanted: Iterable[Mapping[str, Any]], space: TunableSpace) -> list[dict[str, KnobValue]]:
    default = space.default()
    domains = {k.name: k.values for k in space}
    out: dict[Any, dict[str, KnobValue]] = {}
    for values in wanted:
        given = {n: _nearest(domains[n], v) for n, v in values.items() if n in domains}
        assignment = space.project({**default, **given})
        if space.is_legal(assignment) is None:
            out.setdefault(assignment_key(assignment), assignment)
    return list(out.values())


def _nearest(values: Sequence[Any], wanted: Any) -> Any:
    """The value itself, or of numbers the nearest; the first value where the domain has nothing like it."""
    if any(type(v) is type(wanted) and v == wanted for v in values):
        return wanted
    numbers = [v for v in values if type(v) is int]
    return min(numbers, key=lambda v: abs(v - wanted)) if numbers and type(wanted) is int else values[0]


def _of_products(shape: KernelShape, space: TunableSpace) -> Iterator[dict[str, Any]]:
    names = [k.name for k in space]
    chained = any({"n", "k"} <= shape.roles[b] for b in shape.blocks)
    for style in _styles(space, names):
        for m, n, k, inner, warps, stages in PRODUCTS[: None if not style else 6]:
            values: dict[str, Any] = {"num_warps": warps, "num_stages": stages, **style}
            for block in shape.blocks:
                roles = shape.roles[block]
                if {"n", "k"} <= roles or ("m" in roles and "k" in roles):
                    values[block] = inner
                else:
                    values[block] = m if "m" in roles else n if "n" in roles else k if "k" in roles else 1
            if not chained:
                values |= {name: L2_GROUPING for name in names if name.endswith(".l2_grouping")}
            yield values


def _styles(space: TunableSpace, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Ways to address and to launch, plainest first."""
    yield {}
    described = {
        k.name: "tensor_descriptor" for k in space if k.name.endswith(".indexing") and "tensor_descriptor" in k.values
    }
    if described:
        yield described
    if "pid_type" in names:
        yield {"pid_type": "persistent_interleaved"}
        yield {"pid_type": "persistent_interleaved", **described}


def _of_reductions(shape: KernelShape, space: TunableSpace) -> Iterator[dict[str, Any]]:
    reductions = [k.name for k in space if k.name.startswith("reduction.")]
    first, inner = shape.blocks[:1], shape.blocks[1:]
    # A loop over blocks takes the place of a chunk.
    chunks: list[int | None] = [None, *CHUNKS] if reductions or inner else [None]
    found: list[tuple[float, dict[str, Any]]] = []
    for rows, chunk, warps in itertools.product(ROWS, chunks, WARPS):
        length = chunk or shape.reduced or 1024
        if chunk is not None and shape.reduced and chunk >= shape.reduced:
            continue
        held = rows * length / (warps * WARP)
        if not LEAST_HELD <= held <= MOST_HELD:
            continue
        values: dict[str, Any] = {"num_warps": warps, **{name: chunk for name in reductions}}
        values |= {name: rows for name in first} | {name: chunk or 1024 for name in inner}
        # One row a program, and about sixteen elements a thread; whole rows unless they are long.
        distance = abs(math.log2(held / 16)) + math.log2(rows) / 2 + (chunk is not None)
        if shape.reduced > 16384 and chunk is None:
            distance += 2
        found.append((distance, values))
    found.sort(key=lambda pair: pair[0])
    for _, values in found[:24]:
        yield values


def _of_elements(shape: KernelShape) -> Iterator[dict[str, Any]]:
    for elements, warps in itertools.product(ELEMENTS, (4, 8)):
        # The last dimension is the one whose elements lie side by side.
        for last in (elements, 128):
            values: dict[str, Any] = {"num_warps": warps}
            left = elements
            for position, block in enumerate(reversed(shape.blocks)):
                size = min(left, last) if position == 0 else min(left, elements)
                values[block] = size
                left = max(1, left // size)
            yield values
            if len(shape.blocks) < 2:
                break


def first_of(groups: Sequence[Sequence[Assignment]], most: int) -> list[Assignment]:
    """Up to `most`, the groups taken in turn.

    >>> first_of([[{"a": 1}, {"a": 2}], [{"a": 3}]], 2)
    [{'a': 1}, {'a': 3}]
    """
    turns = itertools.chain.from_iterable(itertools.zip_longest(*groups))
    return [a for a in turns if a is not None][:most]
