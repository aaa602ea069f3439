"""Text of a lower level inside device code, and output for debugging."""

from __future__ import annotations

from typing import Any

from helion_ir.language.active import implementation


def inline_triton(source: str, args: Any, output_like: Any) -> Any:
    """Triton source in place, with `{0}` or `{name}` standing for the arguments; the last line is the result."""
    return implementation("inline_triton")(source, args, output_like)


def triton_kernel(function: Any, args: Any, output_like: Any) -> Any:
    """Call a `@triton.jit` function from device code."""
    return implementation("triton_kernel")(function, args, output_like)


def inline_asm_elementwise(asm: str, constraints: str, args: Any, dtype: Any, is_pure: bool, pack: int) -> Any:
    """Elementwise inline assembly."""
    return implementation("inline_asm_elementwise")(asm, constraints, args, dtype, is_pure, pack)


def device_print(prefix: str, *values: Any) -> None:
    """Print values from every program; `print` in device code means this."""
    return implementation("device_print")(prefix, *values)


def stacktensor_like(example: Any, dev_ptrs: Any) -> Any:
    """Tensors at the addresses in `dev_ptrs`, laid out like `example`, as one."""
    return implementation("stacktensor_like")(example, dev_ptrs)
