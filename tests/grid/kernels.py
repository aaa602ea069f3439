"""Kernels whose root loops become grids of every kind, with what eager PyTorch makes of their arguments."""

from __future__ import annotations

from typing import Any

import torch
from tests.language.harness import Case

import helion_ir.language as hl

FLAT, BLOCKED, INTERLEAVED = (
    {"pid_type": kind} for kind in ("flat", "persistent_blocked", "persistent_interleaved")
)  # fmt: skip
KINDS = (FLAT, BLOCKED, INTERLEAVED)


def poison(*shape: int) -> torch.Tensor:
    return torch.full(shape, -77.0)


def three_roots(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> tuple[torch.Tensor, ...]:
    a = torch.full_like(x, -77.0)
    b = torch.full_like(y, -77.0)
    c = torch.full_like(z, -77.0)
    for t in hl.tile(x.size(0)):
        a[t] = x[t] * 2.0
    for i, j in hl.tile([y.size(0), y.size(1)]):
        b[i, j] = y[i, j] + 1.0
    for p, q in hl.grid([z.size(0), z.size(1)]):
        c[p, q] = z[p, q] - 3.0
    return a, b, c


def three_expected(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return x * 2.0, y + 1.0, z - 3.0


def visits(a: torch.Tensor, b: torch.Tensor, n: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Adds to every element it visits, so that a block that is run twice shows."""
    once = torch.full_like(a, 5)
    also = torch.full_like(b, 5)
    for t in hl.tile(a.size(0)):
        hl.atomic_add(once, [t], a[t])
    for i, j in hl.tile([b.size(0), b.size(1)]):
        hl.atomic_add(also, [i, j], b[i, j])
    return once, also


def visits_in_phases(a: torch.Tensor, b: torch.Tensor, n: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    once = torch.full_like(a, 5)
    also = torch.full_like(b, 5)
    for t in hl.tile(n[0]):
        hl.atomic_add(once, [t], a[t])
    for i, j in hl.tile([n[1], b.size(1)]):
        hl.atomic_add(also, [i, j], b[i, j])
    hl.barrier()
    for s in hl.tile(n[0]):
        hl.atomic_add(once, [s], a[s])
    return once, also


def visits_expected(a: torch.Tensor, b: torch.Tensor, n: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return a + 5, b + 5


def visits_in_phases_expected(a: torch.Tensor, b: torch.Tensor, n: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    once, also = torch.full_like(a, 5), torch.full_like(b, 5)
    once[: n[0]] += 2 * a[: n[0]]
    also[: n[1]] += b[: n[1]]
    return once, also


def visit_arguments() -> tuple[torch.Tensor, ...]:
    return numbers(61).int() + 60, numbers(13, 22).int() + 60, torch.tensor([47, 11])


def phases(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    n, m = x.size(0), y.size(0)
    doubled = torch.full_like(x, -77.0)
    moved = torch.full_like(y, -77.0)
    backward = torch.full_like(x, -77.0)
    sums = torch.full_like(y, -77.0)
    for t in hl.tile(n):
        doubled[t] = x[t] * 2.0
    for u in hl.tile(m):
        moved[u] = y[u] + 1.0
    hl.barrier()
    for s in hl.tile(n):
        backward[s] = doubled[n - 1 - s.index]
    hl.barrier()
    for v in hl.tile(m):
        sums[v] = moved[v] + backward[0] + backward[n - 1]
    hl.barrier()
    return backward, sums


def phases_expected(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return x.flip(0) * 2.0, y + 1.0 + x[0] * 2.0 + x[-1] * 2.0


def ragged(x: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    out = torch.full_like(x, -77.0)
    for i, j in hl.tile([ends[0], 3], [ends[1], ends[2]]):
        out[i, j] = x[i, j] + 5.0
    return out


def ragged_expected(x: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    out = torch.full_like(x, -77.0)
    a, b, c = ends.tolist()
    out[a:b, 3:c] = x[a:b, 3:c] + 5.0
    return out


def counted(x: torch.Tensor, n: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    rows = torch.full_like(x, -77.0)
    every = torch.full_like(x, -77.0)
    for g in hl.grid(n[0], n[1]):
        rows[g] = x[g] * 3.0
    for t in hl.tile(x.size(0)):
        every[t] = x[t] + 1.0
    return rows, every


def counted_expected(x: torch.Tensor, n: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    rows = torch.full_like(x, -77.0)
    a, b = n.tolist()
    rows[a:b] = x[a:b] * 3.0
    return rows, x + 1.0


def counted_before(x: torch.Tensor) -> torch.Tensor:
    count = torch.full([1], -77, dtype=torch.int32, device=x.device)
    out = torch.full_like(x, -77.0)
    for g in hl.grid(1):
        count[g] = (x[:] > 0.0).to(torch.int32).sum(0)
    hl.barrier()
    for t in hl.tile(count[0]):
        out[t] = x[t] + 1.0
    return out


def counted_before_expected(x: torch.Tensor) -> torch.Tensor:
    out = torch.full_like(x, -77.0)
    n = int((x > 0).sum())
    out[:n] = x[:n] + 1.0
    return out


def plane(x: torch.Tensor) -> torch.Tensor:
    out = torch.full_like(x, -77.0)
    for i, j in hl.tile([x.size(0), x.size(1)]):
        out[i, j] = x[i, j] * 2.0 + 1.0
    return out


def space(x: torch.Tensor) -> torch.Tensor:
    out = torch.full_like(x, -77.0)
    for i, j, k in hl.tile([x.size(0), x.size(1), x.size(2)]):
        out[i, j, k] = x[i, j, k] * 2.0 + 1.0
    return out


def points(x: torch.Tensor) -> torch.Tensor:
    out = torch.full_like(x, -77.0)
    for i, j, k in hl.grid([x.size(0), x.size(1), x.size(2)]):
        out[i, j, k] = x[i, j, k] * 2.0 + 1.0
    return out


def four(x: torch.Tensor) -> torch.Tensor:
    out = torch.full_like(x, -77.0)
    for i, j, k, m in hl.tile([x.size(0), x.size(1), x.size(2), x.size(3)], block_size=[2, 1, 4, 8]):
        out[i, j, k, m] = x[i, j, k, m] * 2.0 + 1.0
    return out


def five(x: torch.Tensor) -> torch.Tensor:
    out = torch.full_like(x, -77.0)
    for i, j, k, m, n in hl.grid([x.size(0), x.size(1), x.size(2), x.size(3), x.size(4)]):
        out[i, j, k, m, n] = x[i, j, k, m, n] * 2.0 + 1.0
    return out


def affine(x: torch.Tensor) -> torch.Tensor:
    return x * 2.0 + 1.0


def row_sums(x: torch.Tensor) -> torch.Tensor:
    out = torch.full([x.size(0)], -77.0, device=x.device)
    for t in hl.tile(x.size(0)):
        acc = hl.zeros([t], dtype=torch.float32)
        for j in hl.tile(x.size(1)):
            acc = acc + x[t, j].sum(1)
        out[t] = acc
    return out


def numbers(*shape: int) -> torch.Tensor:
    """Small integers as floats, so that every result is exact."""
    torch.manual_seed(3)
    return torch.randint(-50, 50, shape).float()


def three_arguments() -> tuple[torch.Tensor, ...]:
    return numbers(53), numbers(14, 37), numbers(3, 4)


def phase_arguments() -> tuple[torch.Tensor, ...]:
    return numbers(75), numbers(21)


def ends(*values: int, dtype: torch.dtype = torch.int64) -> torch.Tensor:
    return torch.tensor(values, dtype=dtype)


def _kinds(**common: Any) -> tuple[dict[str, Any], ...]:
    return tuple({**common, **kind} for kind in KINDS)


CASES: dict[str, Case] = {
    "three_roots": Case(
        three_roots, three_arguments, three_expected,
        (
            *_kinds(block_sizes=[16, 4, 8]),
            {**INTERLEAVED, "block_sizes": [2, 16, 4], "num_sm_multiplier": 2, "l2_groupings": [2, 4]},
            {**BLOCKED, "block_sizes": [64, 4, 8], "range_num_stages": [2, 3, 1], "loop_orders": [[1, 0], [1, 0]]},
        ),
    ),
    "visits": Case(
        visits, visit_arguments, visits_expected,
        (
            *_kinds(block_sizes=[16, 4, 8]),
            *_kinds(block_sizes=[2, 2, 4], l2_groupings=[4]),
            {**BLOCKED, "block_sizes": [1, 4, 32], "num_sm_multiplier": 4},
            {**INTERLEAVED, "block_sizes": [4, 4, 32], "num_sm_multiplier": 4},
        ),
    ),
    "visits_in_phases": Case(
        visits_in_phases, visit_arguments, visits_in_phases_expected,
        (
            {**BLOCKED, "block_sizes": [16, 4, 8, 4]},
            {**INTERLEAVED, "block_sizes": [2, 4, 4, 8], "num_sm_multiplier": 2},
            {**BLOCKED, "block_sizes": [4, 1, 32, 2], "num_sm_multiplier": 4},
        ),
    ),
    "phases": Case(
        phases, phase_arguments, phases_expected,
        (*_kinds(block_sizes=[8, 4, 16, 8]), {**INTERLEAVED, "block_sizes": [1, 2, 4, 1], "num_sm_multiplier": 4}),
    ),
    "ragged": Case(
        ragged, lambda: (numbers(29, 41), ends(2, 23, 38)), ragged_expected,
        (
            {**BLOCKED, "block_sizes": [4, 8]},
            {**INTERLEAVED, "block_sizes": [2, 4], "l2_groupings": [4], "loop_orders": [[1, 0]], "num_sm_multiplier": 2},
        ),
    ),
    # Both dimensions end before they begin: the product of their counts must not be positive.
    "ragged_empty": Case(
        ragged, lambda: (numbers(29, 41), ends(20, 3, 1, dtype=torch.int32)), ragged_expected,
        ({**BLOCKED, "block_sizes": [4, 8]},),
    ),
    "counted": Case(
        counted, lambda: (numbers(33), ends(4, 31)), counted_expected,
        ({**BLOCKED, "block_sizes": [4]}, {**INTERLEAVED, "block_sizes": [8], "num_sm_multiplier": 2}),
    ),
    "counted_empty": Case(
        counted, lambda: (numbers(33), ends(9, 2)), counted_expected, ({**BLOCKED, "block_sizes": [4]}, INTERLEAVED)
    ),
    "counted_before": Case(
        counted_before, lambda: (numbers(33),), counted_before_expected,
        ({**BLOCKED, "block_sizes": [4]}, {**INTERLEAVED, "block_sizes": [2], "num_sm_multiplier": 2}),
    ),
    "plane": Case(
        plane, lambda: (numbers(19, 33),), affine,
        ({"pid_type": "xyz", "block_sizes": [4, 8]}, {"pid_type": "xyz", "block_sizes": [16, 1]}),
    ),
    "space": Case(
        space, lambda: (numbers(5, 9, 17),), affine,
        (
            {"pid_type": "xyz", "block_sizes": [2, 4, 8]},
            {"block_sizes": [2, 4, 8], "loop_orders": [[2, 0, 1]], "l2_groupings": [2]},
        ),
    ),
    "points": Case(
        points, lambda: (numbers(3, 4, 5),), affine,
        ({"pid_type": "xyz"}, {**INTERLEAVED, "loop_orders": [[1, 2, 0]], "l2_groupings": [4]}),
    ),
    "four": Case(
        four, lambda: (numbers(5, 3, 6, 11),), affine,
        (
            {"loop_orders": [[2, 0, 3, 1]], "l2_groupings": [2]},
            {**BLOCKED, "loop_orders": [[3, 1, 0, 2]]},
        ),
    ),
    "five": Case(
        five, lambda: (numbers(2, 3, 2, 2, 3),), affine, ({"loop_orders": [[4, 1, 3, 0, 2]], "l2_groupings": [2]},)
    ),
    "row_sums": Case(
        row_sums, lambda: (numbers(19, 24),), lambda x: x.sum(1),
        (
            {**BLOCKED, "block_sizes": [2, 8], "range_num_stages": [3, 2], "range_unroll_factors": [2, 0]},
            {**INTERLEAVED, "block_sizes": [1, 16], "range_num_stages": [1, 4], "num_sm_multiplier": 2},
        ),
    ),
}  # fmt: skip
