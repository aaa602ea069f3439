"""Philox-4x32-10, bit-equal to Triton's generator: key (seed lo, seed hi), counter (offset lo, offset hi, 0, 0)."""

from __future__ import annotations

import torch

from helion_ir.dialects.tile.compute import RandomOp
from helion_ir.dialects.tile.random import RandomWordOp
from helion_ir.dialects.types import TileType
from helion_ir.interpreter.errors import InterpreterError
from helion_ir.interpreter.registry import Function, implements
from helion_ir.interpreter.scope import Scope
from helion_ir.interpreter.values import as_tensor, dtype_of

_LOW = 0xFFFFFFFF
_ROUND_A, _ROUND_B = 0xD2511F53, 0xCD9E8D57
_KEY_A, _KEY_B = 0x9E3779B9, 0xBB67AE85


def philox(seed: torch.Tensor, offset: torch.Tensor, rounds: int = 10) -> tuple[torch.Tensor, ...]:
    """The four 32-bit words at each offset, as int64 below 2**32; seed and offset are int64 and broadcast."""
    seed, offset = torch.broadcast_tensors(seed.to(torch.int64), offset.to(torch.int64))
    k0, k1 = seed & _LOW, (seed >> 32) & _LOW
    c0, c1 = offset & _LOW, (offset >> 32) & _LOW
    c2 = c3 = torch.zeros_like(c0)
    for _ in range(rounds):
        # The products wrap at 64 bits, which leaves both halves of the unsigned product right.
        b, a = c2 * _ROUND_B, c0 * _ROUND_A
        c0, c2 = ((b >> 32) & _LOW) ^ c1 ^ k0, ((a >> 32) & _LOW) ^ c3 ^ k1
        c1, c3 = b & _LOW, a & _LOW
        k0, k1 = (k0 + _KEY_A) & _LOW, (k1 + _KEY_B) & _LOW
    return c0, c1, c2, c3


def uniform(word: torch.Tensor) -> torch.Tensor:
    """A word as an f32 in [0, 1), as tl.rand makes it."""
    signed = word.to(torch.int32)
    magnitude = torch.where(signed < 0, -signed - 1, signed)
    return magnitude.to(torch.float32) * 4.6566127342e-10


def random_words(seed: torch.Tensor, offset: torch.Tensor, word: int = 0) -> torch.Tensor:
    """One of the words at each offset."""
    return philox(seed, offset)[word]


def _words(scope: Scope) -> Function:
    device = scope.device
    return lambda seed, offset, word=0: random_words(
        as_tensor(seed, torch.int64, device), as_tensor(offset, torch.int64, device), word
    )


@implements(RandomWordOp)
def random_word(op: RandomWordOp, scope: Scope) -> Function:
    words, word = _words(scope), op.word.value.data
    return lambda seed, offset: words(seed, offset, word).to(torch.int32)


@implements(RandomOp)
def random(op: RandomOp, scope: Scope) -> Function:
    assert isinstance(op.result.type, TileType)
    words, dtype = _words(scope), dtype_of(op.result.type.element_type)
    if dtype == torch.float32:
        return lambda seed, offset: uniform(words(seed, offset))
    if dtype == torch.int32:
        return lambda seed, offset: words(seed, offset).to(torch.int32)
    raise InterpreterError(f"tile.random gives f32 or i32, not {dtype}")
