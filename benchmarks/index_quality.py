"""Index arithmetic in the innermost loops, and the width of memory accesses, of our text and of Helion's for the same kernel and config.

`--helion-python` is an interpreter that can import `helion`; its side is kept in `results/index_quality_helion.json`, so
that ours can be counted again without it. Loads, stores, mask terms, integer divisions and conversions to 64 bits are
static counts in Triton's own IR, summed over the loops that have none inside; of a kernel without loops, of all of it.
The width is that of the instructions of PTX that read or write global memory, in bytes a thread, on average.
"""

import argparse
import importlib
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import report

EXAMPLES = (
    "matmul", "matmul_bias_gelu", "bmm", "matmul_split_k", "attention", "softmax", "softmax_two_reductions", "layer_norm",
    "rms_norm", "cross_entropy", "row_sum", "embedding", "swiglu", "jagged_mean",
)  # fmt: skip
SHAPES = ("large", "prime")
"""Inputs whose sizes blocks divide, those of the benchmarks, and inputs of which they divide none, where there are such."""
ARCH = 90
HELION = report.RESULTS / "index_quality_helion.json"

Row = dict[str, Any]

FIELDS = frozenset(
    "block_sizes loop_orders flatten_loops l2_groupings reduction_loops range_unroll_factors range_warp_specializes "
    "range_num_stages range_multi_buffers range_flattens static_ranges load_eviction_policies indexing atomic_indexing "
    "num_warps num_stages pid_type num_sm_multiplier maxnreg advanced_controls_file epilogue_subtiling".split()
)
"""Fields of Helion's configurations; what else a default has was registered by the kernel."""

KINDS: dict[str, str] = {
    "loads": r"\btt\.(load|descriptor_load|gather)\b",
    "stores": r"\btt\.(store|descriptor_store|atomic_rmw|descriptor_reduce)\b",
    "mask terms": r"arith\.(cmpi|andi|ori)\b.*tensor<[^>]*x(i1|i32|i64)>",
    "divisions": r"arith\.(divsi|remsi|divui|remui|floordivsi|ceildivsi)\b",
    "64-bit": r"arith\.(extsi|extui)\b.*i64",
}


WIDTH = "bytes an access"
ACCESS = re.compile(r"\b(?:ld|st)\.(?:global|weak)\S*?(?:\.v(\d))?\.b(\d+)\s")
COPY = re.compile(r"\bcp\.async\.c[ag]\.shared\.global\S* \[.*?\], \[.*?\], (0x[0-9a-f]+|\d+)")


def compiled(function: Any, signature: Mapping[str, str], constexprs: Mapping[str, Any], divisible: set[str], options: dict[str, Any]) -> Row:  # fmt: skip
    """The counts of a function in Triton's own IR, simplified by Triton, for Hopper, and the widths of its accesses."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    names = list(function.arg_names)
    attrs = {(names.index(p),): [["tt.divisibility", 16]] for p in divisible}
    source = ASTSource(fn=function, signature=dict(signature), constexprs=dict(constexprs), attrs=attrs)
    chosen = {k: v for k, v in options.items() if v is not None}
    asm = triton.compile(source, target=GPUTarget("cuda", ARCH, 32), options=chosen).asm
    return {**counted(str(asm["ttir"])), "widths": widths(str(asm["ptx"]))}


def widths(ptx: str) -> dict[str, int]:
    """How many instructions access global memory with as many bytes a thread."""
    found: Counter[str] = Counter()
    for line in ptx.splitlines():
        if m := ACCESS.search(line):
            found[str(int(m[1] or 1) * int(m[2]) // 8)] += 1
        elif m := COPY.search(line):
            found[str(int(m[1], 0))] += 1
    return dict(found)


def merged(rows: list[Row]) -> Row:
    """The counts of all kernels of a call, and the average width of their accesses."""
    out: Row = {kind: sum(r[kind] for r in rows) for kind in KINDS}
    found: Counter[str] = Counter()
    for r in rows:
        found.update(r["widths"])
    number = found.total()
    out["widths"] = dict(sorted(found.items(), key=lambda i: int(i[0])))
    out[WIDTH] = round(sum(int(w) * n for w, n in found.items()) / number, 2) if number else None
    return out


def innermost(text: str) -> list[str]:
    """The lines of the loops that have no loop inside; of a text without loops, all of them."""
    stack: list[tuple[int, bool]] = []  # first line, whether a loop is inside
    found: list[str] = []
    lines = text.splitlines()
    depth: list[int] = []
    level = 0
    for i, line in enumerate(lines):
        if re.search(r"\bscf\.(for|while)\b", line):
            stack = [(at, True) for at, _ in stack] + [(i, False)]
            depth.append(level)
        level += line.count("{") - line.count("}")
        while depth and level <= depth[-1]:
            at, has_inner = stack.pop()
            depth.pop()
            if not has_inner:
                found += lines[at : i + 1]
    return found or lines


def counted(text: str) -> dict[str, int]:
    """How often each kind of op stands in the innermost loops of a TTIR text."""
    out: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
    for line in innermost(text):
        for kind, pattern in KINDS.items():
            out[kind] += bool(re.search(pattern, re.sub(r"loc\(.*", "", line)))
    return dict(out)


# ---- Helion ------------------------------------------------------------------------------------------------------------


def _configs(default: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Small and larger blocks, with reductions over whole rows, and over chunks of them."""
    blocks = list(default.get("block_sizes", []))
    larger = [b * 4 if b >= 16 else b for b in blocks]
    tunables = {k: v for k, v in default.items() if k not in FIELDS}
    common = {**tunables, "num_warps": 4, "num_stages": 2, "indexing": "pointer", "pid_type": "flat"}
    reductions = list(default.get("reduction_loops", []))
    out = [{"block_sizes": b, **common} for b in ([blocks, larger] if larger != blocks else [blocks])]
    for config in list(out):
        if reductions:
            config["reduction_loops"] = [None] * len(reductions)
            out.append({**config, "reduction_loops": [256] * len(reductions)})
    return out


