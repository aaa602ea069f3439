"""Inconvenient arguments for `kernels`, and what the results should be: for every stage on a CPU, and for a GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from tests.adversarial import kernels

Arguments = Callable[[], tuple[Any, ...]]


def numbers(*shape: int) -> torch.Tensor:
    """Small distinct numbers, exact in every sum here, none of them 0."""
    count = 1
    for n in shape:
        count *= n
    return (torch.arange(count, dtype=torch.float32) % 61 + 1).reshape(shape)


def in_place() -> tuple[Any, ...]:
    x = numbers(37)
    return x, x, torch.full((37,), torch.nan)


def arguments_overlap(x: torch.Tensor, y: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    before = x.clone()
    y.copy_(before + 1.0)
    return out.copy_(before * 100.0 + x)


def invariant_and_not(x: torch.Tensor, y: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    total = torch.zeros_like(x)
    for k in range(0, y.size(0), 4):
        total = total + x * y[k : k + 4].sum()
        w.copy_(x + 1.0)
    return total


def indices(count: int, end: int) -> torch.Tensor:
    """Numbers below `end` in no order, most of them several times."""
    return (torch.arange(count) * 37 + 11) % end


def added_then_read(index: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(x).index_add(0, index, x)[index]


def taken_in_turn(x: torch.Tensor) -> torch.Tensor:
    return x.cumsum(0).flip(1)


def in_turn() -> tuple[Any, ...]:
    """Two arguments that are every second element of one memory."""
    both = numbers(74)
    return both[::2], both[1::2], torch.full((37,), torch.nan)


def shifted(x: torch.Tensor, by: int) -> torch.Tensor:
    return x + torch.cat([torch.zeros(by), x[:-by]])


def faded_sums(x: torch.Tensor) -> torch.Tensor:
    total = torch.zeros_like(x[:, 0])
    for part in x.split(32, dim=1):
        total = total * 0.5 + part.sum(1)
    return total


def same_twice() -> tuple[Any, ...]:
    x = numbers(16)
    return x, numbers(8), x


def windows(rows: int, width: int) -> torch.Tensor:
    """Rows that overlap, each one element further."""
    return numbers(rows + width - 1).as_strided((rows, width), (1, 1))


CASES: dict[str, tuple[Any, Arguments, Callable[..., torch.Tensor]]] = {
    "store then load": (kernels.store_then_load, lambda: (numbers(37),), lambda x: 4 * x + 1),
    "through a view": (kernels.through_a_view, lambda: (numbers(37),), lambda x: 3 * x + 1),
    "arguments that are one": (kernels.arguments_overlap, in_place, arguments_overlap),
    "arguments that are not": (
        kernels.arguments_overlap,
        lambda: (numbers(37), numbers(37), numbers(37)),
        arguments_overlap,
    ),
    "written in a loop": (
        kernels.written_in_a_loop,
        lambda: (numbers(16), numbers(12)),
        lambda x, y: torch.zeros_like(x) + y.sum(),
    ),
    "changed in a loop": (kernels.invariant_and_not, same_twice, invariant_and_not),
    "repeated indices": (
        kernels.scattered,
        lambda: (torch.tensor([3, 3, 0, 1, 3, 0, 2, 2]), numbers(8)),
        lambda index, x: x + 5.0,
    ),
    "added by other lanes": (kernels.added_then_read, lambda: (indices(256, 97), numbers(256)), added_then_read),
    "added to what other lanes stored": (kernels.stored_then_added, lambda: (numbers(32, 32),), lambda x: x + x.t()),
    "added up in turn": (kernels.taken_in_turn, lambda: (numbers(6, 256),), taken_in_turn),
    "handed to the last program": (kernels.handed_over, lambda: (numbers(37, 64),), lambda x: 2 * x + 1),
    "masked": (
        kernels.masked,
        lambda: (numbers(37), 5),
        lambda x, least: torch.where(torch.arange(37) >= least, x + 1, 0.0),
    ),
    "arguments in turn": (kernels.arguments_overlap, in_turn, arguments_overlap),
    "rows from the last to the first": (kernels.reversed_rows, lambda: (numbers(31, 43),), lambda x: x.flip(0)),
    "before the first": (kernels.shifted, lambda: (numbers(37), 5), shifted),
    "no rows": (kernels.add, lambda: (numbers(0, 5), numbers(0, 5)), torch.add),
    "no columns": (kernels.add, lambda: (numbers(5, 0), numbers(5, 0)), torch.add),
    "a sum of nothing": (kernels.row_sums, lambda: (numbers(5, 0),), lambda x: x.sum(-1)),
    "faded sums": (kernels.faded_sums, lambda: (numbers(31, 100),), faded_sums),
    "the largest of sums": (
        kernels.largest_sums,
        lambda: (numbers(31, 100),),
        lambda x: torch.stack([part.sum(1) for part in x.split(32, dim=1)]).amax(0),
    ),
    "no depth": (kernels.matmul, lambda: (numbers(5, 0), numbers(0, 3)), torch.matmul),
    "prime sizes": (kernels.add, lambda: (numbers(31, 43), numbers(31, 43)), torch.add),
    "transposed": (kernels.add, lambda: (numbers(43, 31).t(), numbers(31, 43)), torch.add),
    "rows of stride 0": (kernels.add, lambda: (numbers(1, 43).expand(31, 43), numbers(31, 43)), torch.add),
    "everything of stride 0": (kernels.add, lambda: (numbers(1).expand(31, 43), numbers(31, 43)), torch.add),
    "one row of a stride that means nothing": (
        kernels.add,
        lambda: (numbers(7, 43)[::7].as_strided((1, 43), (99991, 1)), numbers(1, 43)),
        torch.add,
    ),
    "one column of a wide tensor": (kernels.add, lambda: (numbers(31, 43)[:, 5:6], numbers(31, 1)), torch.add),
    "every third column": (kernels.add, lambda: (numbers(31, 43)[:, ::3], numbers(31, 15)), torch.add),
    "from the middle": (kernels.add, lambda: (numbers(64, 50)[7:38, 5:48], numbers(31, 43)), torch.add),
    "overlapping rows": (kernels.add, lambda: (windows(31, 43), numbers(31, 43)), torch.add),
    "product of overlapping rows": (kernels.matmul, lambda: (windows(17, 29), numbers(29, 19)), torch.matmul),
    "product of transposed": (kernels.matmul, lambda: (numbers(29, 17).t(), numbers(19, 29).t()), torch.matmul),
    "product of sliced": (
        kernels.matmul,
        lambda: (numbers(40, 64)[3:20, 1:59:2], numbers(64, 64)[5:34, 7:26]),
        torch.matmul,
    ),
    "from overlapping rows into overlapping rows": (
        kernels.write_slice,
        lambda: (windows(31, 43), torch.full((73,), torch.nan).as_strided((31, 43), (1, 1))),
        lambda x, out: x * 2.0,
    ),
    "into every second column": (
        kernels.write_slice,
        lambda: (numbers(13, 11), torch.full((13, 22), torch.nan)[:, ::2]),
        lambda x, out: x * 2.0,
    ),
    "into a transposed part": (
        kernels.write_slice,
        lambda: (numbers(13, 11), torch.full((20, 30), torch.nan)[2:13, 5:18].t()),
        lambda x, out: x * 2.0,
    ),
}


def expected(name: str) -> torch.Tensor:
    _, make, reference = CASES[name]
    seen: dict[int, torch.Tensor] = {}

    def double(value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or not value.is_floating_point():
            return value
        return seen.setdefault(id(value), value.double())  # what is one tensor stays one

    return reference(*[double(a) for a in make()])
