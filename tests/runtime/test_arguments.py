"""What kernels may take besides tensors, end to end on the CPU: sizes, tunables, constants and functions."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch

import helion_ir as helion
import helion_ir.language as hl
from helion_ir import exc
from helion_ir.autotuner import PowerOfTwoFragment
from helion_ir.runtime.live_globals import with_live_globals


@pytest.fixture(autouse=True)
def interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)


def partial_sums(x: torch.Tensor) -> torch.Tensor:
    m, n = x.size()
    block = hl.register_block_size(n)
    out = torch.empty([m, helion.cdiv(n, block)], dtype=x.dtype, device=x.device)
    for tile_m, tile_n in hl.tile([m, n], block_size=[None, block]):
        out[tile_m, tile_n.id] = x[tile_m, tile_n].sum(-1)
    return out


def normalized(x: torch.Tensor, eps: float = 1e-5) -> torch.Tensor:
    m, n = x.size()
    n = hl.specialize(n)
    out = torch.empty_like(x)
    for tile_m in hl.tile(m):
        row = x[tile_m, :]
        out[tile_m, :] = row * torch.rsqrt((row * row).sum(-1, keepdim=True) / n + eps)
    return out


def times_tunable(x: torch.Tensor) -> torch.Tensor:
    factor = hl.register_tunable("factor", PowerOfTwoFragment(1, 8, 2))
    out = torch.empty_like(x)
    for tile in hl.tile(x.size(0)):
        out[tile] = x[tile] * factor
    return out


def either(x: torch.Tensor, product: hl.constexpr, n: int) -> torch.Tensor:
    out = torch.empty_like(x)
    for tile in hl.tile(x.size(0)):
        if product:
            out[tile] = x[tile] * n
        else:
            out[tile] = x[tile] + n
    return out


def applied(x: torch.Tensor, function: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    out = torch.empty_like(x)
    for tile in hl.tile(x.size(0)):
        out[tile] = function(x[tile])
    return out


OFFSET = 2.5


def plus_global(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    for tile in hl.tile(x.size(0)):
        out[tile] = x[tile] + OFFSET
    return out


def scaled_by(s: float) -> Any:
    return lambda v: v * s


X = torch.arange(1.0, 34.0)


@pytest.mark.parametrize("block", [16, 32, 64])
def test_what_the_host_sees_of_a_config_is_as_configured(block: int) -> None:
    x = torch.arange(1.0, 20 * 70 + 1).reshape(20, 70)
    out = helion.kernel(partial_sums, config={"block_sizes": [block, 16]})(x)
    slots = partial_sums_slots(x, block)
    torch.testing.assert_close(out, slots)


def partial_sums_slots(x: torch.Tensor, block: int) -> torch.Tensor:
    """The registered block size comes first in the config, being registered first."""
    return torch.stack([part.sum(1) for part in x.split(block, dim=1)], dim=1)


def test_a_specialized_size_makes_kernels_and_others_do_not() -> None:
    k = helion.kernel(normalized, static_shapes=False)
    counts = []
    for shape in ((5, 7), (6, 7), (6, 9), (3, 9)):
        x = torch.arange(1.0, shape[0] * shape[1] + 1).reshape(shape)
        expected = x * torch.rsqrt((x * x).mean(1, keepdim=True) + 1e-5)
        torch.testing.assert_close(k(x), expected)
        counts.append(len({id(k.bind((torch.ones(s),))) for s in ((5, 7), (2, 7), (6, 9))}))
    assert counts == [2, 2, 2, 2]


def test_tunables_are_as_configured_or_their_default() -> None:
    torch.testing.assert_close(helion.kernel(times_tunable, config={"factor": 8})(X), 8 * X)
    untuned = helion.kernel(times_tunable)
    torch.testing.assert_close(untuned(X), 2 * X)
    assert untuned.bind((X,)).config_spec.default_config()["factor"] == 2
    with pytest.raises(exc.InvalidConfig, match=r"config\['factor'\] = 3: must be a power of two from 1 to 8"):
        helion.kernel(times_tunable, config={"factor": 3})(X)


def test_constants_are_literals_and_numbers_are_not() -> None:
    k = helion.kernel(either)
    torch.testing.assert_close(k(X, True, 3), X * 3)
    torch.testing.assert_close(k(X, True, 5), X * 5)
    assert len(k._bound) == 1
    torch.testing.assert_close(k(X, False, 4), X + 4)
    torch.testing.assert_close(k(X, hl.constexpr(False), hl.constexpr(7)), X + 7)
    assert len(k._bound) == 3
    code = k.bind((X, True, 3)).to_triton_code({"block_sizes": [16]})
    assert re.search(r"\bv\d* \* ", code) and "+ n" not in code


def test_functions_may_be_closures_and_are_read_on_every_call() -> None:
    k = helion.kernel(applied)
    for s in (2.0, -3.0):
        torch.testing.assert_close(k(X, scaled_by(s)), X * s)
    assert len(k._bound) == 1
    torch.testing.assert_close(k(X, torch.neg), -X)
    assert len(k._bound) == 2


def test_a_kernel_inside_of_a_kernel_is_refused() -> None:
    inner = helion.kernel(times_tunable)
    with pytest.raises(exc.NestedKernelCallsNotSupported):
        helion.kernel(applied)(X, inner.__call__)


def test_globals_are_read_on_every_call(monkeypatch: pytest.MonkeyPatch) -> None:
    k = helion.kernel(plus_global)
    torch.testing.assert_close(k(X), X + 2.5)
    monkeypatch.setitem(plus_global.__globals__, "OFFSET", -4.0)
    torch.testing.assert_close(k(X), X - 4.0)
    assert len(k._bound) == 1


def test_only_values_are_refreshed_and_only_where_they_are_read() -> None:
    names: dict[str, Any] = {"a": 1, "torch": torch, "shadowed": 5, "unread": 7}

    def loaded(source: str) -> Callable[..., Any]:
        scope = {**names, "shadowed": "the kernel"}
        exec(source, scope)
        return scope["f"]

    plain = loaded("def f(x): return torch, shadowed, x")
    assert with_live_globals(plain, names) is plain
    live = with_live_globals(loaded("def f(x): return (lambda: a)(), shadowed, x"), names)
    assert live(3) == (1, "the kernel", 3)
    names.update(a=2, shadowed=6)
    assert live(3) == (2, "the kernel", 3)
