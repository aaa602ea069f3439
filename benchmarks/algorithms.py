"""What the algorithms that passes offer are worth: kernels written the plain way, each knob off and on.

Every case runs in a process of its own with a time limit: it compiles all variants of a configuration, checks each against
PyTorch in float32, and times them in turns, so that a clock that drifts does so for all. Rows are appended to
`algorithms.jsonl` as they come; a table of the best of each variant comes last.

    PYTHONPATH=src:. python -m benchmarks.algorithms --out results --time-limit 540
    PYTHONPATH=src:. python -m benchmarks.algorithms --compile h100 --out results     # no GPU: compile every variant
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmarks import pool, report
from benchmarks.algorithm_kernels import (
    affine,
    causal_attention,
    matmul_bias_relu,
    matmul_f32,
    plain_causal,
    scaled_rows,
)

Forced = Mapping[str, Any]
Row = dict[str, Any]

ROUNDS = 5
"""Times that the variants are timed in turns."""


@dataclass(frozen=True)
class Algorithm:
    """One kernel and input, the configurations it is tried with, and what they are varied by."""

    kernel: Callable[[], Any]
    inputs: Callable[[str], tuple[torch.Tensor, ...]]
    reference: Callable[..., torch.Tensor]
    variants: Mapping[str, Forced]
    """The first is what the others are compared with."""
    bases: Sequence[Forced]
    tolerance: float = 2e-2
    """Of the largest magnitude of the result, which is rounded to 16 bits where inputs are."""


def _normal(*shapes: tuple[int, ...], dtype: torch.dtype = torch.bfloat16):
    def make(device: str) -> tuple[torch.Tensor, ...]:
        if device == "meta":  # for compiling alone
            return tuple(torch.empty(s, dtype=dtype) for s in shapes)
        generator = torch.Generator(device).manual_seed(0)
        return tuple(torch.randn(s, device=device, dtype=dtype, generator=generator) for s in shapes)

    return make


def _normal_and_scale(m: int, n: int, k: int) -> Callable[[str], tuple[torch.Tensor, ...]]:
    make = _normal((m, k), (k, n))

    def all_three(device: str) -> tuple[torch.Tensor, ...]:
        x, y = make(device)
        return x, y, torch.linspace(0.5, 2.0, m, device=x.device)

    return all_three


def _attention(heads: int, m: int, d: int) -> Callable[[str], tuple[torch.Tensor, ...]]:
    return _normal(*[(heads, m, d)] * 3)


def _causal(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    # Head by head: the scores of all of them in float32 do not fit.
    attend = torch.nn.functional.scaled_dot_product_attention
    return torch.stack([attend(a.float(), b.float(), c.float(), is_causal=True) for a, b, c in zip(q, k, v)])


def _bias_relu(x: torch.Tensor, y: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return torch.relu(x.float() @ y.float() + bias.float())


def _half(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return x.float() @ y.float() * 0.5


def _softmax() -> Any:
    from examples.softmax import softmax

    return softmax


def _cross_entropy() -> Any:
    from examples.cross_entropy import cross_entropy

    return cross_entropy


def _logits(rows: int, words: int) -> Callable[[str], tuple[torch.Tensor, ...]]:
    make = _normal((rows, words))

    def both(device: str) -> tuple[torch.Tensor, ...]:
        (logits,) = make(device)
        return logits, torch.arange(rows, device=logits.device) * 7 % words

    return both


def _blocks(rows: int, columns: int, inner: int | None, warps: int, stages: int, **more: Any) -> Forced:
    sizes = {"rows.block_size": rows, "columns.block_size": columns}
    return {**sizes, **({"inner.block_size": inner} if inner else {}), "num_warps": warps, "num_stages": stages, **more}


ATTENTION = [
    _blocks(128, 64, None, 8, 3),
    _blocks(128, 128, None, 8, 2),
    _blocks(128, 64, None, 4, 3),
    _blocks(64, 64, None, 4, 3),
]
PEEL = {"off": {"loop.columns.peel": False}, "peel": {"loop.columns.peel": True}}
EXP2 = {name: {"exp2": name, "loop.columns.peel": True} for name in ("off", "fold", "fma")}
SPLIT = {
    "off": {"rows_columns.split_k": 1},
    **{f"split {n}": {"rows_columns.split_k": n} for n in (4, 8, 16)},
}
ATOMIC = {
    **SPLIT,
    **{f"atomic {n}": {"rows_columns.split_k": n, "rows_columns.split_k_mode": "atomic"} for n in (4, 8, 16)},
}
FEW = [
    _blocks(16, 64, 128, 4, 4),
    _blocks(16, 128, 64, 4, 4),
    _blocks(16, 128, 128, 8, 3),
    _blocks(16, 256, 64, 8, 4),
]
SWAP = {"off": {"loop.inner.swap_dot_operands": False}, "swap": {"loop.inner.swap_dot_operands": True}}


CLIP = {
    "off": {"loop.columns.clip": False},
    "clip": {"loop.columns.clip": True},
    "clip, peel": {"loop.columns.clip": True, "loop.columns.peel": True},
}
DESCRIBED = {
    f"{kind}.{site}.indexing": "tensor_descriptor" for kind, site in (("load", "x"), ("load", "y"), ("store", "out"))
}
DESCRIPTORS = {
    "device": {**DESCRIBED, "host_tensor_descriptors": False},
    "host": {**DESCRIBED, "host_tensor_descriptors": True},
}
PARTS = {
    f"{where}{parts or 'whole'}": {**stored, "epilogue_subtile": parts}
    for where, stored in (("", {}), ("described, ", {"store.out.indexing": "tensor_descriptor"}))
    for parts in (None, 2, 4)
}
FLATTEN = {"off": {"rows_columns.flatten": False}, "flatten": {"rows_columns.flatten": True}}
LARGE = [_blocks(128, 256, 64, 8, 3), _blocks(128, 128, 64, 4, 4), _blocks(256, 128, 64, 8, 3)]

GROUPED = {"rows_columns.l2_grouping": 8}
WAVES = [
    *[_blocks(*b, **GROUPED) for b in ((128, 256, 64, 8, 3), (128, 128, 64, 4, 4))],
    _blocks(128, 256, 64, 8, 3, **GROUPED, **DESCRIBED),
    _blocks(128, 256, 64, 8, 3, **GROUPED, pid_type="persistent_interleaved"),
]
STREAM = {
    "off": {"rows_columns.stream_k": "off"},
    **{
        f"stream{f', {n} programs' if n > 1 else ''}": {
            "rows_columns.stream_k": "two_phase", "rows_columns.stream_k_programs": n, "rows_columns.stream_k_parts": 16,
        }
        for n in (1, 2)
    },
}  # fmt: skip
STREAM_OR_SPLIT = {**STREAM, "split 2": {"rows_columns.split_k": 2}, "split 4": {"rows_columns.split_k": 4}}
STREAM_ATOMIC = {
    **STREAM,
    "stream, atomic": {"rows_columns.stream_k": "atomic"},
    "split 2, atomic": {"rows_columns.split_k": 2, "rows_columns.split_k_mode": "atomic"},
}


def _looped(axis: str, *chunks: int) -> list[Forced]:
    return [
        {"rows.block_size": 1, f"reduction.{axis}": chunk, "num_warps": warps, "num_stages": 3}
        for chunk in chunks
        for warps in (8, 16)
    ]


def _online(axis: str) -> Mapping[str, Forced]:
    return {
        "off": {f"reduction.{axis}.online": False},
        "online": {f"reduction.{axis}.online": True},
        "online, exp2": {f"reduction.{axis}.online": True, "exp2": "fold"},
    }


ALGORITHMS: dict[str, Algorithm] = {
    "peel-masks, causal attention 64x4096x64": Algorithm(
        lambda: causal_attention, _attention(64, 4096, 64), _causal, PEEL, ATTENTION
    ),
    "peel-masks, causal attention 32x8192x128": Algorithm(
        lambda: causal_attention, _attention(32, 8192, 128), _causal, PEEL, ATTENTION
    ),
    "peel-masks, matmul 4096x4096x4072": Algorithm(
        lambda: matmul_bias_relu, _normal((4096, 4072), (4072, 4096), (4096,)), _bias_relu,
        {"off": {"loop.inner.peel": False}, "peel": {"loop.inner.peel": True}},
        [_blocks(128, 256, 64, 8, 3), _blocks(128, 128, 64, 4, 4), _blocks(128, 128, 32, 4, 4)],
    ),
    "fold-exp2, causal attention 64x4096x64": Algorithm(
        lambda: causal_attention, _attention(64, 4096, 64), _causal, EXP2, ATTENTION
    ),
    "fold-exp2, causal attention 32x8192x128": Algorithm(
        lambda: causal_attention, _attention(32, 8192, 128), _causal, EXP2, ATTENTION
    ),
    "split-k, matmul + bias + relu 64x512x16384": Algorithm(
        lambda: matmul_bias_relu, _normal((64, 16384), (16384, 512), (512,)), _bias_relu, SPLIT,
        [_blocks(64, 64, 64, 4, 4), _blocks(64, 32, 128, 4, 4), _blocks(32, 64, 128, 4, 4)],
    ),
    "split-k, matmul 256x256x32768 to float32": Algorithm(
        lambda: matmul_f32, _normal((256, 32768), (32768, 256)), _half, ATOMIC,
        [_blocks(64, 64, 64, 4, 4), _blocks(64, 64, 128, 4, 3), _blocks(128, 64, 64, 4, 4)],
    ),
    **{
        f"stream-k, matmul + bias + relu {m}x{n}x{k}": Algorithm(
            lambda: matmul_bias_relu, _normal((m, k), (k, n), (n,)), _bias_relu, variants, WAVES
        )
        for m, n, k, variants in (
            (4096, 4224, 4096, STREAM), (3072, 3072, 8192, STREAM), (1536, 1536, 16384, STREAM_OR_SPLIT)
        )
    },
    "stream-k, matmul 1536x1536x16384 to float32": Algorithm(
        lambda: matmul_f32, _normal((1536, 16384), (16384, 1536)), _half, STREAM_ATOMIC, WAVES
    ),
    "online, softmax 4096x65536": Algorithm(
        _softmax, _normal((4096, 65536)), lambda x: torch.softmax(x.float(), 1), _online("n"), _looped("n", 2048, 8192),
    ),
    "online, cross entropy 8192x131072": Algorithm(
        _cross_entropy, _logits(8192, 131072),
        lambda x, y: torch.nn.functional.cross_entropy(x.float(), y, reduction="none").mean(),
        _online("v"), _looped("v", 2048, 8192),
    ),
    "swap-dot-operands, matmul 16x8192x8192": Algorithm(
        lambda: matmul_f32, _normal((16, 8192), (8192, 8192)), _half, SWAP, FEW
    ),
    "swap-dot-operands, matmul 32x4096x8192, split 4": Algorithm(
        lambda: matmul_f32, _normal((32, 8192), (8192, 4096)), _half,
        {name: {**forced, "rows_columns.split_k": 4} for name, forced in SWAP.items()},
        [_blocks(32, 64, 128, 4, 4), _blocks(32, 128, 64, 4, 4), _blocks(32, 128, 128, 8, 3)],
    ),
    "hoist-scaling, scaled rows 4096x4096x4096": Algorithm(
        lambda: scaled_rows, _normal_and_scale(4096, 4096, 4096), lambda x, y, s: (x.float() * s[:, None]) @ y.float(),
        {"off": {"loop.inner.hoist_scaling": False}, "hoist": {"loop.inner.hoist_scaling": True}}, LARGE,
    ),
    "clip-loops, plain causal attention 64x4096x64": Algorithm(
        lambda: plain_causal, _attention(64, 4096, 64), _causal, CLIP, ATTENTION
    ),
    "hoist-descriptors, matmul + bias + relu 4096^3": Algorithm(
        lambda: matmul_bias_relu, _normal((4096, 4096), (4096, 4096), (4096,)), _bias_relu, DESCRIPTORS,
        [*LARGE, *[{**b, "pid_type": "persistent_interleaved"} for b in LARGE]],
    ),
    "hoist-descriptors, matmul + bias + relu 1024^3": Algorithm(
        lambda: matmul_bias_relu, _normal((1024, 1024), (1024, 1024), (1024,)), _bias_relu, DESCRIPTORS,
        [_blocks(64, 128, 64, 4, 4), _blocks(128, 64, 64, 4, 4)],
    ),
    "epilogue-subtile, matmul + bias + relu 4096^3": Algorithm(
        lambda: matmul_bias_relu, _normal((4096, 4096), (4096, 4096), (4096,)), _bias_relu, PARTS, LARGE
    ),
    "flatten-loops, affine 65536x1021": Algorithm(
        lambda: affine, _normal((65536, 1021), (1021,), (1021,)),
        lambda x, a, b: x.float() * a.float() + b.float(), FLATTEN,
        [_blocks(r, c, None, w, 1) for r, c, w in ((1, 1024, 4), (4, 256, 4), (8, 512, 8))],
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Task:
    """One case with one of its configurations."""

    name: str
    base: int
    target: str = ""
    """Compile for this target and run nothing."""


@dataclass
class _Variant:
    name: str
    run: Callable[..., Any]
    milliseconds: list[float] = field(default_factory=list)


def measure(task: Task) -> list[Row]:
    """The rows of one task, one a variant: milliseconds, or why there are none."""
    algorithm = ALGORITHMS[task.name]
    args = algorithm.inputs("meta" if task.target else "cuda")
    bound = algorithm.kernel().bind(args)
    stages = bound.stages_for(task.target) if task.target else bound.lowering
    rows: list[Row] = []
    ready: list[_Variant] = []
    want = None if task.target else algorithm.reference(*args)
    for name, forced in algorithm.variants.items():
        row: Row = {"case": task.name, "base": task.base, "variant": name}
        rows.append(row)
        space = stages.space
        config = {**algorithm.bases[task.base], **forced}
        unknown = sorted(set(config) - set(space.knobs))
        assignment = space.project({**space.legal_default(), **{k: v for k, v in config.items() if k not in unknown}})
        reason = f"no knob {', '.join(unknown)}" if unknown else space.is_legal(assignment)
        if reason is not None:
            row |= {"status": "rejected", "detail": reason}
            continue
        try:
            if task.target:
                compiled = stages.compiled(assignment)
                row |= {"status": "compiled", "resources": str(compiled.resources)}
                continue
            run = bound.compile_config(space.decode(assignment))
            got = run(*args)
        except Exception as error:  # a variant that cannot be had costs itself alone
            row |= {"status": "error", "detail": f"{type(error).__name__}: {error}"[:500]}
            if "CUDA error" in str(error) or "illegal" in str(error):
                raise pool.Poisoned(f"{name}: {row['detail']}") from error
            continue
        assert want is not None
        off = (got.float() - want).abs().max().item() / max(want.abs().max().item(), 1e-30)
        row |= {"error": off, "status": "ok" if off <= algorithm.tolerance else "wrong"}
        if row["status"] == "ok":
            ready.append(_Variant(name, run))
    _time(ready, args)
    for variant in ready:
        row = next(r for r in rows if r["variant"] == variant.name)
        row["ms"] = sorted(variant.milliseconds)[len(variant.milliseconds) // 2]
    return rows


def _time(variants: Sequence[_Variant], args: tuple[torch.Tensor, ...]) -> None:
    from triton.testing import do_bench

    for _ in range(ROUNDS):
        for variant in variants:
            run = variant.run
            ms = do_bench(lambda run=run: run(*args), warmup=10, rep=40, return_mode="median")
            variant.milliseconds.append(float(ms))  # pyright: ignore[reportArgumentType]


def table(rows: Sequence[Row]) -> str:
    """The best configuration of each variant, and how much faster it is than the best with the knob off."""
    out: list[list[report.Cell]] = []
    for name, algorithm in ALGORITHMS.items():
        best: dict[str, Row] = {}
        for row in rows:
            if row["case"] == name and row.get("ms") is not None:
                if row["variant"] not in best or row["ms"] < best[row["variant"]]["ms"]:
                    best[row["variant"]] = row
        first = next(iter(algorithm.variants))
        for variant in algorithm.variants:
            row = best.get(variant)
            same = _ratios(rows, name, first, variant)
            off = best.get(first)
            out.append([
                name, variant, row["ms"] if row else None, row["base"] if row else None,
                off["ms"] / row["ms"] if row and off else None, max(same) if same else None, min(same) if same else None,
            ])  # fmt: skip
    header = ["case", "variant", "best ms", "configuration", "best off / best on", "off / on, most", "off / on, least"]
    return report.markdown_table(header, out)


def _ratios(rows: Sequence[Row], case: str, first: str, variant: str) -> list[float]:
    """How much faster a variant is in the same configuration, of each."""
    ms = {(r["base"], r["variant"]): r["ms"] for r in rows if r["case"] == case and r.get("ms") is not None}
    bases = sorted({b for b, _ in ms})
    return [ms[b, first] / ms[b, variant] for b in bases if (b, first) in ms and (b, variant) in ms]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=report.RESULTS)
    parser.add_argument("--time-limit", type=float, default=540.0, help="seconds in all")
    parser.add_argument("--each", type=float, default=90.0, help="seconds one configuration of a case may take")
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--compile", default="", metavar="TARGET", help="compile for a target, without a GPU")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    chosen = {n: a for n, a in ALGORITHMS.items() if options.only in n}
    most = max(len(a.bases) for a in chosen.values())
    tasks = [Task(n, i, options.compile) for i in range(most) for n, a in chosen.items() if i < len(a.bases)]
    rows: list[Row] = []
    deadline = time.monotonic() + options.time_limit
    with open(options.out / "algorithms.jsonl", "a") as out:
        for outcome in pool.run(measure, tasks, processes=1, seconds=options.each, deadline=deadline):
            task = outcome.task
            found = outcome.value or [{"case": task.name, "base": task.base, "variant": "", "status": outcome.status, "detail": outcome.detail}]  # fmt: skip
            for row in found:
                print(json.dumps(row), flush=True)
                out.write(json.dumps(row) + "\n")
            out.flush()
            rows += found
    if options.compile:
        return
    device = torch.cuda.get_device_name()
    note = (
        "The best of a few configurations for each variant, and the ratio in the same configuration, over all of them."
    )
    data = report.conditions() | {"device": device, "note": note, "rows": rows}
    report.write("algorithms", f"Algorithms as knobs, on {device}", table(rows), data, options.out)
    print(table(rows))


if __name__ == "__main__":
    main()
