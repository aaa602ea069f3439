"""What each rule of the compiler is worth on a GPU: kernels in which it can matter, compiled without it and with it.

Both variants of a kernel are bound in one process, the rule taken out of the compiler for one of them. Where the text is
the same, or the machine's code of different texts, nothing is timed. Otherwise they are timed in turns, and what counts
is the median of the rounds' ratios. Rules that are knobs are measured by `benchmarks.algorithms`.

    PYTHONPATH=src:. python -m benchmarks.rules --time-limit 200
    PYTHONPATH=src:. python -m benchmarks.rules --compile h200          # no GPU: only what is the same
"""

import argparse
import contextlib
import fnmatch
import json
import re
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks import pool, report

ROUNDS = 7
"""Times that the two variants are timed in turns."""

Off = Callable[[], contextlib.AbstractContextManager[None]]


@dataclass(frozen=True)
class Rule:
    """A rule, how the compiler is made to do without it, and the kernels in which it can matter.

    `forced` are knobs, by pattern, that both variants have where their domains allow.
    """

    off: Off
    kernels: Sequence[str]
    forced: Mapping[str, Any] = field(default_factory=dict)


# ---- how the compiler does without ---------------------------------------------------------------------------------------


def without(*names: str) -> Off:
    """The pipeline without passes of these names."""

    def off() -> contextlib.AbstractContextManager[None]:
        from helion_ir.passes import pipeline

        front = tuple(p for p in pipeline.FRONT if p.name not in names)
        lower = tuple(p for p in pipeline.LOWER if p.name not in names)
        return replaced((pipeline, "FRONT", front), (pipeline, "LOWER", lower))

    return off


@contextlib.contextmanager
def replaced(*changes: tuple[Any, str, Any]) -> Iterator[None]:
    """Attributes of modules and classes replaced while open."""
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in changes]
    for owner, name, value in changes:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)


def masks_everywhere() -> contextlib.AbstractContextManager[None]:
    """Every range is taken for one that may have inactive lanes, and no comparison is decided."""
    from sympy import Integer

    from helion_ir.dialects.types import i1
    from helion_ir.index.facts import BOOLEAN
    from helion_ir.passes import make_masks, simplify_index
    from helion_ir.passes.convert_tile_to_triton import lowering

    def possibly(*_: Any) -> Any:
        return Integer(1)

    fold = simplify_index.SimplifyIndex._apply

    def numbers_only(self: Any, op: Any, known: Any, facts: Any) -> None:
        if op.result.type.element_type == i1:
            known[op.result] = BOOLEAN
        else:
            fold(self, op, known, facts)

    return replaced(
        (make_masks, "partial", possibly), (lowering, "partial", possibly),
        (simplify_index.SimplifyIndex, "_apply", numbers_only),
    )  # fmt: skip


def wide_offsets() -> contextlib.AbstractContextManager[None]:
    """Every offset is computed in 64 bits."""
    from helion_ir.passes.convert_tile_to_triton import memory

    return replaced((memory, "needs_int64", lambda op: True))


BY_DESCRIPTOR = {"*.indexing": "tensor_descriptor"}

RULES: dict[str, Rule] = {
    "forward-memory": Rule(without("forward-memory"), ("add_rms_norm", "gates", "variances", "scores_of_queries")),
    "hoist-descriptors": Rule(
        without("hoist-descriptors"), ("matmul", "bmm", "attention", "gemm_fp8"),
        forced={**BY_DESCRIPTOR, "pid_type": "persistent_interleaved"},
    ),
    "simplify-index": Rule(
        without("simplify-index"), ("grouped_gemm", "moe_matmul", "jagged_softmax", "embedding", "bmm", "jagged_dense_bmm"),
    ),
    "make-masks: only where lanes can be inactive": Rule(
        masks_everywhere, ("vector_add", "matmul", "softmax", "rms_norm", "attention", "row_sum"),
    ),
    "relax-precision": Rule(
        without("relax-precision"), ("softmax", "swiglu", "attention", "mamba2_chunk_scan", "jagged_softmax"),
    ),
    "offsets of 32 bits": Rule(wide_offsets, ("vector_add", "matmul", "softmax", "attention", "jagged_softmax")),
    "cse": Rule(without("cse"), ("attention_flex", "gemm_int4", "swiglu_backward", "jagged_layer_norm", "layer_norm")),
    "drop-unit-dims": Rule(without("drop-unit-dims"), ("bmm", "attention", "causal_attention")),
    "canonicalize": Rule(without("canonicalize"), ("moe_matmul", "attention", "mamba2_chunk_scan")),
}  # fmt: skip

