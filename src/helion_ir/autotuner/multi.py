"""One configuration for several argument sets of a kernel."""

from __future__ import annotations

import contextlib
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from helion_ir.autotuner.local import compiles, local_executor, scratch, start_early
from helion_ir.autotuner.progress import Reporter
from helion_ir.autotuner.protocol import Candidate, Measurement, Source, StoreKey, TunableKernel, TunableSpace
from helion_ir.autotuner.timeline import Timeline

if TYPE_CHECKING:
    from helion_ir.autotuner.executor import LocalExecutor
    from helion_ir.autotuner.run import Tuned

Aggregation = Literal["geomean", "max"]
RelativeTo = Literal["default", "baseline"]

# Candidates that go through all argument sets together.
BATCH = 12


def tune_multi(
    bounds: Sequence[TunableKernel],
    arg_sets: Sequence[Sequence[Any]],
    *,
    aggregation: Aggregation = "geomean",
    relative_to: RelativeTo | None = None,
    cache_tag: str | None = None,
    make_executor: Callable[[TunableKernel, Sequence[Any]], LocalExecutor] | None = None,
    **options: Any,
) -> Tuned:
    """Find the configuration that is best for all argument sets together.

    Args:
        bounds: the kernel, bound to each argument set; the first is the one whose space is searched and under whose
            key, with `cache_tag`, the result is stored.
        arg_sets: the arguments of a call for each.
        aggregation: of the times of one configuration: their geometric mean, or the largest.
        relative_to: divide each time by that of the default configuration, or of `autotune_baseline_fn`, on the same
            arguments; "max" of plain times is decided by the largest arguments.
        cache_tag: tells results apart that the arguments alone do not.
        make_executor: replaces the tuner's own way to measure.
        options: as for `tuned`.

    Raises `exc.InvalidAPIUsage` for no argument set, unknown options, argument sets whose configurations differ in
    their fields, or "baseline" without a baseline function; and what `tuned` raises.
    """
    from helion_ir.autotuner.keys import store_key
    from helion_ir.autotuner.tuning import tuned

    _check(bounds, arg_sets, aggregation, relative_to)
    anchor = bounds[0]
    timeline = Timeline()
    report = Reporter(anchor.kernel.name, level=int(getattr(anchor.settings, "autotune_log_level", 20)))
    with contextlib.ExitStack() as cleanup:
        if make_executor is None:
            start_early(anchor.settings, compiles(anchor))

        def executor_for(bound: TunableKernel, args: Sequence[Any]) -> LocalExecutor:
            if make_executor is not None:
                made = make_executor(bound, args)
            else:
                folder = tempfile.TemporaryDirectory(prefix="helion_ir_tune_", dir=scratch(args))
                directory = Path(cleanup.enter_context(folder))
                space: TunableSpace = bound.config_space
                made = local_executor(bound, args, directory, space=space, report=report, timeline=timeline)
            cleanup.callback(made.close)
            return made

        executors = [executor_for(bound, args) for bound, args in zip(bounds, arg_sets)]
        together = MultiExecutor([b.config_space for b in bounds], executors, aggregation)
        if relative_to == "default":
            together.measure_defaults()
        elif relative_to == "baseline":
            together.units = [_baseline_milliseconds(b, a) for b, a in zip(bounds, arg_sets)]
        key: StoreKey = store_key(anchor)
        sets = "; ".join(b.cache_key() for b in bounds)
        key = replace(key, specialization=f"{sets} | {aggregation} {relative_to} {cache_tag or ''}")
        return tuned(anchor, arg_sets[0], executor=together, key=key, **options)