def measure_helion(names: list[str]) -> list[Row]:
    for name in ("", ".language", ".autotuner"):
        sys.modules["helion_ir" + name] = importlib.import_module("helion" + name)
    from examples import registry

    rows: list[Row] = []
    for name in names:
        for case in SHAPES:
            rows += _helion_rows(registry.load(name), case)
    return rows


def _inputs(example: Any, shape: str) -> tuple[Any, ...] | None:
    if shape == "large":
        return example.bench[0].blank()
    return next((case.blank() for case in example.cases if case.name == shape), None)


def _helion_rows(example: Any, shape: str) -> list[Row]:
    rows: list[Row] = []
    args = _inputs(example, shape)
    if args is None:
        return rows
    head: Row = {"example": example.name, "shape": shape}
    try:
        bound = example.kernel.bind(args)
        configs = _configs(bound.config_spec.default_config())
    except Exception as error:
        return [{**head, "error": f"{type(error).__name__}: {error}"[:200]}]
    for config in configs:
        row: Row = {**head, "config": config}
        try:
            row |= _of_helion(bound.to_triton_code(config), example.kernel.name, args)
        except Exception as error:
            row["error"] = f"{type(error).__name__}: {error}"[:200]
        rows.append(row)
        print(f"helion: {row}", file=sys.stderr, flush=True)
    return rows


def _of_helion(text: str, host: str, args: tuple[Any, ...]) -> Row:
    import torch

    with tempfile.NamedTemporaryFile("w", suffix=".py", delete=False) as file:
        file.write(text)
    namespace: dict[str, Any] = {"__name__": "printed", "__file__": file.name}
    exec(compile(text, file.name, "exec"), namespace)  # Helion's own output
    found: list[Row] = []

    def launcher(function: Any, grid: Any, *values: Any, **options: Any) -> None:
        signature: dict[str, str] = {}
        constexprs: dict[str, Any] = {}
        divisible: set[str] = set()
        annotated = {p.name for p in function.params if p.is_constexpr}
        for name, value in zip(function.arg_names, values):
            if isinstance(value, torch.Tensor):
                signature[name] = f"*{_TYPES[value.dtype]}"
                divisible.add(name)
            elif name in annotated or value == 1:
                signature[name], constexprs[name] = "constexpr", value
            elif isinstance(value, float):
                signature[name] = "fp32"
            else:
                signature[name] = "i32"
                if value % 16 == 0:
                    divisible.add(name)
        found.append(compiled(function, signature, constexprs, divisible, _launch(options)))

    namespace[host](*args, _launcher=launcher)
    return merged(found)


def _launch(options: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in options.items() if k in ("num_warps", "num_stages")}


def _types() -> dict[Any, str]:
    import torch

    return {
        torch.bfloat16: "bf16", torch.float16: "fp16", torch.float32: "fp32", torch.float64: "fp64", torch.int64: "i64",
        torch.int32: "i32", torch.int16: "i16", torch.int8: "i8", torch.uint8: "u8", torch.bool: "i1",
    }  # fmt: skip


