"""What may change: gradients of kernels."""

from __future__ import annotations

import functools
import importlib.util
import weakref
from collections.abc import Callable
from typing import Any

import torch

from helion_ir.runtime.kernel import Kernel, kernel

_BACKWARD: weakref.WeakKeyDictionary[Kernel, dict[Any, tuple[Kernel, str]]] = weakref.WeakKeyDictionary()


def backward(
    forward: Kernel,
    grad_out: Any,
    *inputs: Any,
    return_code: bool = False,
    autotune: bool = False,
    autotune_effort: str | None = None,
) -> Any:
    """The gradients of a kernel's inputs, computed by a kernel of their own that is derived from it.

    The kernel has one loop over `hl.tile`, in which it loads whole extents by tiles and whole axes by `:`, computes
    elementwise and by reductions along such axes, and stores what it returns. Gradients of inputs that some tile of the
    loop does not subscript, such as weights of rows, are added up by atomics.

    Args:
        forward: the kernel; it must have been called on inputs like these before.
        grad_out: the gradient of what it returns, a tuple where that is one.
        inputs: the arguments of the call.
        return_code: whether to return the source of the derived kernel and its Triton, too.
        autotune: whether to tune the derived kernel; else it has the default configuration.
        autotune_effort: of that tuning, as the setting of this name.

    Returns:
        A tensor for each input that is a tensor of floats, in a tuple if there are several; with `return_code`
        (gradients, source, Triton).

    Raises:
        AutodiffKernelNotCalled: it was not called on such inputs.
        AutodiffNotSupported: it does something else, which the message names.

    >>> grad_x, grad_w = backward(rms_norm, grad_out, x, weight)  # doctest: +SKIP
    """
    from helion_ir import exc

    full = forward.normalize_args(*inputs)
    if not forward.called_on(full):
        raise exc.AutodiffKernelNotCalled(f"call {forward.name} on these inputs before")
    effort = (autotune_effort or "full") if autotune else "none"
    numbers = tuple(v for v in full if not isinstance(v, torch.Tensor))
    key = (forward.specialization_key(full), tuple(t.shape for t in full if isinstance(t, torch.Tensor)), repr(numbers), effort)  # fmt: skip
    known = _BACKWARD.setdefault(forward, {})
    if key not in known:
        known[key] = _derived(forward, full, effort)
    derived, source = known[key]
    grads = tuple(grad_out) if isinstance(grad_out, tuple | list) else (grad_out,)
    arguments = (*grads, *[t for t in full if isinstance(t, torch.Tensor)])
    out = derived(*arguments)
    if not return_code:
        return out
    return out, source, derived.bind(arguments).to_triton_code()


def _derived(forward: Kernel, full: tuple[Any, ...], effort: str) -> tuple[Kernel, str]:
    from helion_ir import exc
    from helion_ir.backend_triton.loader import write_text
    from helion_ir.frontend.diagnostics import innermost
    from helion_ir.frontend.source import function_node, place_of_node
    from helion_ir.runtime.gradient_graph import gradient_graph
    from helion_ir.runtime.gradient_source import GradientSource

    config = forward.configs[0] if forward.configs else None
    name = f"{forward.name}_backward"
    try:
        graph = gradient_graph(forward.fn, full, config)
        source = GradientSource(graph, name, full, list(forward.signature.parameters)).text()
    except exc.AutodiffNotSupported as error:
        node = function_node(forward.fn)
        raise error.at(innermost(error.__traceback__) or place_of_node(forward.fn.__code__.co_filename, node)) from None
    return kernel(_function(str(write_text(source)), name), autotune_effort=effort), source


@functools.cache
def _function(path: str, name: str) -> Callable[..., Any]:
    spec = importlib.util.spec_from_file_location(f"helion_ir_{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)
