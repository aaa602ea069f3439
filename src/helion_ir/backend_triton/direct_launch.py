"""Launching a kernel that was launched before without asking Triton again which compiled one it is.

Triton's `kernel[grid](...)` binds every argument by name, specializes each, and hashes all of it, on every call: about 30
microseconds, more than many kernels run. A generated host function always passes the same options at the same place, so
that the arguments' own properties are all that can differ; they are the key here, and what is called is what Triton calls.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
        self._launcher = launcher
        self._known: dict[tuple[Any, ...], tuple[Any, tuple[str, ...]]] = {}
        """What is compiled, and the options that are parameters of it, in their order."""

    def __call__(self, kernel: Any, grid: tuple[int, ...], *args: Any, **options: Any) -> Any:
        """Launch, and compile first if need be."""
        from triton import knobs
        from triton.runtime.driver import driver

        chosen = [v if type(v) in _CONSTANTS else specialization(v) for v in options.values()]
        key = (kernel, *chosen, *map(specialization, args))
        # What Triton interprets has no compiled kernels for each device.
        if _OTHER in key or kernel.pre_run_hooks or not hasattr(kernel, "device_caches"):
            return self._launcher(kernel, grid, *args, **options)
        active: Any = driver.active
        device = active.get_current_device()
        found = self._known.get((device, *key))
        if found is None:
            compiled = self._launcher(kernel, grid, *args, **options)
            # Triton's interpreter returns nothing; scratch memory comes from an allocator that the launcher sets.
            if hasattr(compiled, "packed_metadata") and not getattr(compiled.metadata, "global_scratch_size", 0):
                self._known[device, *key] = (compiled, tuple(kernel.arg_names[len(args) :]))
            return compiled
        compiled, names = found
        rest = [options[name] for name in names]
        stream = active.get_current_stream(device)
        x, y, z = (*grid, 1, 1)[:3]
        runtime = knobs.runtime
        compiled.run(
            x, y, z, stream, compiled.function, compiled.packed_metadata,
            compiled.launch_metadata(grid, stream, *args, *rest),
            runtime.launch_enter_hook, runtime.launch_exit_hook, *args, *rest,
        )  # fmt: skip
        return compiled


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