_TYPES: Mapping[Any, str] = {}


# ---- ours --------------------------------------------------------------------------------------------------------------


def measure_ours(rows: list[Row]) -> list[Row]:
    """Ours for the kernels and configurations of Helion's rows."""
    out: list[Row] = []
    bound: dict[Any, Any] = {}
    for row in rows:
        mine: Row = {k: row[k] for k in ("example", "shape", "config") if k in row}
        if "config" in row:
            try:
                mine |= _of_ours(row["example"], row["shape"], row["config"], bound)
            except Exception as error:
                mine["error"] = f"{type(error).__name__}: {error}"[:200]
        out.append(mine)
    return out


def _of_ours(name: str, shape: str, config: dict[str, Any], bound: dict[Any, Any]) -> Row:
    from examples import registry

    from helion_ir.backend_triton.compile import make_job
    from helion_ir.backend_triton.loader import load_kernels
    from helion_ir.targets import get_target

    example = registry.load(name)
    if (name, shape) not in bound:
        bound[name, shape] = example.kernel.bind(_inputs(example, shape))
    stages, target = bound[name, shape].stages_for("h200"), get_target("h200")
    printed = stages.printed(stages.space.encode(config))
    found: list[Row] = []
    for launch in printed.launches:
        job = make_job(printed, launch, target)
        function = load_kernels(job.kernel_text)[job.kernel]
        signature = {n: job.signature.get(n, "constexpr") for n in function.arg_names}
        found.append(compiled(function, signature, job.constexprs, set(job.divisible), _launch(job.options)))
    return merged(found)


def table(ours: list[Row], theirs: list[Row]) -> tuple[str, list[str]]:
    """The counts side by side, and where ours are more."""
    cells: list[list[report.Cell]] = []
    worse: list[str] = []
    for mine, other in zip(ours, theirs):
        config = mine.get("config") or {}
        shown = " ".join(str(x) for x in config.get("block_sizes", []))
        if any(config.get("reduction_loops", [])):
            shown += " looped"
        row: list[report.Cell] = [mine["example"], mine["shape"], shown]
        for kind in KINDS:
            a, b = mine.get(kind), other.get(kind)
            row.append(f"{'–' if a is None else a} / {'–' if b is None else b}")
            if a is not None and b is not None and a > b:
                worse.append(f"{mine['example']} {mine['shape']} {shown}: {kind} {a} > {b}")
        a, b = mine.get(WIDTH), other.get(WIDTH)
        row.append(f"{'–' if a is None else a} / {'–' if b is None else b}")
        if a is not None and b is not None and a < b:
            worse.append(f"{mine['example']} {mine['shape']} {shown}: {a} {WIDTH}, {b}")
        cells.append(row)
    return report.markdown_table(["example", "shape", "blocks", *KINDS, WIDTH], cells), worse


def main() -> None:
    """Count, print the table and write it to `benchmarks/results/index_quality.md`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("examples", nargs="*")
    parser.add_argument("--helion-python", metavar="PATH", help="an interpreter that can import helion")
    parser.add_argument("--helion", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    names = list(options.examples or EXAMPLES)
    if options.helion:
        print(json.dumps({"versions": report.versions("helion"), "rows": measure_helion(names)}))
        return
    if options.helion_python:
        command = [options.helion_python, "-m", "benchmarks.index_quality", "--helion", *names]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=Path(__file__).parents[1])
        HELION.write_text(done.stdout)
    kept = json.loads(HELION.read_text())
    theirs = [row for row in kept["rows"] if row["example"] in names]
    ours = measure_ours(theirs)
    text, worse = table(ours, theirs)
    print(text)
    for row in [*ours, *theirs]:
        if "error" in row:
            print(f"{row['example']} {row.get('config')}: {row['error']}")
    data = {**report.conditions(), "ours": ours, "helion": theirs}
    data["versions"] |= {"helion": kept["versions"].get("helion", "")}
    data["note"] = "Ours / Helion's, in the innermost loops. " + (
        "Ours are worse: " + "; ".join(worse) if worse else "Ours are never more, and never narrower."
    )
    report.write("index_quality", "Index arithmetic in the innermost loops, and widths of accesses", text, data)
    if worse:
        raise SystemExit("\n".join(worse))


if __name__ == "__main__":
    _TYPES = _types()
    main()
