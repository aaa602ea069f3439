"""Text of a lower level inside device code, and output for debugging."""

from __future__ import annotations

from typing import Any

from helion_ir.language.active import implementation


def inline_triton(source: str, args: Any, output_like: Any) -> Any:
    """Triton source in place: `y = hl.inline_triton("tl.sqrt({0} * 2.0)", (x,), x)`.

    Args:
        source: Statements of Triton; the last one is an expression, the result. `{0}` or `{name}` stand for the
            arguments, `{{` and `}}` for braces. Its variables do not clash with those of the kernel.
        args: A tuple, list or dict of device tensors, sizes, numbers, and tensors of the host, which are pointers there.
        output_like: A device tensor of the result's shape and dtype, which the generated code asserts; a tuple for
            several results; None for statements that are run for what they do.

    Returns:
        A device tensor, a tuple of them, or None.

    Raises:
        InvalidAPIUsage: the source does not parse, lacks an argument or a result.
    """
    return implementation("inline_triton")(source, args, output_like)


def triton_kernel(function: Any, args: Any, output_like: Any) -> Any:
    """Call a Triton function from device code: `y = hl.triton_kernel(my_function, (x, 4), x)`.

    Args:
        function: A `@triton.jit` function, its source, or the name of one in the kernel's module. The generated code
            contains it once, with the functions and constants that it reads.
        args: As for `hl.inline_triton`, a tuple or list.
        output_like: As for `hl.inline_triton`.
    """
    return implementation("triton_kernel")(function, args, output_like)


def inline_asm_elementwise(asm: str, constraints: str, args: Any, dtype: Any, is_pure: bool, pack: int) -> Any:
    """Elementwise assembly of a GPU; no interpreter runs it.

    Args:
        asm: The instructions, with `$0` for the first result and so on.
        constraints: Of results and arguments, in LLVM's syntax, such as "=r,r".
        args: Device tensors, which broadcast.
        dtype: Of the result; a tuple gives several results.
        is_pure: Whether it does nothing but compute the results, so that unused ones need not be computed.
        pack: How many elements are processed at a time.
    """
    return implementation("inline_asm_elementwise")(asm, constraints, args, dtype, is_pure, pack)


def device_print(prefix: str, *values: Any) -> None:
    """Print device tensors from every program, padded lanes included; `print` in device code means this.

    Args:
        prefix: What to print before them, an ASCII string.
        values: Device tensors.
    """
    return implementation("device_print")(prefix, *values)


def breakpoint() -> None:
    """Stop in Python's debugger, where an interpreter runs the kernel; `breakpoint()` in device code means this.

    Raises:
        BreakpointInDeviceLoopRequiresInterpret: the kernel is compiled for a GPU.
    """
    return implementation("breakpoint")()


def stacktensor_like(example: Any, dev_ptrs: Any) -> Any:
    """Tensors at the addresses in `dev_ptrs`, laid out like `example`, as one.

    `st[index]` has the shape of `dev_ptrs` and then that of the subscript, for loads and for stores. Only generated
    code can follow addresses: on GPUs, and in Triton's interpreter.

    Args:
        example: A tensor of the host, whose dtype, shape and strides all of them have.
        dev_ptrs: A device tensor of uint64 addresses, loaded in the kernel.
    """
    return implementation("stacktensor_like")(example, dev_ptrs)
