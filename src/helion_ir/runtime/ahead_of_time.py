"""Kernels tuned ahead of time: configurations by shape are collected, measured, and looked up in a file at a call.

What a call does `HELION_AOT_MODE` says: `collect` tunes each shape it meets, `measure` times all that was collected on
each shape, `evaluate` (the default) looks up, `compile` looks up and writes the code, `disabled` knows nothing of it.
`python -m helion_ir.autotuner.aot_runner` goes through the phases and writes the file.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch

from helion_ir import exc
from helion_ir.autotuner.config import Config
from helion_ir.autotuner.heuristic import COLLECTED, MEASURED, data_folder, features, file_name, read_rows
from helion_ir.runtime.kernel import Kernel
from helion_ir.runtime.settings import Settings, parse_bool
from helion_ir.runtime.specialization import device_of

if TYPE_CHECKING:
    from helion_ir.runtime.bound_kernel import BoundKernel

MODES = ("collect", "measure", "evaluate", "compile", "disabled")

Arguments = Callable[[], Iterable[tuple[Any, ...]]]


def aot_kernel(
    fn: Callable[..., Any] | None = None,
    *,
    config: Any = None,
    configs: Sequence[Any] | None = None,
    batched: Sequence[Sequence[Any] | None] | None = None,
    collect_fn: Arguments | None = None,
    measure_fn: Arguments | None = None,
    **settings: Any,
) -> Kernel | Callable[[Callable[..., Any]], Kernel]:
    """A kernel whose configurations are found ahead of time: as `kernel`, with `static_shapes=False`.

    Args:
        fn: the function; without it, a decorator.
        config, configs: as for `kernel`.
        batched: for each argument that is a tensor, for each dimension, None or a mark: how large marked dimensions are
            does not matter to the choice. None for arguments of which all dimensions matter.
        collect_fn, measure_fn: give the arguments of calls to tune for and to measure on, besides those that are made.
        settings: fields of `Settings`.

    Raises ValueError for an unknown HELION_AOT_MODE.

    >>> @helion.aot_kernel(batched=[[0, None], None])  # doctest: +SKIP
    ... def rms_norm(x, weight): ...
    """
    mode = os.environ.get("HELION_AOT_MODE") or "evaluate"
    if mode not in MODES:
        raise ValueError(f"HELION_AOT_MODE is one of {', '.join(MODES)}, not {mode!r}")
    assert not (config and configs), "give config or configs, not both"
    listed = [config] if config is not None else list(configs or ())
    if settings.get("autotune_cache") == "AOTAutotuneCache":
        del settings["autotune_cache"]  # it is the one that such kernels have

    def decorate(function: Callable[..., Any]) -> Kernel:
        chosen = {"static_shapes": False, **settings}
        if mode == "disabled" or listed:
            return Kernel(function, configs=listed, settings=Settings(**chosen), key=None)
        plan = AheadOfTime(function, mode, batched, collect_fn if mode == "collect" else measure_fn)
        made = Kernel(function, configs=[], settings=Settings(autotuner_fn=plan, **chosen), key=plan.key)
        plan.kernel = made
        return made

    return decorate if fn is None else decorate(fn)


class AheadOfTime:
    """Chooses the configurations of one kernel; the value of its setting `autotuner_fn`."""

    def __init__(self, function: Any, mode: str, batched: Any, more: Arguments | None):
        self.function, self.mode, self.batched, self.more = function, mode, batched, more
        self.kernel: Kernel | None = None

    def key(self, *args: Any) -> Hashable:
        """What calls must have in common to share a configuration."""
        if self.mode in ("collect", "measure"):
            return features(args, self.batched)
        module = self.heuristic(args)
        return None if module is None else getattr(module, f"key_{self.function.__name__}")(*args)

    def heuristic(self, args: Sequence[Any]) -> ModuleType | None:
        """The file for the device of these arguments that says something about this kernel."""
        device = device_of(args)
        assert device is not None
        source = Path(self.function.__code__.co_filename)
        folder = Path(os.environ.get("HELION_HEURISTIC_DIR") or source.parent)
        module = _loaded(folder / file_name(source, *architecture(device)))
        return module if hasattr(module, f"key_{self.function.__name__}") else None

    def __call__(self, bound: BoundKernel, args: Sequence[Any], **options: Any) -> _Choice:
        return _Choice(self, bound, tuple(args))

    def choose(self, bound: BoundKernel, args: tuple[Any, ...]) -> Config:
        more, self.more = self.more, None
        for other in more() if more is not None else ():
            assert self.kernel is not None
            self.kernel.bind(other).ensure_config_exists(other)
        if self.mode == "collect":
            return self.collect(bound, args)
        if self.mode == "measure":
            return self.measure(bound, args)
        module = self.heuristic(args)
        if module is None:
            folder = os.environ.get("HELION_HEURISTIC_DIR") or Path(self.function.__code__.co_filename).parent
            name = file_name(self.function.__code__.co_filename, *architecture(bound.device))
            exc.warn(
                exc.NoAOTHeuristicWarning(
                    f"{self.function.__name__} has the default configuration: no {name} in {folder}"
                ),
                tuple(bound.settings.ignore_warnings),
            )
            return bound.config_spec.default_config()
        config = Config.from_dict(dict(getattr(module, f"autotune_{self.function.__name__}")(*args)))
        self._say(f"{module.__file__} gives {config}")
        if self.mode == "compile":
            folder = data_folder()
            count = len(list(folder.glob(f"{self.function.__name__}_*.py")))
            (folder / f"{self.function.__name__}_{count}.py").write_text(bound.to_code(config))
        return config

    def collect(self, bound: BoundKernel, args: tuple[Any, ...]) -> Config:
        """Tune for these arguments, and remember what is found."""
        from helion_ir.autotuner import tuning

        found = tuning.tuned(bound, args)
        self._row(COLLECTED, bound, args, found.config, found.best.milliseconds)
        return found.config

    def measure(self, bound: BoundKernel, args: tuple[Any, ...]) -> Config:
        """Time every configuration that was collected for any shape, and remember the times."""
        from helion_ir.autotuner import tuning

        kernel, device = self.function.__name__, list(architecture(bound.device))
        rows = [r for r in read_rows(COLLECTED) if r["kernel"] == kernel and r["device"] == device]
        configs = list({json.dumps(r["config"], sort_keys=True): Config.from_dict(r["config"]) for r in rows}.values())
        if len(configs) < 2:
            return configs[0] if configs else bound.config_spec.default_config()
        found = tuning.tuned(bound, args, configs=configs)
        for _, measured in found.history:
            if measured.ok:
                config = bound.config_space.decode(measured.assignment)
                self._row(MEASURED, bound, args, config, measured.milliseconds)
        return found.config

    def _row(
        self, name: str, bound: BoundKernel, args: Sequence[Any], config: Config, milliseconds: float | None
    ) -> None:
        row = {
            "kernel": self.function.__name__, "source": self.function.__code__.co_filename,
            "device": list(architecture(bound.device)), "sizes": features(args, self.batched),
            "batched": self.batched, "config": dict(config), "milliseconds": milliseconds,
        }  # fmt: skip
        with (data_folder() / name).open("a") as f:
            f.write(json.dumps(row) + "\n")
        self._say(f"{data_folder() / name}: {config} takes {milliseconds} ms on {row['sizes']}")

    def _say(self, text: str) -> None:
        """What `HELION_AOT_VERBOSE=1` shows."""
        if parse_bool(os.environ.get("HELION_AOT_VERBOSE") or "0"):
            print(f"[aot {self.mode}] {self.function.__name__}: {text}", file=sys.stderr)


@dataclass(frozen=True)
class _Choice:
    plan: AheadOfTime
    bound: BoundKernel
    args: tuple[Any, ...]

    def autotune(self, *, skip_cache: bool = False) -> Config:
        return self.plan.choose(self.bound, self.args)


@functools.cache
def architecture(device: torch.device) -> tuple[str, str]:
    """The kind of a device and its architecture, as they stand in names of files: ("cuda", "sm90")."""
    if device.type != "cuda":
        return device.type, "any"
    properties = torch.cuda.get_device_properties(device)
    if torch.version.hip:
        return "hip", properties.gcnArchName.split(":")[0]
    return "cuda", f"sm{properties.major}{properties.minor}"


@functools.cache
def _loaded(path: Path) -> ModuleType | None:
    if not path.is_file():
        return None
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
