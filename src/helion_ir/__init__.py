"""helion-ir: PyTorch with tiles, compiled through a multi-level IR.

`import helion_ir as helion` and `import helion_ir.language as hl` are what a kernel needs. Names are loaded when
first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from helion_ir import exc, experimental, language
    from helion_ir.autotuner.author_searches import from_cache
    from helion_ir.autotuner.config import Config
    from helion_ir.language.numbers import cdiv, next_power_of_2
    from helion_ir.runtime.ahead_of_time import aot_kernel
    from helion_ir.runtime.bound_kernel import BoundKernel
    from helion_ir.runtime.kernel import Kernel, kernel
    from helion_ir.runtime.kernel import kernel as jit
    from helion_ir.runtime.output_code import OutputCodeOptions
    from helion_ir.runtime.settings import RefMode, Settings

_NAMES = {
    "BoundKernel": "helion_ir.runtime.bound_kernel",
    "aot_kernel": "helion_ir.runtime.ahead_of_time",
    "Config": "helion_ir.autotuner.config",
    "from_cache": "helion_ir.autotuner.author_searches",
    "Kernel": "helion_ir.runtime.kernel",
    "OutputCodeOptions": "helion_ir.runtime.output_code",
    "RefMode": "helion_ir.runtime.settings",
    "Settings": "helion_ir.runtime.settings",
    "cdiv": "helion_ir.language.numbers",
    "kernel": "helion_ir.runtime.kernel",
    "next_power_of_2": "helion_ir.language.numbers",
}
_MODULES = ("autotuner", "exc", "experimental", "language", "runtime", "targets")

__all__ = [
    "BoundKernel",
    "Config",
    "Kernel",
    "OutputCodeOptions",
    "RefMode",
    "Settings",
    "aot_kernel",
    "cdiv",
    "exc",
    "experimental",
    "from_cache",
    "jit",
    "kernel",
    "language",
    "next_power_of_2",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"helion_ir.{name}")
    if name == "jit":
        value = __getattr__("kernel")
    elif name in _NAMES:
        value = getattr(importlib.import_module(_NAMES[name]), name)
    else:
        raise AttributeError(f"module 'helion_ir' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
