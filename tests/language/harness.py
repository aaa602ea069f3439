"""Kernels of the language run by everything that can: a call, each stage, Triton's interpreter; and compiled for GPUs."""

from __future__ import annotations

import functools
import importlib
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

import helion_ir as helion
from helion_ir.dialects.context import module_text, parse_module
from helion_ir.interpreter import run_module

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """A kernel, its arguments, and what eager PyTorch makes of them."""

    kernel: Callable[..., Any]
    arguments: Callable[[], tuple[Any, ...]]
    expected: Callable[..., Any]
    configs: Sequence[Config] = ({},)
    tolerance: float = 0.0
    """Of a result, absolute and relative; 0 for exact."""
    in_triton: bool = True
    """Whether Triton's interpreter can run it."""

    def bound(self, config: Config) -> Any:
        return helion.kernel(self.kernel, autotune_effort="none").bind(self.arguments())

    def check(self, run: Callable[..., Any], what: str) -> None:
        """Compare a run with eager PyTorch, the arguments afterwards too, since kernels write to them."""
        args, reference = self.arguments(), self.arguments()
        torch.manual_seed(5)
        actual = run(*args)
        torch.manual_seed(5)
        expected = self.expected(*reference)
        for name, a, e in [
            ("result", actual, expected),
            *[(f"argument {i}", *p) for i, p in enumerate(zip(args, reference))],
        ]:
            for x, y in zip(a if isinstance(a, tuple) else (a,), e if isinstance(e, tuple) else (e,), strict=True):
                if isinstance(y, torch.Tensor):
                    x, y = (t.double() if t.dtype.is_floating_point else t for t in (x, y))
                    torch.testing.assert_close(
                        x, y, rtol=self.tolerance, atol=self.tolerance, equal_nan=True, check_dtype=False,
                        msg=lambda m, name=name: f"{what}, {name}: {m}",
                    )  # fmt: skip


def check_stages(case: Case) -> None:
    """A call on CPU tensors, whatever its blocks, where several are given; then every stage that differs from those before, parsed and interpreted, and the last one of each configuration."""
    if len(case.configs) > 1:
        case.check(helion.kernel(case.kernel, autotune_effort="none"), "called")
    read: dict[str, Any] = {}
    bound = case.bound({})
    for config in case.configs:
        wanted = {**bound.config_spec.default_config(), **config}
        assignment = bound.config_space.encode(wanted)
        stages = bound.stages(wanted)
        for number, (stage, text) in enumerate(stages, 1):
            # Most stages of two configurations, and many of one, are the same text; the last is what is launched.
            if text in read and number < len(stages):
                continue
            if text not in read:
                read[text] = parse_module(text, stage)
                assert module_text(read[text]) == text, f"{stage} does not print as it was read"
            run = functools.partial(_interpreted, read[text], assignment, case.kernel.__globals__)
            case.check(run, f"{stage} {config}")


def _interpreted(module: Any, assignment: Mapping[str, Any], names: Mapping[str, Any], *args: Any) -> Any:
    return run_module(module, args, assignment, globals=names)


def compiled(case: Case, target: str, config: Config | None = None) -> Any:
    """The kernel compiled for a device."""
    return case.bound({}).compile_for(target, dict(case.configs[0] if config is None else config))


def triton_failures(module: str) -> dict[str, str]:
    """What goes wrong with the CASES of a module, by name; runs where Triton interprets."""
    cases: dict[str, Case] = importlib.import_module(module).CASES
    wrong: dict[str, str] = {}
    for name, case in cases.items():
        if not case.in_triton:
            continue
        try:
            bound = case.bound({})
            for config in case.configs:
                bound.set_config({**bound.config_spec.default_config(), **config})
                case.check(bound, f"Triton {config}")
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            wrong[name] = f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})"
    assert any(case.in_triton for case in cases.values()), "no case ran"
    return wrong
