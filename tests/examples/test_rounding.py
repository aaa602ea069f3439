"""The bound on what rounded operands do to a chain of products: kept by a simulated tensor core, exceeded by what is wrong."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from examples import attention_backward, registry
from examples.compare import WrongResult, compare, unit
from examples.inputs import Inputs
from examples.rounding import Operands, cut_to_tf32, off_by, rounded_to, spread, tf32

CPU = torch.device("cpu")


class Hardware(Operands):
    """Operands as the machine makes them of numbers, instead of off by chance."""

    def off(self, operand: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        return self.exact(operand)


def results(function: Callable[..., Any], args: Any) -> list[torch.Tensor]:
    answer = function(*args)
    return list(answer) if isinstance(answer, (tuple, list)) else [answer]


# A product alone, an exponential between two, differences too, a normalization after one, states of a recurrence.
CHAINS = (
    "matmul",
    "attention",
    "attention_backward_queries",
    "attention_backward_keys",
    "matmul_layer_norm",
    "gdn_fwd_h",
)


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("seed", [1, 2])
def test_tensor_cores_keep_the_bound(name: str, seed: int) -> None:
    """Float32 operands cut to TF32: the relative error is under the bound, and not far under it."""
    example = registry.load(name)
    args = example.case("prime" if name != "gdn_fwd_h" else "tail").args(seed=seed)
    machine = Hardware(CPU, 0.0, cut_to_tf32, towards_zero=True)
    got = [runs[0] for runs in off_by(machine, lambda: results(example.reference, args))]
    off = off_by(tf32(CPU), lambda: results(example.reference, args))
    for want, actual, moved in zip(results(example.reference, args), got, off):
        error = compare(name, actual, want, unit(want.dtype, example.terms(*args)), spread(moved, want))
        assert 0.25 * spread(moved, want).norm <= error


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_what_is_wrong_exceeds_the_bound(dtype: torch.dtype) -> None:
    """The gradients of keys and values: right as hardware rounds them; a lost block of the sum, a scale, one element are not."""
    args = attention_backward._key_inputs(Inputs(CPU, 3), 2, 256, 64, dtype)
    operands = tf32(CPU) if dtype == torch.float32 else rounded_to(dtype, CPU)
    machine = Hardware(CPU, 0.0, operands.exact, operands.towards_zero)
    reference = attention_backward.keys_reference
    right = [runs[0] for runs in off_by(machine, lambda: results(reference, args))]
    lost = args[0].clone()
    lost[:, 224:240] = 0  # One block of 16 of the 256 queries that are summed over.
    without = [runs[0] for runs in off_by(machine, lambda: results(reference, (lost, *args[1:])))]
    off = off_by(operands, lambda: results(reference, args))
    for want, moved, actual, short in zip(results(reference, args), off, right, without):
        allowed = unit(dtype, 320), spread(moved, want)
        compare("right", actual, want, *allowed)
        one = actual.clone()
        one[1, 6, 60] += 0.1 * actual.float().square().mean().sqrt().to(dtype)
        for wrong in (short, actual * 1.01, one, actual.roll(1, 1)):
            with pytest.raises(WrongResult, match="wrong"):
                compare("wrong", wrong, want, *allowed)


def test_small_results_are_judged_by_several_runs() -> None:
    """One number says nothing of how far it may be off: there are more runs the fewer there are."""
    for shape, runs in (((1, 1), 16), ((16, 32), 8), ((64, 64), 1), ((128, 64), 1)):
        matrices = torch.randn(shape[0], 8, dtype=torch.float64), torch.randn(8, shape[1], dtype=torch.float64)
        assert len(off_by(tf32(CPU), functools.partial(results, torch.mm, matrices))[0]) == runs
