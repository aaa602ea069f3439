"""hl.dot_scaled: microscaled operands of every format, against products of what they stand for."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.language.harness import Case, compiled

import helion_ir as helion
import helion_ir.language as hl
from helion_ir import exc
from helion_ir.dialects.context import module_text, parse_module
from helion_ir.interpreter import run_module

E2M1 = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]
DTYPES = {"e4m3": torch.float8_e4m3fn, "e5m2": torch.float8_e5m2, "bf16": torch.bfloat16, "fp16": torch.float16}
M, N, K = 20, 24, 96


def product(
    a: torch.Tensor, sa: torch.Tensor, b: torch.Tensor, sb: torch.Tensor, fa: hl.constexpr, fb: hl.constexpr
) -> torch.Tensor:
    out = torch.empty([a.size(0), b.size(1)], dtype=torch.float32, device=a.device)
    groups = sa.size(1)
    wide_a, wide_b = a.size(1) // groups, b.size(0) // groups
    for tm, tn in hl.tile([a.size(0), b.size(1)]):
        acc = hl.zeros([tm, tn], dtype=torch.float32)
        for g in hl.tile(groups):
            x = hl.load(a, [tm, g.begin * wide_a + hl.arange(g.block_size * wide_a)])
            y = hl.load(b, [g.begin * wide_b + hl.arange(g.block_size * wide_b), tn])
            acc = hl.dot_scaled(x, sa[tm, g], fa, y, sb[tn, g], fb, acc=acc)
        out[tm, tn] = acc
    return out


def stored(format_: str, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Random elements of [rows, K], as they are stored and as what they stand for."""
    generator = torch.Generator().manual_seed(len(format_) + rows)
    if format_ == "e2m1":
        codes = torch.randint(0, 16, [rows, K], generator=generator)
        values = torch.tensor([*E2M1, *[-v for v in E2M1]], dtype=torch.float64)[codes]
        return (codes[:, 0::2] | codes[:, 1::2] << 4).to(torch.uint8), values
    x = torch.randn([rows, K], generator=generator).to(DTYPES[format_])
    return x, x.double()


def arguments(fa: str, fb: str) -> tuple[Any, ...]:
    generator = torch.Generator().manual_seed(1)
    (a, _), (b, _) = stored(fa, M), stored(fb, N)
    sa, sb = (torch.randint(120, 134, [r, K // 32], generator=generator).to(torch.uint8) for r in (M, N))
    return a, sa, b.T.contiguous() if b.dtype == torch.uint8 else b.T.clone(), sb, fa, fb


def expected(a: Any, sa: torch.Tensor, b: Any, sb: torch.Tensor, fa: str, fb: str) -> torch.Tensor:
    x, y = (
        stored(f, r)[1] * torch.exp2(s.double() - 127).repeat_interleave(32, 1)
        for f, r, s in ((fa, M, sa), (fb, N, sb))
    )
    return x @ y.T


CONFIG = {"block_sizes": [16, 16, 1]}
PAIRS = [("e2m1", "e2m1"), ("e4m3", "e2m1"), ("bf16", "e4m3"), ("e5m2", "fp16")]
CASES = {f"{fa} {fb}": Case(product, lambda a=fa, b=fb: arguments(a, b), expected, (CONFIG,), 1e-3) for fa, fb in PAIRS}


@pytest.mark.parametrize("name", CASES)
def test_as_tiles_and_as_triton(name: str) -> None:
    case = CASES[name]
    bound = case.bound({})
    lowering = bound.stages_for("h200")
    space = lowering.space
    assignment = space.encode({**space.decode(space.legal_default()), **CONFIG})
    for text in (bound.ir("tile"), module_text(lowering.concrete(assignment))):
        module = parse_module(text)
        assert module_text(module) == text
        case.check(lambda *args, m=module: run_module(m, args, assignment, globals=globals()), "interpreted")


def test_tritons_interpreter_has_none() -> None:
    with pytest.raises(exc.BackendUnsupported, match="no tl.dot_scaled"):
        CASES["e2m1 e2m1"].bound({}).stages(CONFIG)


@pytest.mark.parametrize("target", ["h200", "mi350x"])
@pytest.mark.parametrize("name", ["e2m1 e2m1", "bf16 e4m3"])
def test_compiled(name: str, target: str) -> None:
    assert compiled(CASES[name], target).asm


@pytest.mark.parametrize(
    ("position", "value", "error"),
    [
        (4, "e3m2", exc.InvalidAPIUsage),
        (4, "e4m3", exc.ShapeMismatch),
        (4, "bf16", exc.TypeInferenceError),
        (1, torch.ones(M, K // 32), exc.TypeInferenceError),
    ],
)
def test_misuse(position: int, value: Any, error: type[Exception]) -> None:
    given = list(arguments("e2m1", "e2m1"))
    given[position] = value
    with pytest.raises(error):
        helion.kernel(product).bind(tuple(given))