KNOBS = "peel-masks, fold-exp2, split-k, online-reductions and swap-dot-operands are knobs: see `algorithms.md`."


@dataclass(frozen=True)
class Task:
    """One rule and one kernel; with a target nothing runs."""

    rule: str
    kernel: str
    target: str = ""


# ---- a case --------------------------------------------------------------------------------------------------------------


def _kernel(name: str) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """A kernel, and its arguments for `Inputs`."""
    from benchmarks import algorithm_kernels, rule_kernels

    if name in rule_kernels.KERNELS:
        return rule_kernels.KERNELS[name]
    if name == "causal_attention":
        import torch

        heads = (64, 4096, 64)
        return algorithm_kernels.causal_attention, lambda i: tuple(
            i.normal(*heads, dtype=torch.bfloat16) for _ in "qkv"
        )
    from examples import registry

    example = registry.load(name)
    return example.kernel, example.bench[0].build


def chosen(space: Any, forced: Mapping[str, Any]) -> dict[str, Any]:
    """The default configuration with the knobs that `forced` names, each where its domain and the rest allow."""
    values = space.legal_default()
    for pattern, value in forced.items():
        for name in fnmatch.filter(space.knobs, pattern):
            changed = space.project({**values, name: value})
            if value in space[name].values and space.is_legal(changed) is None:
                values = changed
    return values


def machine_code(stages: Any, assignment: Any) -> list[str]:
    """What Triton makes of each kernel, without what names lines of the source."""
    texts = [str(compiled.asm["ptx"]) for compiled in stages.compiled_kernels(assignment)]
    return [
        "\n".join(
            line
            for line in re.split(r"\n\t?\.section", text)[0].splitlines()
            if not re.match(r"\s*(\.loc|\.file|//|$)", line)
        )
        for text in texts
    ]


def measure(task: Task) -> dict[str, Any]:
    """The row of a case: that the two variants are the same, or how long they take."""
    import torch
    from examples.inputs import Inputs, Shapes

    rule = RULES[task.rule]
    kernel, build = _kernel(task.kernel)
    args = build(Shapes("cpu") if task.target else Inputs("cuda"))
    bound: dict[str, Any] = {}
    stages: dict[str, Any] = {}
    assignments: dict[str, Any] = {}
    texts: dict[str, str] = {}
    kernel.reset()
    bound["on"] = kernel.bind(args)
    stages["on"] = bound["on"].stages_for(task.target) if task.target else bound["on"].lowering
    assignments["on"] = chosen(stages["on"].space, rule.forced)
    texts["on"] = stages["on"].printed(assignments["on"]).text
    with rule.off():
        kernel.reset()
        bound["off"] = kernel.bind(args)
        stages["off"] = bound["off"].stages_for(task.target) if task.target else bound["off"].lowering
        space = stages["off"].space
        # What a rule removed has knobs of its own, which the other variant does not.
        forced = {**space.legal_default(), **{k: v for k, v in assignments["on"].items() if k in space.knobs}}
        assignments["off"] = space.project(
            {**forced, **{k: v for k, v in chosen(space, rule.forced).items() if k not in assignments["on"]}}
        )
        texts["off"] = stages["off"].printed(assignments["off"]).text
    row: dict[str, Any] = {"config": {k: v for k, v in assignments["on"].items() if v not in (None, "", "pointer")}}
    lines = {name: len(text.splitlines()) for name, text in texts.items()}
    if texts["on"] == texts["off"]:
        return {**row, "status": "same text"}
    row["lines"] = [lines["off"], lines["on"]]
    codes = {name: machine_code(stages[name], assignments[name]) for name in texts}
    row["instructions"] = [sum(len(c.splitlines()) for c in codes[name]) for name in ("off", "on")]
    if codes["on"] == codes["off"]:
        return {**row, "status": "same machine code"}
    if task.target:
        return {**row, "status": "differs"}
    calls: dict[str, Callable[[], Any]] = {}
    results: dict[str, Any] = {}
    for name in texts:
        run = bound[name].compile_config(stages[name].space.decode(assignments[name]))
        results[name], calls[name] = run(*args), lambda run=run: run(*args)
    torch.cuda.synchronize()
    row["difference"] = _difference(results["on"], results["off"])
    return {**row, "status": "timed", **_timed(calls)}


