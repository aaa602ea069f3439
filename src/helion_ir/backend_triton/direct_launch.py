"""Launching a kernel that was launched before without asking Triton again which compiled one it is.

Triton's `kernel[grid](...)` binds every argument by name, specializes each, and hashes all of it, on every call: about 30
microseconds, more than many kernels run. A generated host function always passes the same options at the same place, so
that the arguments' own properties are all that can differ; they are the key here, and what is called is what Triton calls.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

Launcher = Callable[..., Any]

_OTHER = object()
"""The key of an argument that only Triton itself tells apart."""

_CONSTANTS = frozenset({int, bool, float, str, type(None)})
"""Types of options that are constants of a program or of its launch; others are descriptors that the host has made."""

_INT32 = range(-(1 << 31), 1 << 31)
_INT64_MOST = (1 << 63) - 1


def launch_directly(function: Callable[..., Any]) -> Callable[..., Any]:
    """A generated host function, its second and later launches taking the short way; returns `function`.

    A function without a launcher of its own is left as it is.
    """
    defaults = getattr(function, "__kwdefaults__", None)
    if defaults and "_launcher" in defaults:
        defaults["_launcher"] = DirectLauncher(defaults["_launcher"])
    return function


class DirectLauncher:
    """The launcher of one host function.

    Args:
        launcher: the function's own, which compiles; it takes the kernel, a grid, arguments, and options by name.
    """

    def __init__(self, launcher: Launcher):
        # An import statement where it is used would cost a quarter of a launch.
        from triton import knobs
        from triton.runtime.driver import driver

        self._launcher = launcher
        self._runtime: Any = knobs.runtime
        self._driver: Any = driver
        self._known: dict[tuple[Any, ...], _Known] = {}
        self._described: dict[int, tuple[str, ...]] = {}
        """By kernel, the options that are descriptors made by the host."""

    def __call__(self, kernel: Any, grid: tuple[int, ...], *args: Any, **options: Any) -> Any:
        """Launch, and compile first if need be."""
        described = self._described.get(id(kernel))
        if described is None:
            return self._first(kernel, grid, args, options)
        active = self._driver.active
        device = active.get_current_device()
        found = self._known.get(_key(device, kernel, args, options, described))
        if found is None:
            return self._first(kernel, grid, args, options)
        compiled, names = found
        stream = active.get_current_stream(device)
        rest = [options[name] for name in names]
        x, y, z = (*grid, 1, 1)[:3]
        compiled.run(
            x, y, z, stream, compiled.function, compiled.packed_metadata,
            compiled.launch_metadata(grid, stream, *args, *rest),
            self._runtime.launch_enter_hook, self._runtime.launch_exit_hook, *args, *rest,
        )  # fmt: skip
        return compiled

    def _first(self, kernel: Any, grid: tuple[int, ...], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        compiled = self._launcher(kernel, grid, *args, **options)
        # Triton's interpreter returns nothing; scratch memory comes from an allocator that the launcher sets.
        if (
            not hasattr(compiled, "packed_metadata")
            or getattr(compiled.metadata, "global_scratch_size", 0)
            or kernel.pre_run_hooks
        ):
            return compiled
        described = tuple(name for name, value in options.items() if type(value) not in _CONSTANTS)
        key = _key(self._driver.active.get_current_device(), kernel, args, options, described)
        if _OTHER not in key:
            self._described[id(kernel)] = described
            # The kernel is named by its address, and lives as long as what was compiled of it.
            self._known[key] = _Known(compiled, tuple(kernel.arg_names[len(args) :]))
        return compiled


class _Known(NamedTuple):
    """A compiled kernel, and the options that are parameters of it, in their order."""

    compiled: Any
    names: tuple[str, ...]


def _key(
    device: int, kernel: Any, args: tuple[Any, ...], options: dict[str, Any], described: tuple[str, ...]
) -> tuple[Any, ...]:
    if not described:
        return (device, id(kernel), *options.values(), *map(specialization, args))
    chosen = [specialization(v) if name in described else v for name, v in options.items()]
    return (device, id(kernel), *chosen, *map(specialization, args))


def specialization(value: Any) -> Any:
    """What Triton's backends can tell of an argument that is no constant: its type, alignment, and range.

    >>> specialization(32) == specialization(48), specialization(32) == specialization(33)
    (True, False)
    """
    if isinstance(value, torch.Tensor):
        # Buffers past 2 GB have other instructions on AMD.
        return value.dtype, value.data_ptr() & 15 == 0, value.untyped_storage().nbytes() < 1 << 31
    if type(value) is int:
        return 1 if value == 1 else (value & 15 == 0, value in _INT32, value > _INT64_MOST)
    if type(value) is float:
        return float
    if hasattr(value, "block_shape") and value.padding == "zero" and not getattr(value, "round_f32_to_tf32", False):
        return value.base.dtype, tuple(value.block_shape)
    return _OTHER
