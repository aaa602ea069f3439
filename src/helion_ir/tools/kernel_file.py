"""`FILE.py:kernel` on a command line: a kernel and arguments to trace it with."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from helion_ir.runtime.bound_kernel import BoundKernel
    from helion_ir.runtime.kernel import Kernel


class KernelFileError(ValueError):
    """A kernel, or arguments for it, cannot be found."""


@dataclass(frozen=True)
class KernelFile:
    """A kernel of a file with arguments for it, and what it should compute where the file says so."""

    kernel: Kernel
    args: tuple[Any, ...]
    reference: Callable[..., Any] | None = None

    def bind(self) -> BoundKernel:
        """The kernel traced for the arguments."""
        return self.kernel.bind(self.args)


def load_kernel(spec: str) -> KernelFile:
    """Import a kernel and make arguments for it.

    The file says what to call the kernel with: `example_inputs()` returns the arguments, or a mapping from the names of
    kernels to arguments; `reference` (a function, or such a mapping) says what it should compute. An `EXAMPLES` list of
    `examples.harness.Example` serves too: its first case is used.

    Args:
        spec: `FILE.py:kernel`, or `FILE.py` where the file has one kernel.

    Raises:
        KernelFileError: there is no such file or kernel, or the file does not say what to call it with.
    """
    path_text, _, name = spec.partition(":")
    module = _import(Path(path_text))
    kernel_name, kernel = _kernel(module, name, path_text)
    for example in getattr(module, "EXAMPLES", ()):
        if example.kernel is kernel:
            return KernelFile(kernel, tuple(example.cases[0].args("cpu")), example.reference)
    make = getattr(module, "example_inputs", None)
    if make is None:
        raise KernelFileError(
            f"{path_text} does not say what to call {kernel_name} with: define example_inputs(), which returns its arguments"
        )
    found = make()
    if isinstance(found, Mapping):
        if kernel_name not in found:
            raise KernelFileError(f"example_inputs() of {path_text} has no arguments for {kernel_name}")
        found = found[kernel_name]
    args = tuple(found) if isinstance(found, Sequence) else (found,)
    reference = getattr(module, "reference", None)
    return KernelFile(kernel, args, reference.get(kernel_name) if isinstance(reference, Mapping) else reference)


def _import(path: Path) -> ModuleType:
    if not path.is_file():
        raise KernelFileError(f"there is no file {path}")
    # As `python FILE.py` would, and from the folder one stands in, as `python -m` would.
    for folder in (str(Path.cwd()), str(path.resolve().parent)):
        if folder not in sys.path:
            sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise KernelFileError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _kernel(module: ModuleType, name: str, path: str) -> tuple[str, Kernel]:
    from helion_ir.runtime.kernel import Kernel

    kernels = {n: v for n, v in vars(module).items() if isinstance(v, Kernel)}
    if name in kernels:
        return name, kernels[name]
    if not name and len(kernels) == 1:
        return next(iter(kernels.items()))
    there_are = ", ".join(kernels) or "none"
    wanted = f"has no kernel {name!r}" if name else "has several kernels; name one, as in FILE.py:kernel"
    raise KernelFileError(f"{path} {wanted}; there are: {there_are}")
