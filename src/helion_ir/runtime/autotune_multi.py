"""One configuration for several calls: candidates come from tuning each call, and every call judges all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from helion_ir import exc
from helion_ir.autotuner.config import Config

if TYPE_CHECKING:
    from helion_ir.runtime.bound_kernel import BoundKernel
    from helion_ir.runtime.kernel import Kernel

AGGREGATIONS: dict[str, Callable[[Sequence[float]], float]] = {
    "geomean": lambda ratios: math.exp(sum(math.log(r) for r in ratios) / len(ratios)),
    "max": max,
}
_CALLBACKS = (
    "autotune_baseline_fn", "autotune_baseline_accuracy_check_fn", "autotune_benchmark_fn", "autotune_config_filter",
)  # fmt: skip


def autotune_multi(
    kernel: Kernel,
    arg_sets: Sequence[Sequence[Any]],
    *,
    aggregation: str,
    relative_to: str | None,
    cache_tag: str | None,
    force: bool,
    options: Mapping[str, Any],
) -> Config:
    """See `Kernel.autotune_multi`."""
    sets = _checked(kernel, arg_sets, aggregation, relative_to, cache_tag)
    bounds = [kernel.bind(args) for args in sets]
    _check_alike(kernel, bounds)
    from helion_ir.autotuner.tuning import tuned

    default = bounds[0].config_spec.default_config()
    found: dict[Config, None] = {}
    for bound, args in zip(bounds, sets):
        made = tuned(bound, args, force=force, **options)
        runner_up = [] if made.runner_up is None else [bound.config_space.decode(made.runner_up.assignment)]
        found |= dict.fromkeys([made.config, *runner_up])
    candidates = list(dict.fromkeys([*found, default]))
    chosen = candidates[0]
    if len(candidates) > 1:
        times = [_times(tuned(b, a, configs=candidates, **options), b) for b, a in zip(bounds, sets)]
        chosen = _best(candidates, times, default, AGGREGATIONS[aggregation], relative_to)
    for bound in bounds:
        bound.set_config(chosen)
    return chosen


def _checked(
    kernel: Kernel, arg_sets: Sequence[Sequence[Any]], aggregation: str, relative_to: str | None, cache_tag: str | None
) -> list[tuple[Any, ...]]:
    """The argument sets, complete. Raises InvalidAPIUsage."""
    if aggregation not in AGGREGATIONS:
        raise exc.InvalidAPIUsage(f'aggregation is "geomean" or "max", not {aggregation!r}')
    if relative_to not in (None, "default"):
        raise exc.InvalidAPIUsage(f'relative_to is None or "default", not {relative_to!r}')
    if isinstance(arg_sets, str) or not isinstance(arg_sets, Sequence) or not arg_sets:
        raise exc.InvalidAPIUsage("autotune_multi takes a list of argument tuples, at least one")
    if not all(isinstance(a, tuple | list) for a in arg_sets):
        raise exc.InvalidAPIUsage("each of the argument sets is a tuple of positional arguments")
    settings = kernel.settings
    called = [name for name in _CALLBACKS if getattr(settings, name) is not None]
    if cache_tag is None and (called or not settings.static_shapes):
        why = called[0] if called else "static_shapes=False"
        raise exc.InvalidAPIUsage(
            f"autotune_multi needs a cache_tag with {why}, which a stored result cannot tell apart"
        )
    return [kernel.normalize_args(*a) for a in arg_sets]


def _check_alike(kernel: Kernel, bounds: Sequence[BoundKernel]) -> None:
    """Raise InvalidAPIUsage unless all have the knobs of the first."""
    anchor = {k.name: k.field for k in bounds[0].config_space}
    for i, bound in enumerate(bounds[1:], 1):
        own = {k.name: k.field for k in bound.config_space}
        if own != anchor:
            differ = sorted(anchor.items() ^ own.items(), key=str)[0][0]
            raise exc.InvalidAPIUsage(
                f"argument set {i} of {kernel.name} has other knobs than the first, such as {differ}; tune it by itself"
            )


def _times(made: Any, bound: BoundKernel) -> dict[Config, float]:
    return {bound.config_space.decode(m.assignment): m.milliseconds for _, m in made.history if m.ok}


def _best(
    candidates: Sequence[Config],
    times: Sequence[Mapping[Config, float]],
    default: Config,
    aggregate: Callable[[Sequence[float]], float],
    relative_to: str | None,
) -> Config:
    """The candidate with the least aggregate of its times, among those that work for every set."""
    everywhere = [c for c in candidates if all(c in t for t in times)]
    if not everywhere:
        raise exc.NoConfigFound("no configuration works for all of the argument sets")
    if relative_to == "default" and default not in everywhere:
        raise exc.InvalidAPIUsage('relative_to="default": the default configuration does not work for all of the sets')

    def score(config: Config) -> float:
        return aggregate([t[config] / (t[default] if relative_to == "default" else 1.0) for t in times])

    return min(everywhere, key=score)