class MultiExecutor:
    """Measures each candidate with every argument set; its time is all of theirs, aggregated.

    `units` are what each set's milliseconds are divided by.
    """

    def __init__(self, spaces: Sequence[TunableSpace], executors: Sequence[LocalExecutor], aggregation: Aggregation):
        self._spaces = spaces
        self._executors = executors
        self._aggregation = aggregation
        self.units: list[float] = [1.0] * len(executors)

    def measure_defaults(self) -> None:
        """Take the times of the default configuration for units. Raises `exc.InvalidConfig` where it fails."""
        for i, (space, executor) in enumerate(zip(self._spaces, self._executors)):
            row = next(iter(executor.submit([Candidate(space.legal_default())])))
            if not row.ok or row.milliseconds is None:
                from helion_ir import exc

                raise exc.InvalidConfig(f"the default configuration fails on argument set {i}: {row.reason}")
            self.units[i] = row.milliseconds

    def stream(self, source: Source, *, deadline: float | None = None) -> Iterator[Measurement]:
        while asked := source(BATCH):
            yield from self._together(asked, lambda e, c: e.submit(c, deadline=deadline))

    def remeasure(self, candidates: Sequence[Candidate], *, deadline: float | None = None) -> Iterator[Measurement]:
        yield from self._together(candidates, lambda e, c: e.remeasure(c, deadline=deadline))

    def _together(
        self,
        candidates: Sequence[Candidate],
        measure: Callable[[LocalExecutor, Sequence[Candidate]], Iterator[Measurement]],
    ) -> Iterator[Measurement]:
        found: list[list[Measurement]] = [[] for _ in candidates]
        left = list(range(len(candidates)))
        for number, (space, executor) in enumerate(zip(self._spaces, self._executors)):
            mapped: dict[Any, list[int]] = {}
            wanted: list[Candidate] = []
            for i in list(left):
                candidate = self._for(space, candidates[i])
                if isinstance(candidate, Measurement):
                    left.remove(i)
                    yield replace(candidate, reason=f"argument set {number}: {candidate.reason}")
                    continue
                if candidate.key not in mapped:
                    wanted.append(candidate)
                mapped.setdefault(candidate.key, []).append(i)
            for row in measure(executor, wanted):
                for i in mapped[row.key]:
                    if row.ok:
                        found[i].append(row)
                    else:
                        left.remove(i)
                        reason = f"argument set {number}: {row.reason}"
                        yield replace(row, assignment=candidates[i].assignment, reason=reason)
        for i in left:
            # Where the time was up, a set has no row, and the candidate none either.
            if len(found[i]) == len(self._executors):
                yield self._aggregated(candidates[i], found[i])

    def _for(self, space: TunableSpace, candidate: Candidate) -> Candidate | Measurement:
        """The same configuration in another set's space; a row where it is illegal there."""
        from helion_ir import exc

        try:
            return Candidate(space.encode(self._spaces[0].decode(candidate.assignment)))
        except exc.InvalidConfig as e:
            return Measurement(candidate.assignment, None, "rejected", str(e))

    def _aggregated(self, candidate: Candidate, rows: Sequence[Measurement]) -> Measurement:
        times = [(r.milliseconds or math.inf) / unit for r, unit in zip(rows, self.units)]
        total = max(times) if self._aggregation == "max" else math.exp(sum(map(math.log, times)) / len(times))
        spread = max(r.spread / unit for r, unit in zip(rows, self.units))
        return Measurement(candidate.assignment, total, seconds=sum(r.seconds for r in rows), spread=spread)

    def close(self) -> None:
        for executor in self._executors:
            executor.close()


def _check(bounds: Sequence[Any], arg_sets: Sequence[Any], aggregation: Any, relative_to: Any) -> None:
    from helion_ir import exc

    if not bounds or len(bounds) != len(arg_sets):
        raise exc.InvalidAPIUsage(f"{len(arg_sets)} argument sets for {len(bounds)} bound kernels")
    if aggregation not in ("geomean", "max"):
        raise exc.InvalidAPIUsage(f"aggregation is geomean or max, not {aggregation!r}")
    if relative_to not in (None, "default", "baseline"):
        raise exc.InvalidAPIUsage(f"relative_to is None, default or baseline, not {relative_to!r}")
    if relative_to == "baseline" and any(getattr(b.settings, "autotune_baseline_fn", None) is None for b in bounds):
        raise exc.InvalidAPIUsage("relative_to='baseline' needs an autotune_baseline_fn")
    first = [k.name for k in bounds[0].config_space]
    for number, bound in enumerate(bounds[1:], 1):
        names = [k.name for k in bound.config_space]
        if names != first:
            differ = sorted(set(names) ^ set(first)) or ["their order"]
            raise exc.InvalidAPIUsage(
                f"argument sets 0 and {number} have different configurations: they differ in {', '.join(differ)}"
            )


def _baseline_milliseconds(bound: TunableKernel, args: Sequence[Any]) -> float:
    from helion_ir.autotuner.measure import Effort, Restorer, measure
    from helion_ir.autotuner.tensors import cloned, leaves

    baseline = bound.settings.autotune_baseline_fn
    copies = cloned(tuple(args))
    baseline(*copies)
    return measure(baseline, copies, Restorer(leaves(copies)), Effort())
