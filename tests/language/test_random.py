"""Random numbers: Philox word for word, streams that no configuration changes, and PyTorch's implicit seeds."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tests.language.harness import Case, check_stages, compiled, triton_failures
from tests.triton_interpreter.client import TritonInterpreter

import helion_ir as helion
import helion_ir.language as hl
from helion_ir import exc
from helion_ir.interpreter.philox import philox

SEED_42 = [0.7741, 0.0246, 0.3483, 0.5408, 0.6528, 0.6297, 0.4510, 0.7167]
"""Of seed 42 at offsets 0 to 7."""


def words(seed: int, offset: torch.Tensor) -> torch.Tensor:
    """The four words as signed integers, by arithmetic on Python's integers."""
    out = torch.empty([4, *offset.shape], dtype=torch.int64)
    for at, o in enumerate(offset.flatten().tolist()):
        key = [seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF]
        counter = [o & 0xFFFFFFFF, o >> 32 & 0xFFFFFFFF, 0, 0]
        for _ in range(10):
            a, b = counter[0] * 0xD2511F53, counter[2] * 0xCD9E8D57
            counter = [b >> 32 ^ counter[1] ^ key[0], b & 0xFFFFFFFF, a >> 32 ^ counter[3] ^ key[1], a & 0xFFFFFFFF]
            key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
        for i, word in enumerate(counter):
            out[i].view(-1)[at] = word - (word >> 31 << 32)
    return out


def uniform(word: torch.Tensor) -> torch.Tensor:
    return torch.where(word >= 0, word, -word - 1).to(torch.float32) * 4.6566127342e-10


def positions(*shape: int) -> torch.Tensor:
    return torch.arange(torch.Size(shape).numel()).reshape(shape)


def uniforms(x: torch.Tensor, seed: int) -> torch.Tensor:
    out = torch.empty_like(x)
    for t, u in hl.tile(x.size()):
        out[t, u] = hl.rand([t, u], seed)
    return out


