"""Tuning what is no kernel: any function that makes a callable of a configuration."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from helion_ir.autotuner.config import Config
from helion_ir.autotuner.config_spec import ConfigSpec
from helion_ir.autotuner.protocol import Candidate, Measurement, Source, StoreKey
from helion_ir.autotuner.space import ConfigSpace, Knob

if TYPE_CHECKING:
    from helion_ir.language.fragments import Fragment

Callables = Callable[[Config], Callable[..., Any]]


class UserConfigSpec(ConfigSpec):
    """The space of some tunables, each a fragment by its name. Raises ValueError for what is no tunable."""

    def __init__(self, tunables: Mapping[str, Fragment]):
        from helion_ir.language.fragments import Fragment, ListOf

        for name, fragment in tunables.items():
            if not isinstance(fragment, Fragment) or isinstance(fragment, ListOf):
                raise ValueError(f"{name}: a tunable is a fragment such as PowerOfTwoFragment(1, 64), not {fragment!r}")
        super().__init__(
            ConfigSpace([Knob(n, f.domain(), f.default(), "frontend", "a tunable") for n, f in tunables.items()])
        )


def autotune(
    tunables: Mapping[str, Fragment],
    compile_fn: Callables,
    args: Sequence[Any],
    *,
    baseline_fn: Callable[..., Any] | None = None,
    algorithm: str = "PatternSearch",
    device: Any = None,
    **options: Any,
) -> Config:
    """The fastest configuration of a callable, measured in this process; nothing is stored.

    Args:
        tunables: fragments by name, such as `{"threads": PowerOfTwoFragment(32, 1024)}`.
        compile_fn: from a configuration to what is called with `args`. A configuration for which it raises is skipped.
        args: arguments of the callable; what a call writes to them is undone.
        baseline_fn: gives the result that all must give, within `torch.testing.assert_close`; by default there is no check.
        algorithm: one of `search_algorithms`, but those of a list.
        device: the one to measure on, by default that which is current.
        options: of the search.

    Raises ValueError for an unknown algorithm or option, `exc.NoConfigFound` where nothing works.

    >>> from helion_ir.autotuner import PowerOfTwoFragment
    >>> tunables = {"n": PowerOfTwoFragment(1, 4)}
    >>> autotune(tunables, lambda config: lambda x: x + 1, (1,), autotune_log_level=0).keys()  # doctest: +SKIP
    dict_keys(['n'])
    """
    from helion_ir.autotuner.author_searches import FiniteSearch, search_algorithms
    from helion_ir.autotuner.store import MemoryStore

    kinds = {n: c for n, c in search_algorithms.items() if not issubclass(c, FiniteSearch)}
    if algorithm not in kinds:
        raise ValueError(f"algorithm is one of {', '.join(kinds)}; got {algorithm!r}")
    space = UserConfigSpec(tunables).space
    settings = SimpleNamespace(autotune_effort="full", autotune_log_level=options.pop("autotune_log_level", 20))
    name = getattr(compile_fn, "__name__", "callable")
    bound: Any = SimpleNamespace(config_space=space, settings=settings, kernel=SimpleNamespace(name=name), target=None)
    options |= {"store": MemoryStore(), "key": StoreKey(name, "", "", "", "", ""), "executor": None}
    try:
        options["executor"] = _InThisProcess(space, compile_fn, tuple(args), baseline_fn, device)
        return kinds[algorithm](bound, args, **options).autotune(skip_cache=True)
    except TypeError as e:
        raise ValueError(f"{algorithm}: {e}") from e


class _InThisProcess:
    """Measures one configuration after the other."""

    def __init__(self, space: ConfigSpace, compile_fn: Callables, args: Any, baseline: Any, device: Any):
        from helion_ir.autotuner.measure import Restorer
        from helion_ir.autotuner.tensors import cloned, leaves

        self._space, self._compile, self._device = space, compile_fn, device
        self._args = cloned(args)
        self._restore = Restorer(leaves(self._args))
        self._expected: tuple[Any, ...] = ()
        if baseline is not None:
            self._expected = (baseline(*cloned(args)),)

    def stream(self, source: Source, *, deadline: float | None = None) -> Iterator[Measurement]:
        while not (deadline is not None and time.monotonic() >= deadline) and (asked := source(1)):
            yield from map(self._measured, asked)

    def remeasure(self, candidates: Sequence[Candidate], *, deadline: float | None = None) -> Iterator[Measurement]:
        return map(self._measured, candidates)

    def close(self) -> None:
        """There is nothing to close."""

    def _measured(self, candidate: Candidate) -> Measurement:
        import torch

        from helion_ir.autotuner.measure import Effort, measure

        start = time.monotonic()
        at = None if self._device is None else torch.device(self._device)
        on_device = torch.cuda.device(at) if at is not None and at.type == "cuda" else contextlib.nullcontext()
        try:
            with on_device:
                run = self._compile(Config(**candidate.assignment))
                self._restore()
                result = run(*self._args)
                if self._expected:
                    try:
                        torch.testing.assert_close(result, self._expected[0])
                    except AssertionError as e:
                        return Measurement(candidate.assignment, None, "wrong", str(e), time.monotonic() - start)
                milliseconds = measure(run, self._args, self._restore, Effort())
        except Exception as e:
            reason = f"{type(e).__name__}: {e}"
            return Measurement(candidate.assignment, None, "run", reason, time.monotonic() - start)
        return Measurement(candidate.assignment, milliseconds, seconds=time.monotonic() - start)
