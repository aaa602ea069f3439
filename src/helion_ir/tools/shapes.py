"""Arguments from a line of text: `4096x4096:bf16 4096:f32 0.5`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

TYPES = {
    "f64": "float64", "f32": "float32", "f16": "float16", "bf16": "bfloat16", "e4m3": "float8_e4m3fn",
    "e5m2": "float8_e5m2", "i64": "int64", "i32": "int32", "i16": "int16", "i8": "int8", "u8": "uint8", "bool": "bool",
}  # fmt: skip
_TENSOR = re.compile(r"(\d+(?:x\d+)*):(\w+)")


def parse_arguments(text: str, device: str = "cpu", *, blank: bool = False) -> tuple[Any, ...]:
    """The arguments that a text describes, one a word.

    `4096x128:bf16` is a tensor: floats are normally distributed, integers are zeros and ones. `0.5`, `7`, `true`,
    `none` are themselves; any other word is a string.

    Args:
        text: the words.
        device: where to make tensors.
        blank: leave their memory as it is, where only shapes matter.

    Raises ValueError for an unknown element type.

    >>> [a if isinstance(a, (float, bool)) else tuple(a.shape) for a in parse_arguments("2x3:bf16 0.5 true")]
    [(2, 3), 0.5, True]
    """
    import torch

    generator = torch.Generator(device).manual_seed(0)
    return tuple(_argument(word, device, generator, blank) for word in text.split())


def _argument(word: str, device: str, generator: torch.Generator, blank: bool) -> Any:
    import torch

    tensor = _TENSOR.fullmatch(word)
    if tensor is None:
        constants = {"true": True, "false": False, "none": None}
        if word.lower() in constants:
            return constants[word.lower()]
        for kind in (int, float):
            try:
                return kind(word)
            except ValueError:
                continue
        return word
    sizes, name = [int(n) for n in tensor[1].split("x")], tensor[2]
    if name not in TYPES:
        raise ValueError(f"{word}: no element type is called {name}; there are {', '.join(TYPES)}")
    dtype = getattr(torch, TYPES[name])
    if blank:
        return torch.empty(sizes, dtype=dtype, device=device)
    if dtype.is_floating_point:
        return torch.randn(sizes, generator=generator, device=device).to(dtype)
    return torch.randint(0, 2, sizes, generator=generator, device=device).to(dtype)
