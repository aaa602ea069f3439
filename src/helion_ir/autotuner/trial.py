"""One configuration, tried: load its text, run it on poisoned outputs, check the results, time it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from helion_ir.autotuner.measure import Effort, Restorer, effort_of, measure
from helion_ir.autotuner.parts import Parts
from helion_ir.autotuner.printed_module import load_function
from helion_ir.autotuner.reference import BY_TYPE, Expectation, Tolerance, mismatch, observe
from helion_ir.autotuner.tensors import leaves, map_tensors
from helion_ir.autotuner.worker_loop import Answer, reason_of
from helion_ir.backend_triton.direct_launch import launch_directly

Measure = Callable[[Callable[..., Any], Any, Callable[[], None], Effort], float]
Check = Callable[[Any, Any], None]

# Named and not imported: where Triton only interprets, its compiler's classes need not exist.
_COMPILER_ERRORS = {"CompilationError", "CompileTimeAssertionFailure", "UnsupportedLanguageConstruct", "PTXASError"}
_COMPILER_ERRORS |= {"OutOfResources"}


class Trials:
    """Tries configurations on one tuple of arguments.

    `expectation` None: nothing to compare with until a job with `"expect"` provides it. `check`, if given, replaces
    the tolerances; it raises AssertionError where results are wrong. `namespace`: the author's names for host code.
    """

    def __init__(
        self,
        args: Any,
        expectation: Expectation | None = None,
        *,
        tolerance: Tolerance = BY_TYPE,
        measure: Measure = measure,
        check: Check | None = None,
        accuracy_check: bool = True,
        namespace: Mapping[str, Any] | None = None,
    ):
        self.args = map_tensors(tuple(args), lambda t: t.detach())
        self.expectation = expectation
        self.tolerance = tolerance
        self.measure = measure
        self.check = check
        self.accuracy_check = accuracy_check
        self.namespace = namespace

    def run(self, job: Mapping[str, Any]) -> Answer:
        """Answer `{"path", "function", "best"?, "milliseconds"?, "expect"?}`; never raises for the job's fault."""
        parts = Parts()
        answer = self._run(job, parts)
        return {**answer, "parts": parts.seconds}

    def _run(self, job: Mapping[str, Any], parts: Parts) -> Answer:
        stage = "compile"
        try:
            with parts.of("load"):
                function = launch_directly(load_function(job["path"], job["function"], self.namespace))
            stage = "run"
            with poisoned(), parts.of("first run"):
                seen = observe(function, self.args)
                _synchronize()
            if job.get("expect"):
                self.expectation = seen
            stage = "wrong"
            with parts.of("check"):
                wrong = self._wrong(seen)
            if wrong is not None:
                return {"stage": "wrong", "reason": wrong}
            stage = "run"
            tensors = leaves(self.args)
            restore = Restorer([tensors[i] for i in seen.changed])
            del seen
            try:
                with parts.of("measure"):
                    milliseconds = self.measure(function, self.args, restore, effort_of(job))
            finally:
                restore()
            return {"stage": "ok", "milliseconds": milliseconds}
        except Exception as e:
            return failure(stage, e)

    def _wrong(self, seen: Expectation) -> str | None:
        expected = self.expectation
        if expected is None or not self.accuracy_check:
            return None
        if self.check is not None:
            try:
                self.check(seen.outputs, expected.outputs)
            except AssertionError as e:
                return str(e) or "the accuracy check failed"
        else:
            wrong = mismatch(seen.outputs, expected.outputs, self.tolerance)
            if wrong is not None:
                return wrong
        before = leaves(self.args)
        for i in sorted({*seen.changed, *expected.changed}):
            actual, right = seen.changed.get(i, before[i]), expected.changed.get(i, before[i])
            wrong = mismatch(actual, right, self.tolerance, f"argument tensor {i}")
            if wrong is not None:
                return wrong
        return None


def failure(stage: str, error: Exception) -> Answer:
    """The answer for an exception; asks for a new process where the device's context is lost."""
    answer: Answer = {"stage": stage if stage != "wrong" else "run", "reason": reason_of(error)}
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__) is not None:
        causes.append(cause)
    if any(k.__name__ in _COMPILER_ERRORS for e in causes for k in type(e).__mro__):
        answer["stage"] = "compile"
    try:
        _synchronize()
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()
    except Exception as broken:
        # The device's context is lost: all that follows in this process would fail alike.
        return {"stage": "crash", "reason": reason_of(broken), "restart": True}
    return answer


def _synchronize() -> None:
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


@contextmanager
def poisoned() -> Iterator[None]:
    """Within it, uninitialized memory is filled with NaN, or the largest integer, so that it cannot pass for a result."""
    # Not use_deterministic_algorithms, which imports half a compiler.
    before = torch.get_deterministic_debug_mode()
    fill = torch.utils.deterministic.fill_uninitialized_memory  # pyright: ignore[reportAttributeAccessIssue]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.set_deterministic_debug_mode("warn")
        torch.utils.deterministic.fill_uninitialized_memory = True  # pyright: ignore[reportAttributeAccessIssue]
        try:
            yield
        finally:
            torch.set_deterministic_debug_mode(before)
            torch.utils.deterministic.fill_uninitialized_memory = fill  # pyright: ignore[reportAttributeAccessIssue]
