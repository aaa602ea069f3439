"""From texts to callables: kernels are loaded once a distinct text, the host's function once a configuration."""

from __future__ import annotations

import functools
import hashlib
import linecache
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from helion_ir.backend_triton import wgmma_descriptors
from helion_ir.backend_triton.printed import PrintedModule
from helion_ir.folders import cache_root


@functools.cache
def cache_folder() -> Path:
    """Where texts are kept: `cache_root()`, else a folder of this process."""
    folder = cache_root()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:  # a read-only home is no reason to stop: Triton wants files, but not these very ones
        pass
    return Path(tempfile.mkdtemp(prefix="helion_ir_"))


def write_text(text: str) -> Path:
    """The path of a file with this text, whose name is its hash. Triton reads the source of its functions from files.

    Other processes may write the same file: each writes its own and renames it, and a damaged one is replaced.
    """
    path = cache_folder() / "text" / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.py"
    if path.exists() and path.read_text() == text:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    with os.fdopen(handle, "w") as f:
        f.write(text)
    os.replace(temporary, path)
    return path


def load_kernels(kernel_text: str) -> dict[str, Any]:
    """The namespace of a kernel text, executed once a process: its `@triton.jit` functions by name.

    Where Triton interprets (TRITON_INTERPRET=1) they are functions of its interpreter.
    """
    from triton import knobs

    return _kernels(kernel_text, bool(knobs.runtime.interpret))


@functools.lru_cache(4096)
def _kernels(kernel_text: str, interpreted: bool) -> dict[str, Any]:
    # Whether Triton interprets is decided when a function is made, hence a part of the key.
    wgmma_descriptors.install()
    path = write_text(kernel_text)
    namespace: dict[str, Any] = {"__name__": f"helion_ir_text_{path.stem}", "__file__": str(path)}
    exec(compile(kernel_text, str(path), "exec"), namespace)
    if interpreted:
        for function in namespace.values():
            if hasattr(function, "rewrite"):
                _with_bools(function)
    return namespace


def _with_bools(function: Any) -> None:
    """Let a kernel of Triton's interpreter take bools: it puts them into 32 bits, which it then refuses as a bit."""
    import numpy as np
    import triton.language as tl
    from triton.runtime.interpreter import TensorHandle

    run, names, annotations = function.run, function.arg_names, function.fn.__annotations__

    def bit(name: str, value: Any) -> Any:
        if type(value) is not bool or "constexpr" in str(annotations.get(name)):
            return value
        return tl.tensor(TensorHandle(np.array([value]), tl.int1), tl.int1)

    def run_with_bools(*args: Any, **options: Any) -> Any:
        named = {n: bit(n, v) if n in names else v for n, v in options.items()}
        return run(*[bit(n, v) for n, v in zip(names, args)], **named)

    function.run = run_with_bools


def load(
    printed: PrintedModule, namespace: Mapping[str, Any] | None = None, function: str | None = None
) -> Callable[..., Any]:
    """The host's function, ready to call on tensors.

    Args:
        printed: from `print_module`.
        namespace: the globals of the author's module, for names that the function uses.
        function: which, where a module has more than one; the first by default.

    >>> load(print_module(module, assignment))(x, y)  # doctest: +SKIP
    """
    from helion_ir.backend_triton.direct_launch import launch_directly

    if not printed.functions:
        raise ValueError("the module has no host function to load")
    name = function or printed.functions[0]
    kernels = load_kernels(printed.kernel_text)
    scope = {**(namespace or {}), **{k: v for k, v in kernels.items() if not k.startswith("__")}}
    scope["__name__"] = f"helion_ir_host_{name}"
    digest = hashlib.sha256(printed.host_text.encode()).hexdigest()[:16]
    filename = f"<helion_ir {name} {digest}>"
    linecache.cache[filename] = (len(printed.host_text), None, printed.host_text.splitlines(True), filename)
    exec(compile(printed.host_text, filename, "exec"), scope)
    return launch_directly(scope[name])