def _difference(got: Any, want: Any) -> float:
    """The largest relative difference of two results of a kernel, in norm."""
    from examples.compare import leaves

    found = [0.0]
    for a, b in zip(leaves(got), leaves(want), strict=True):
        a, b = a.double(), b.double()
        found.append(((a - b).norm() / b.norm().clamp(min=1e-30)).item())
    return max(found)


def _timed(calls: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    from triton.testing import do_bench

    for call in calls.values():  # the clock is that of a busy device before the first round
        do_bench(call, warmup=50, rep=20)
    rounds: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        off, on = (float(do_bench(calls[n], warmup=5, rep=30, return_mode="median")) for n in ("off", "on"))  # pyright: ignore
        rounds.append((off, on))
    ratios = sorted(off / on for off, on in rounds)
    return {
        "off ms": statistics.median(off for off, _ in rounds), "on ms": statistics.median(on for _, on in rounds),
        "off / on": statistics.median(ratios), "least": ratios[0], "most": ratios[-1],
    }  # fmt: skip


# ---- all of them ---------------------------------------------------------------------------------------------------------


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A line a case, the rules in their order."""
    cells: list[list[report.Cell]] = []
    for rule in RULES:
        for row in [r for r in rows if r["rule"] == rule]:
            ratio = f"{row['off / on']:.3f} ({row['least']:.3f} to {row['most']:.3f})" if "off / on" in row else None
            lines, instructions = row.get("lines"), row.get("instructions")
            cells.append([
                rule, row["kernel"], row.get("off ms"), row.get("on ms"), ratio or row["status"],
                f"{lines[0]} → {lines[1]}" if lines else None, f"{instructions[0]} → {instructions[1]}" if instructions else None,
            ])  # fmt: skip
    header = ["rule", "kernel", "off ms", "on ms", "time off / on, median (of rounds)", "lines of text", "lines of PTX"]
    return report.markdown_table(header, cells)


def main() -> None:
    """Measure, print the table and write it to `benchmarks/results/rules.md`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--each", type=float, default=45.0, metavar="SECONDS", help="for one case")
    parser.add_argument("--time-limit", type=float, default=540.0, metavar="SECONDS", help="for everything together")
    parser.add_argument("--only", default="", help="rules whose name has this in it")
    parser.add_argument("--compile", default="", metavar="TARGET", help="compare for a target, without a GPU")
    options = parser.parse_args()
    names = [n for n in RULES if options.only in n]
    most = max(len(RULES[n].kernels) for n in names)
    tasks = [
        Task(n, RULES[n].kernels[i], options.compile) for i in range(most) for n in names if i < len(RULES[n].kernels)
    ]
    rows: list[dict[str, Any]] = []
    deadline = time.monotonic() + options.time_limit
    for outcome in pool.run(measure, tasks, processes=1, seconds=options.each, deadline=deadline):
        row: dict[str, Any] = {
            "rule": outcome.task.rule,
            "kernel": outcome.task.kernel,
            "seconds": round(outcome.seconds, 1),
        }
        row |= outcome.value if outcome.status == "ok" else {"status": outcome.status, "detail": outcome.detail[:500]}
        rows.append(row)
        print(json.dumps(row, default=str), flush=True)
        if not options.compile:
            note = f"Above 1, the rule pays. {KNOBS}"
            report.write(
                "rules", "What each rule is worth", table(rows), {**report.conditions(), "note": note, "rows": rows}
            )
    print(table(rows))


if __name__ == "__main__":
    main()
