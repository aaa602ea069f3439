"""Distillation without logits in memory: the Jensen-Shannon divergence of two linear heads' softmaxes.

A student head and a teacher head turn hidden states into logits `h w^T / temperature` over a large vocabulary; the loss is
the divergence of `jsd.py` between the two softmaxes. The logits of real models fill gigabytes, so they are never written:
tiles of them, rows by words, are made as a matrix product makes its tiles, and used up where they are made. A logarithm of
a probability is the logit less the logarithm of its row's sum of exponentials, which takes all of a row, so that there are
phases with barriers between them:

1. each tile's part of these logarithms, for both heads, is stored: a number for each row and tile;
2. those of a row are joined, `l = log sum_t exp(l[t])`;
3. each tile is made once more, now less l, and what its words add to each row's divergence is summed and stored.

The host adds up what the tiles have found. Twice the products of a head that keeps its logits, in an order in which all
programs share hidden states and weights, cost less than reading logits back.
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


def log_sum(scores: torch.Tensor) -> torch.Tensor:
    """The logarithm of each row's sum of exponentials, in a tile."""
    largest = torch.amax(scores, dim=1)
    return largest + torch.log(torch.exp(scores - largest[:, None]).sum(dim=1))


def log_sum_of_parts(parts: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """The same of whole rows, given that of each part."""
    largest = hl.full([rows], float("-inf"), dtype=torch.float32)
    total = hl.zeros([rows], dtype=torch.float32)
    for part in hl.tile(parts.size(1)):
        scores = parts[rows, part]
        new_largest = torch.maximum(largest, torch.amax(scores, dim=1))
        total = total * torch.exp(largest - new_largest) + torch.exp(scores - new_largest[:, None]).sum(dim=1)
        largest = new_largest
    return largest + torch.log(total)


def divergence(x: torch.Tensor, y: torch.Tensor, beta: float) -> torch.Tensor:
    """What each word adds to the divergence, given the logarithms of its probabilities."""
    ratio = torch.exp(-torch.abs(x - y))  # of the less likely to the likelier: no logarithm below is of 0
    mix = torch.where(x > y, 1.0 - beta + beta * ratio, beta + (1.0 - beta) * ratio)
    log_mix = torch.log(mix) + torch.maximum(x, y)
    from_x = (1.0 - beta) * (x - log_mix) * torch.exp(x)
    return from_x + beta * (y - log_mix) * torch.exp(y)


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
    scale = 1.0 / temperature
    block_v = hl.register_block_size(v)
    block_d = hl.register_block_size(student.size(1))
    parts = helion.cdiv(v, block_v)
    x_parts, y_parts, losses = (torch.empty([m, parts], dtype=torch.float32, device=student.device) for _ in range(3))
    x_log_sum, y_log_sum = (torch.empty([m], dtype=torch.float32, device=student.device) for _ in range(2))
    for rows, words in hl.tile([m, v], block_size=[None, block_v]):
        x_parts[rows, words.id] = log_sum(logits(student, student_weight, rows, words, block_d) * scale)
        y_parts[rows, words.id] = log_sum(logits(teacher, teacher_weight, rows, words, block_d) * scale)
    hl.barrier()
    for rows in hl.tile(m):
        x_log_sum[rows] = log_sum_of_parts(x_parts, rows)
        y_log_sum[rows] = log_sum_of_parts(y_parts, rows)
    hl.barrier()
    for rows, words in hl.tile([m, v], block_size=[None, block_v]):
        x = logits(student, student_weight, rows, words, block_d) * scale - x_log_sum[rows][:, None]
        y = logits(teacher, teacher_weight, rows, words, block_d) * scale - y_log_sum[rows][:, None]
        losses[rows, words.id] = divergence(x, y, beta).sum(dim=1)
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
