"""Distillation without logits in memory: the Jensen-Shannon divergence of two linear heads' softmaxes.

A student head and a teacher head turn hidden states into logits `x = h w^T / temperature` over a large vocabulary; the
loss is the divergence of `jsd.py` between the two softmaxes. The logits of real models fill gigabytes, so they are never
written: a program owns a block of rows and walks the vocabulary twice, making each tile of logits by a product on the
tensor cores. The first walk finds the logarithm of each row's sum of exponentials, for both heads at once; the
second makes the logits again, and sums the divergence.
"""

import torch

import helion_ir as helion
import helion_ir.language as hl
from examples.harness import Case, Example, Inputs, main
from examples.jsd import loss


def logits(
    hidden: torch.Tensor, weight: torch.Tensor, rows: torch.Tensor, words: torch.Tensor, block_d: int
) -> torch.Tensor:
    """A tile (rows, words) of `hidden @ weight.T`, in float32."""
    total = hl.zeros([rows, words], dtype=torch.float32)
    for inner in hl.tile(hidden.size(1), block_size=block_d):
        total = torch.addmm(total, hidden[rows, inner], weight[words, inner].T)
    return total


def log_sum(state: tuple[torch.Tensor, torch.Tensor], scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The largest score and the sum of exponentials relative to it, after another tile."""
    largest, total = state
    new_largest = torch.maximum(largest, torch.amax(scores, dim=1))
    total = total * torch.exp(largest - new_largest) + torch.exp(scores - new_largest[:, None]).sum(dim=1)
    return new_largest, total


@helion.kernel(ignore_warnings=[helion.exc.TensorOperationInWrapper])
def fused_linear_jsd(
    student: torch.Tensor,
    student_weight: torch.Tensor,
    teacher: torch.Tensor,
    teacher_weight: torch.Tensor,
    beta: float = 0.5,
    temperature: float = 1.0,
) -> torch.Tensor:
    """The divergence, averaged over the rows, in float32.

    Args:
        student: hidden states (m, d) of the student.
        student_weight: its head, (vocabulary, d).
        teacher: hidden states (m, d2) of the teacher.
        teacher_weight: its head, (vocabulary, d2).
        beta: the teacher's share of the mixture, between 0 and 1, both excluded.
        temperature: what logits are divided by.
    """
    m = student.size(0)
    v = student_weight.size(0)
    assert teacher.size(0) == m and teacher_weight.size(0) == v, "both heads need the same rows and vocabulary"
    losses = torch.empty([m], dtype=torch.float32, device=student.device)
    scale = 1.0 / temperature
    block_v = hl.register_block_size(v)
    block_d = hl.register_block_size(student.size(1))
    for rows in hl.tile(m):
        x_largest = hl.full([rows], float("-inf"), dtype=torch.float32)
        y_largest = hl.full([rows], float("-inf"), dtype=torch.float32)
        x_total = hl.zeros([rows], dtype=torch.float32)
        y_total = hl.zeros([rows], dtype=torch.float32)
        for words in hl.tile(v, block_size=block_v):
            x = logits(student, student_weight, rows, words, block_d) * scale
            x_largest, x_total = log_sum((x_largest, x_total), x)
            y = logits(teacher, teacher_weight, rows, words, block_d) * scale
            y_largest, y_total = log_sum((y_largest, y_total), y)
        x_log_sum = (x_largest + torch.log(x_total))[:, None]
        y_log_sum = (y_largest + torch.log(y_total))[:, None]
        divergence = hl.zeros([rows], dtype=torch.float32)
        for words in hl.tile(v, block_size=block_v):
            x = logits(student, student_weight, rows, words, block_d) * scale - x_log_sum
            y = logits(teacher, teacher_weight, rows, words, block_d) * scale - y_log_sum
            q, p = torch.exp(x), torch.exp(y)
            log_mix = torch.log(beta * p + (1.0 - beta) * q)
            divergence = divergence + (beta * p * (y - log_mix) + (1.0 - beta) * q * (x - log_mix)).sum(dim=1)
        losses[rows] = divergence
    return losses.sum() / m


def reference(
    student: torch.Tensor,
    student_weight: torch.Tensor,
    teacher: torch.Tensor,
    teacher_weight: torch.Tensor,
    beta: float = 0.5,
    temperature: float = 1.0,
) -> torch.Tensor:
    """The divergence in float64, rounded once."""
    heads = ((student, student_weight), (teacher, teacher_weight))
    x, y = (torch.log_softmax(h.double() @ w.double().T / temperature, dim=1) for h, w in heads)
    return loss(x, y, beta).float()


def eager(
    student: torch.Tensor,
    student_weight: torch.Tensor,
    teacher: torch.Tensor,
    teacher_weight: torch.Tensor,
    beta: float = 0.5,
    temperature: float = 1.0,
) -> torch.Tensor:
    """The divergence as people write it in PyTorch: logits in the inputs' dtype, what follows in float32."""
    heads = ((student, student_weight), (teacher, teacher_weight))
    x, y = (torch.log_softmax((h @ w.T).float() / temperature, dim=1) for h, w in heads)
    return loss(x, y, beta)


def _inputs(
    rng: Inputs, m: int, v: int, d: int, d2: int, dtype: torch.dtype = torch.float32, beta=0.5, temperature=1.0
):
    return (
        rng.normal(m, d, dtype=dtype),
        rng.normal(v, d, dtype=dtype, scale=d**-0.5),
        rng.normal(m, d2, dtype=dtype),
        rng.normal(v, d2, dtype=dtype, scale=d2**-0.5),
        beta,
        temperature,
    )


CASES = (
    Case("prime", lambda rng: _inputs(rng, 19, 43, 23, 31)),
    Case("pow2", lambda rng: _inputs(rng, 16, 64, 32, 32, beta=0.2, temperature=2.0)),
    Case("f16", lambda rng: _inputs(rng, 5, 100, 32, 48, torch.float16)),
)

BENCHMARK = (
    Case("2048x32000x2048/4096-bf16", lambda rng: _inputs(rng, 2048, 32000, 2048, 4096, torch.bfloat16)),
    Case("4096x8192x1024-f16", lambda rng: _inputs(rng, 4096, 8192, 1024, 1024, torch.float16)),
)


def _terms(student: torch.Tensor, student_weight: torch.Tensor, teacher: torch.Tensor, *rest: object) -> int:
    # Of terms of either sign, of which the large ones nearly cancel: counted twice.
    return 2 * student.size(0) * student_weight.size(0) + student.size(1) + teacher.size(1)


EXAMPLES = (Example("fused_linear_jsd", fused_linear_jsd, reference, eager, CASES, BENCHMARK, _terms, products=True),)

if __name__ == "__main__":
    main(*EXAMPLES)
