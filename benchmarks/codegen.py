"""What it costs to turn a configuration into Triton source, for every example.

Four costs: `bind` (from a call's arguments to the space of configurations, imports already paid), `first` (the default
configuration, everything cold), `whole` (the template that configurations share which are not plain, as most of a
search are not: docs/passes/declare-plain.md) and `config` (the median over random configurations whose structures have been lowered
before, as in a search). All are CPU time of the process, which neighbours on the machine disturb less than the clock.
With `--helion-python`, an interpreter that has `helion` installed measures the same
kernels there, and the table shows the ratios. `texts` is the number of distinct kernel texts among 1,000 random
configurations: what Triton's Python front half, some milliseconds a text, is paid for in a search.

What happens once a kernel is measured in several processes, in which the kernels follow each other and between which the
libraries take turns, and the median shown.
"""

import argparse
import gc
import importlib
import json
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import report

Row = dict[str, Any]


def _alias_helion() -> None:
    """Let `import helion_ir` in the examples mean `helion`."""
    for name in ("", ".language", ".autotuner"):
        sys.modules["helion_ir" + name] = importlib.import_module("helion" + name)


def _random_configs(bound: Any, count: int, seed: int, library: str) -> list[Any]:
    if library == "helion":
        random.seed(seed)
        generation = bound.config_spec.create_config_generation()
        return [generation.random_config() for _ in range(count)]
    rng = random.Random(seed)
    space = bound.config_space
    return [space.decode(space.sample(rng)) for _ in range(count)]


def _distinct_texts(bound: Any, seed: int) -> int:
    """Kernel texts of 1,000 random configurations."""
    rng, space = random.Random(seed), bound.config_space
    return len({bound.printed(space.sample(rng)).kernel_text for _ in range(1000)})


def measure(name: str, count: int, seed: int, library: str) -> Row:
    """Costs of one example, in milliseconds."""
    from examples import registry

    example = registry.load(name)
    args = example.bench[0].blank()
    gc.collect()
    start = time.process_time()
    bound = example.kernel.bind(args)
    spec = bound.config_spec
    bind = time.process_time()
    bound.to_triton_code(spec.default_config())
    first = time.process_time()
    if library == "helion_ir":
        bound.lowering.template(bound.config_space.legal_default(), whole=True)
    whole = time.process_time()
    # The first half lowers the structures that random configurations have; the second half is measured.
    times: list[float] = []
    failures: list[str] = []
    for config in _random_configs(bound, 2 * count, seed, library):
        begin = time.process_time()
        try:
            bound.to_triton_code(config)
        except Exception as error:
            failures.append(f"{type(error).__name__}: {error}"[:300])
            continue
        times.append(1000 * (time.process_time() - begin))
    warm = times[len(times) // 2 :]
    texts = _distinct_texts(bound, seed) if library == "helion_ir" and count > 3 else None
    return {
        "texts": texts,
        "name": name,
        "bind": 1000 * (bind - start),
        "first": 1000 * (first - bind),
        "whole": 1000 * (whole - first),
        "config": statistics.median(warm) if warm else None,
        "p90": statistics.quantiles(warm, n=10)[8] if len(warm) > 1 else None,
        "configs": len(warm),
        "failures": len(failures),
        "failure": failures[0] if failures else None,
    }


def measure_all(names: list[str], count: int, seed: int, library: str) -> list[Row]:
    """Costs of every example; an example that fails is a row that says why."""
    if library == "helion":
        _alias_helion()
    from examples import registry  # imports helion_ir, or what now has its name

    measure("vector_add", 3, seed, library)  # pays for the imports
    rows: list[Row] = []
    for name in names:
        try:
            registry.load(name).kernel.reset()
            rows.append(measure(name, count, seed, library))
        except Exception as error:
            rows.append({"name": name, "error": f"{type(error).__name__}: {error}"[:300]})
        print(f"{library}: {name} {rows[-1].get('config') or rows[-1].get('error')}", file=sys.stderr, flush=True)
    return rows


ONCE = ("bind", "first", "whole")


def _process(python: str, library: str, configs: int, options: argparse.Namespace) -> Row:
    """What a process of its own measures."""
    command = [python, "-m", "benchmarks.codegen", "--library", library, "--json", "-"]
    command += ["--configs", str(configs), "--seed", str(options.seed), *options.examples]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=Path(__file__).parents[1])
    return json.loads(done.stdout)


def _rounds(pythons: dict[str, str], options: argparse.Namespace) -> dict[str, Row]:
    """What each library costs; the libraries take turns, since the speed of a machine changes while it is measured."""
    found: dict[str, list[Row]] = {library: [] for library in pythons}
    for configs in [options.configs, *[1] * (options.processes - 1)]:
        for library, python in pythons.items():
            found[library].append(_process(python, library, configs, options))
    for rounds in found.values():
        for row in rounds[0]["rows"]:
            same = [r for each in rounds for r in each["rows"] if r["name"] == row["name"] and "bind" in r]
            row |= {cost: statistics.median(r[cost] for r in same) for cost in ONCE if same}
    return {library: rounds[0] for library, rounds in found.items()}


def table(ours: list[Row], theirs: list[Row] | None) -> str:
    """The rows side by side."""
    header = ["example", "bind ms", "first ms", "whole ms", "config ms", "p90 ms", "texts"]
    if theirs is not None:
        header += ["helion bind", "helion first", "helion config", "bind ratio", "first ratio", "config ratio"]
    others = {row["name"]: row for row in theirs or []}
    rows = []
    for row in ours:
        cells = [row["name"], *map(row.get, ("bind", "first", "whole", "config", "p90", "texts"))]
        if theirs is not None:
            other = others.get(row["name"], {})
            cells += [other.get("bind"), other.get("first"), other.get("config")]
            for cost in ("bind", "first", "config"):
                cells.append(other[cost] / row[cost] if row.get(cost) and other.get(cost) else None)
        rows.append(cells)
    return report.markdown_table(header, rows)


def main() -> None:
    """Measure, print the table and write it to `benchmarks/results/codegen.md`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("examples", nargs="*", help="names; all by default")
    parser.add_argument("--configs", type=int, default=50, help="random configurations that are measured")
    parser.add_argument("--processes", type=int, default=5, help="for what happens once a kernel")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--helion-python", metavar="PATH", help="an interpreter that can import helion")
    parser.add_argument("--library", choices=["helion_ir", "helion"], default="helion_ir", help=argparse.SUPPRESS)
    parser.add_argument("--json", choices=["-"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.json:
        from examples import registry

        names = options.examples or registry.FILES
        rows = measure_all(list(names), options.configs, options.seed, options.library)
        print(json.dumps({"versions": report.versions("helion"), "rows": rows}))
        return
    pythons = {"helion_ir": sys.executable}
    if options.helion_python:
        pythons["helion"] = options.helion_python
    found = _rounds(pythons, options)
    ours, theirs = found["helion_ir"]["rows"], found.get("helion")
    text = table(ours, theirs["rows"] if theirs else None)
    print(text)
    data = {
        **report.conditions(),
        "configs": options.configs,
        "seed": options.seed,
        "helion_ir": ours,
        "helion": theirs,
    }
    if theirs:
        data["versions"] |= {"helion": theirs["versions"]["helion"]}
        data["note"] = "helion ran with " + ", ".join(f"{k} {v}" for k, v in theirs["versions"].items()) + "."
    report.write("codegen", "From a configuration to Triton source", text, data)


if __name__ == "__main__":
    main()