def integers(x: torch.Tensor, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    out = torch.empty(x.size(), dtype=torch.int32, device=x.device)
    high = torch.empty(x.size(0), dtype=torch.int32, device=x.device)
    for t in hl.tile(x.size(0)):
        out[t, :] = hl.randint([t, x.size(1)], -5, 12, seed)
        high[t] = hl.randint([t], 0, 2147483647, seed)
    return out, high


def fours(offsets: torch.Tensor, seeds: torch.Tensor) -> torch.Tensor:
    out = torch.empty([4, offsets.size(0)], dtype=torch.float32, device=offsets.device)
    for t in hl.tile(offsets.size(0)):
        a, b, c, d = hl.rand4x(seeds[1], offsets[t])
        out[0, t] = a
        out[1, t] = b
        out[2, t] = c
        out[3, t] = d
    return out


def implicit(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    even, like, normal, dropped = (torch.empty_like(x) for _ in range(4))
    for t, u in hl.tile(x.size()):
        even[t, u] = torch.rand([t, u])
        like[t, u] = torch.rand_like(x[t, u])
        normal[t, u] = torch.randn_like(x[t, u])
        dropped[t, u] = F.dropout(x[t, u], 0.25, training=True)
    return even, like, normal, dropped


def rows_in_turn(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for i in hl.grid(x.size(0)):
        for u in hl.tile(x.size(1)):
            out[i, u] = torch.rand_like(x[i, u])
    return out


def drawn(count: int) -> list[int]:
    """The seeds that the host draws."""
    return torch.randint(-(2**63), 2**63 - 1, [count], dtype=torch.int64).tolist()


def expected_implicit(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    seeds, at = drawn(4), positions(*x.shape)
    first, second, third, fourth = (words(s, at) for s in seeds)
    radius = (-2 * uniform(third[0]).clamp(min=1e-7).double().log()).sqrt()
    normal = radius * (6.283185307179586 * uniform(third[1]).double()).cos()
    dropped = torch.where(uniform(fourth[0]) >= 0.25, x / 0.75, 0.0)
    return uniform(first[0]), uniform(second[0]), normal, dropped


def expected_integers(x: torch.Tensor, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    out = -5 + words(seed, positions(*x.shape))[0].abs() % 17
    return out, words(seed, positions(x.shape[0]))[0].abs() % 2147483647


def offsets() -> torch.Tensor:
    return torch.tensor([0, 1, 7, 2**31 - 1, 2**31, 2**32, 2**40 + 3, 5, 6], dtype=torch.int64)


BLOCKS = ({"block_sizes": [4, 8]}, {"block_sizes": [8, 2]})
CASES = {
    "uniform": Case(uniforms, lambda: (torch.ones(5, 11), 42), lambda x, s: uniform(words(s, positions(5, 11))[0]), BLOCKS),
    "negative": Case(
        uniforms, lambda: (torch.ones(5, 11), -7), lambda x, s: uniform(words(s, positions(5, 11))[0]), BLOCKS[:1]
    ),
    "integers": Case(integers, lambda: (torch.ones(5, 11), 3), expected_integers, ({"block_sizes": [4]},)),
    "four": Case(
        fours, lambda: (offsets(), torch.tensor([1, 2**33 + 5])), lambda o, s: uniform(words(2**33 + 5, o)),
        ({"block_sizes": [4]},),
    ),
    "implicit": Case(implicit, lambda: (positions(5, 11) + 1.5,), expected_implicit, BLOCKS, 1e-5),
    "rows": Case(
        rows_in_turn, lambda: (torch.ones(3, 11),), lambda x: uniform(words(drawn(1)[0], positions(3, 11))[0]),
        ({"block_sizes": [4]},),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_at_every_stage(name: str) -> None:
    check_stages(CASES[name])


def test_in_tritons_interpreter(triton_interpreter: TritonInterpreter) -> None:
    assert triton_interpreter.run(triton_failures, __name__) == {}


@pytest.mark.parametrize("target", ["h200", "mi350x"])
def test_compiled(target: str) -> None:
    for name in ("implicit", "integers", "four"):
        assert compiled(CASES[name], target).asm


def test_known_numbers() -> None:
    got = helion.kernel(uniforms)(torch.ones(1, 8), 42)
    torch.testing.assert_close(got, torch.tensor([SEED_42]), rtol=0, atol=5e-5)
    assert torch.equal(uniform(words(42, positions(8))[0]), got[0])
    assert [int(w) for w in torch.stack(philox(torch.tensor(42), torch.tensor(3)))] == [
        w & 0xFFFFFFFF for w in words(42, torch.tensor([3]))[:, 0].tolist()
    ]


def test_implicit_seeds_follow_pytorchs_generator() -> None:
    k, x = helion.kernel(implicit), torch.ones(64, 64)
    torch.manual_seed(1)
    first, second = k(x), k(x)
    torch.manual_seed(1)
    again = k(x)
    assert all(torch.equal(a, b) for a, b in zip(first, again))
    assert not any(torch.equal(a, b) for a, b in zip(first, second))
    assert not torch.equal(first[0], first[1]), "each call in the source has a stream of its own"
    kept = (first[3] != 0).double().mean()
    assert (
        abs(float(kept) - 0.75) < 0.03 and abs(float(first[2].mean())) < 0.06 and abs(float(first[2].std()) - 1) < 0.05
    )


def test_dropout_outside_of_training_is_nothing() -> None:
    def evaluated(x: torch.Tensor) -> torch.Tensor:
        out = torch.empty_like(x)
        for t in hl.tile(x.size(0)):
            out[t] = F.dropout(x[t], 0.9, training=False)
        return out

    x = torch.randn(13)
    assert torch.equal(helion.kernel(evaluated)(x), x)


def backwards(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty(x.size(), dtype=torch.int32)
    for t in hl.tile(x.size(0)):
        out[t] = hl.randint([t], 4, 4, 1)
    return out


def of_integers(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for t in hl.tile(x.size(0)):
        out[t] = torch.rand([t], dtype=torch.int32)
    return out


@pytest.mark.parametrize(
    ("kernel", "error", "message"),
    [(backwards, exc.InvalidAPIUsage, "low < high"), (of_integers, exc.BaseError, "int32|floats|Int")],
)
def test_misuse(kernel: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        helion.kernel(kernel).bind((torch.ones(8),))
