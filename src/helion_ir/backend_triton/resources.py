"""What a compiled kernel needs of the device, read from the binary or its assembly."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TENSOR_MEMORY_COLUMN = 128 * 4
"""Bytes in a column of tensor memory: 128 lanes of 32 bits."""


@dataclass(frozen=True)
class Resources:
    """Needs of one program, sizes in bytes; None where the toolchain does not tell."""

    shared_memory: int
    registers: int | None
    """32-bit registers a thread."""
    spilled: int | None
    """Bytes a thread spills, or keeps in local memory for other reasons."""
    tensor_memory: int = 0


def read_resources(asm: Mapping[str, str | bytes], metadata: Mapping[str, Any]) -> Resources:
    """The resources of a compiled kernel, by the kinds of text that its compiler left.

    Args:
        asm: Triton's stages by name; of these "cubin" or "amdgcn" is read.
        metadata: Triton's, of which `shared` and `tmem_size` are read.
    """
    shared = int(metadata.get("shared") or 0)
    tensor = int(metadata.get("tmem_size") or 0) * _TENSOR_MEMORY_COLUMN
    if isinstance(cubin := asm.get("cubin"), bytes):
        registers, spilled = _of_cubin(cubin)
    elif isinstance(text := asm.get("amdgcn"), str):
        registers, spilled = _of_amdgcn(text)
    else:
        registers = spilled = None
    return Resources(shared, registers, spilled, tensor)


def _of_cubin(cubin: bytes) -> tuple[int | None, int | None]:
    import triton

    assert triton.__file__ is not None
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    if not tool.exists():
        return None, None
    with tempfile.NamedTemporaryFile(suffix=".cubin") as f:
        f.write(cubin)
        f.flush()
        done = subprocess.run([tool, "-res-usage", f.name], capture_output=True, text=True, timeout=60)
    return parse_usage(done.stdout + done.stderr)


def parse_usage(text: str) -> tuple[int | None, int | None]:
    """Registers and local bytes in what cuobjdump prints.

    >>> parse_usage(" REG:40 STACK:8 SHARED:0 LOCAL:0 CONSTANT[0]:404")
    (40, 8)
    """
    found = dict(re.findall(r"\b(REG|STACK|LOCAL):(\d+)", text))
    if "REG" not in found:
        return None, None
    return int(found["REG"]), max(int(found.get("STACK", 0)), int(found.get("LOCAL", 0)))


def _of_amdgcn(text: str) -> tuple[int | None, int | None]:
    """Registers and scratch bytes in the metadata at the end of AMD's assembly."""

    def field(name: str) -> int | None:
        match = re.search(rf"\.{name}:\s+(\d+)", text)
        return int(match.group(1)) if match else None

    # .vgpr_count is of both kinds of vector registers where they share one file.
    return field("vgpr_count"), field("private_segment_fixed_size")
