"""Additions to the descriptors of Hopper's matrix products, spelled so that ptxas gets them right.

A wgmma reads its operands from shared memory through 64-bit descriptors: the address in the low word, the format in the
high one. Where one address serves two products in two formats, Triton adds 64-bit constants to one zero-extended
register, and ptxas of CUDA 12.8, which Triton 3.6 and 3.7 carry, takes the words of some sums from a register that
holds something else (seen in its SASS; with `-O0` it does not). The low word of such a sum never carries, since the
address has 14 bits: it is added in 32 bits here, and the high word is a constant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from helion_ir.targets.faults import is_miscompiled

CONSTRUCT = "wgmma descriptors of one address in two formats"

_ADDRESS = re.compile(r"bfe\.u32 \s*(%r\d+), %r\d+, 4, 14;")
_EXTENDED = re.compile(r"cvt\.u64\.u32 \s*(%rd\d+), (%r\d+);")
_SUM = re.compile(r"(add\.s64|or\.b64) \s*(%rd\d+), (%rd\d+), (-?\d+);")
_NARROW = {"add.s64": "add.u32", "or.b64": "or.b32"}
_LOW = 1 << 14


def shared_addresses(ptx: str) -> dict[str, str]:
    """The 64-bit registers that are addresses of descriptors in two formats, with the 32-bit registers they extend.

    >>> shared_addresses("bfe.u32 %r1, %r9, 4, 14; cvt.u64.u32 %rd1, %r1; or.b64 %rd2, %rd1, 4611686293305294848;")
    {}
    """
    addresses = set(_ADDRESS.findall(ptx))
    extended = {wide: narrow for wide, narrow in _EXTENDED.findall(ptx) if narrow in addresses}
    formats: dict[str, set[int]] = {}
    for _, _, register, constant in _SUM.findall(ptx):
        high = _words(constant)[1]
        if register in extended and high:
            formats.setdefault(register, set()).add(high)
    return {register: extended[register] for register, found in formats.items() if len(found) > 1}


def split_sums(ptx: str) -> str:
    """The PTX with the sums of `shared_addresses` in two words; other PTX is returned as it is."""
    shared = shared_addresses(ptx)
    if not shared:
        return ptx

    def in_words(match: re.Match[str]) -> str:
        operation, result, register, constant = match.groups()
        low, high = _words(constant)
        if register not in shared or not high or low >= _LOW:
            return match[0]
        narrow = f"{_NARROW[operation]} low, {shared[register]}, {low};"
        return f"{{ .reg .b32 low; {narrow} mov.b64 {result}, {{low, {high}}}; }}"

    return _SUM.sub(in_words, ptx)


def install() -> None:
    """Have Triton split the sums before it calls ptxas; done once a process, beside hooks that are there."""
    from triton import knobs

    there = knobs.runtime.add_stages_inspection_hook
    if not isinstance(there, _Hook):
        knobs.runtime.add_stages_inspection_hook = _Hook(there)  # pyright: ignore[reportAttributeAccessIssue]


class _Hook:
    """Triton's hook for stages. Without arguments it is asked what its being there adds to the keys of caches."""

    def __init__(self, there: Callable[..., Any] | None):
        self._there = there

    def __call__(self, *args: Any) -> tuple[str, str] | None:
        answer = self._there(*args) if self._there is not None else ("", "")
        if not args:
            return answer[0] + CONSTRUCT, answer[1] + CONSTRUCT
        stages, capability = args[1], args[4]
        if "cubin" in stages and is_miscompiled(CONSTRUCT, capability):
            stages["cubin"] = _before(stages["cubin"])
        return None


def _before(assemble: Callable[[str, Mapping[str, Any]], Any]) -> Callable[[str, Mapping[str, Any]], Any]:
    return lambda ptx, metadata: assemble(split_sums(ptx), metadata)


def _words(constant: str) -> tuple[int, int]:
    bits = int(constant) & (1 << 64) - 1
    return bits & (1 << 32) - 1, bits >> 32
