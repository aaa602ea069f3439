"""Configurations worth trying first, by what a kernel does: products, reductions, or one element at a time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from helion_ir.autotuner.kernel_shape import KernelShape
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
# Bytes of an operand's element that these depths are for: a row of shared memory has the same size for all.
DEPTH_BYTES = 2
L2_GROUPING = 8
ROWS = (1, 2, 4, 8, 16, 32)
CHUNKS = (1024, 2048, 4096, 8192)
WARPS = (1, 2, 4, 8, 16, 32)
ELEMENTS = (1024, 2048, 4096, 8192, 512, 16384)
# Elements a thread holds of what it reduces: fewer leave it waiting, more leave it without registers.
LEAST_HELD, MOST_HELD = 4, 64
WARP = 32


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
    splits = [name for name in names if name.endswith(".split_k")]
    for style in _styles(space, names):
        for m, n, k, inner, warps, stages in PRODUCTS[: None if not style else 6]:
            values: dict[str, Any] = {"num_warps": warps, "num_stages": stages, **style}
            for block in shape.blocks:
                roles = shape.roles[block]
                if {"n", "k"} <= roles or ("m" in roles and "k" in roles):
                    values[block] = inner
                elif "k" in roles and not roles & {"m", "n"}:
                    values[block] = k * DEPTH_BYTES // (shape.operand_bytes or DEPTH_BYTES)
                else:
                    values[block] = m if "m" in roles else n if "n" in roles else 1
            if not chained:
                values |= {name: L2_GROUPING for name in names if name.endswith(".l2_grouping")}
            yield values
            # Where there are fewer programs than the device runs at once, more of them along the sum.
            missing = 2 * shape.compute_units / shape.programs(values)
            if splits and not style and missing > 1:
                parts = 1 << math.ceil(math.log2(missing))
                for many in (parts, max(2, parts // 2)):
                    yield {**values, **{name: many for name in splits}}


def _styles(space: TunableSpace, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Ways to address and to launch, plainest first."""
    yield {}
    described: dict[str, Any] = {
        k.name: "tensor_descriptor" for k in space if k.name.endswith(".indexing") and "tensor_descriptor" in k.values
    }
    if described:
        yield described
    if "pid_type" in names:
        yield {"pid_type": "persistent_interleaved"}
        yield {"pid_type": "persistent_interleaved", **described}
        if described and "epilogue_subtile" in names:
            # Descriptors made once on the host, and results stored in parts, whose place in memory others then have.
            yield {
                "pid_type": "persistent_blocked",
                **described,
                "host_tensor_descriptors": True,
                "epilogue_subtile": 2,
            }


def _of_reductions(shape: KernelShape, space: TunableSpace) -> Iterator[dict[str, Any]]:
    online = [k.name for k in space if k.name.startswith("reduction.") and k.name.endswith(".online")]
    reductions = [k.name for k in space if k.name.startswith("reduction.") and k.name not in online]
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
        values: dict[str, Any] = {"num_warps": warps, "exp2": "fold", **{name: chunk for name in reductions}}
        values |= {name: rows for name in first} | {name: chunk or 1024 for name in inner}
        # One row a program, and about sixteen elements a thread; whole rows unless they are long.
        distance = abs(math.log2(held / 16)) + math.log2(rows) / 2 + (chunk is not None)
        if shape.reduced > 16384 and chunk is None:
            distance += 1
        found.append((distance, values))
        if chunk is not None and online:
            # One pass less over what is read.
            found.append((distance, {**values, **{name: True for name in online}}))
    found.sort(key=lambda pair: pair[0])
    for _, values in found[:32]:
        yield values


def _of_elements(shape: KernelShape) -> Iterator[dict[str, Any]]:
    # The last one is that of the dimension whose elements lie side by side.
    blocks = sorted(shape.blocks, key=lambda block: block in shape.contiguous)
    for elements, warps in itertools.product(ELEMENTS, (4, 8)):
        for last in (elements, 128):
            values: dict[str, Any] = {"num_warps": warps}
            left = elements
            for position, block in enumerate(reversed(blocks)):
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
