"""flatten-loops: blocks of indices numbered through compute what blocks of several dimensions do."""

from __future__ import annotations

import pytest
import torch
from tests.passes.structures import legal, run_every_stage

import helion_ir as helion
import helion_ir.language as hl

STAGES = ["flatten-loops", "make-masks", "simplify-index"]


@helion.kernel()
def rows_and_columns(x: torch.Tensor, y: torch.Tensor, b: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    """What varies along rows, along columns and along both, with indices, and stored transposed."""
    out = torch.empty([x.size(1), x.size(0)], dtype=x.dtype, device=x.device)
    for i, j in hl.tile(x.size()):
        value = x[i, j] * b[j] + y[i, j] * c[i][:, None] + i.index[:, None]
        out[j, i] = value.t()
    return out


@helion.kernel()
def softmax_of_each(x: torch.Tensor) -> torch.Tensor:
    """A reduction of a dimension that is not the loop's."""
    out = torch.empty_like(x)
    for a, b in hl.tile([x.size(0), x.size(1)]):
        out[a, b, :] = torch.softmax(x[a, b, :], dim=-1)
    return out


@helion.kernel()
def rows_of_table(table: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """A subscript of the author's beside one of the loop's ranges."""
    out = torch.empty([at.size(0), table.size(1)], dtype=table.dtype, device=table.device)
    for i, j in hl.tile([at.size(0), table.size(1)]):
        out[i, j] = table[at[i], j]
    return out


@helion.kernel()
def plus_one(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for a, b, c in hl.tile(x.size()):
        out[a, b, c] = x[a, b, c] + 1
    return out


def affine(x: torch.Tensor, y: torch.Tensor, b: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    return (x * b + y * c[:, None] + torch.arange(x.size(0))[:, None]).t()


CASES = {
    "rows_and_columns": (rows_and_columns, ((10, 13), (10, 13), (13,), (10,)), affine),
    "softmax_of_each": (softmax_of_each, ((3, 5, 7),), lambda x: torch.softmax(x, -1)),
    "plus_one": (plus_one, ((3, 5, 7),), lambda x: x + 1),
}


@pytest.mark.parametrize("name", list(CASES))
def test_numbers_are_the_same(name: str) -> None:
    kernel, shapes, eager = CASES[name]
    args = tuple(torch.randn(s) for s in shapes)
    _check(kernel, args, eager(*(a.double() for a in args)))


def test_a_gather_keeps_its_rows() -> None:
    table, at = torch.randn(6, 13), torch.randint(6, (9,))
    _check(rows_of_table, (table, at), table[at].double())


def _check(kernel: helion.Kernel, args: tuple[torch.Tensor, ...], want: torch.Tensor) -> None:
    stages = kernel.bind(args).lowering
    (flatten,) = [k.name for k in stages.space if k.field == "flatten_loops"]
    blocks = {k.name: 4 for k in stages.space if k.field == "block_sizes"}

    def check(got: torch.Tensor) -> None:
        torch.testing.assert_close(got.double(), want, rtol=1e-5, atol=1e-5)

    run_every_stage(stages, legal(stages, {flatten: True, **blocks}), args, check, kernel.fn.__globals__, STAGES)


def test_indices_in_order_fold() -> None:
    """Of a contiguous tensor no quotient or remainder is left, and there is one comparison."""
    stages = plus_one.bind((torch.empty(3, 5, 7),)).stages_for("h100")
    text = stages.printed(stages.space.encode({"block_sizes": [2, 4, 4], "flatten_loops": [True]})).kernel_text
    lines = [line for line in text.splitlines() if "if not" not in line]  # whether the mask is needed
    assert not any("//" in line or "%" in line for line in lines)
    assert text.count(" < 105") == text.count("<") == 1
    assert "tl.load(" in text and "make_block_ptr" not in text


def test_what_a_flat_loop_has_no_use_for_is_not_active() -> None:
    stages = plus_one.bind((torch.empty(4, 8, 64),)).stages_for("h100")
    space = stages.space
    (flatten,) = [k.name for k in space if k.field == "flatten_loops"]
    label = flatten.removesuffix(".flatten")
    apart, flat = (space.active({**space.legal_default(), flatten: f}) for f in (False, True))
    gone = {f"{label}.loop_order", f"{label}.l2_grouping", "load.x.indexing", "store.out.indexing"}
    assert gone <= apart and not gone & flat
    assert "one axis" in (space.is_legal({**space.legal_default(), flatten: True, "pid_type": "xyz"}) or "")


def test_reasons() -> None:
    """A loop of more indices than 32 bits count, of tensors that take no memory, has no flat form."""
    large = torch.zeros(1).expand(1 << 10, 1 << 11, 1 << 12)
    bound = plus_one.bind((large,))
    assert "flatten_loops" not in bound.lowering.space.fields
    (removed,) = [r for r in bound.config_space.explain().removed if r.knob.endswith(".flatten")]
    assert removed.reason == "32 bits cannot count the loop's indices"
