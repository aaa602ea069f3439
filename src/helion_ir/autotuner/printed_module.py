"""Importing a printed module from its file, the same way in every process."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from helion_ir.backend_triton import wgmma_descriptors

# One name for all: Triton's disk cache keys a kernel by its module's name among others, and what one process
# compiled must be found by the next.
MODULE_NAME = "helion_ir_printed"


def load_function(
    path: str | os.PathLike[str], name: str, namespace: Mapping[str, Any] | None = None
) -> Callable[..., Any]:
    """The function `name` of the Python file at `path`, which may use the names in `namespace` besides its own.

    Raises whatever executing the file raises.
    """
    wgmma_descriptors.install()
    spec = importlib.util.spec_from_file_location(MODULE_NAME, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    vars(module).update(namespace or {})
    sys.modules[MODULE_NAME] = module
    spec.loader.exec_module(module)
    return getattr(module, name)


def load_object(path: str) -> Any:
    """What `package.module:name` names.

    >>> load_object("math:gcd")(6, 4)
    2
    """
    import importlib

    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
