"""Under what key a kernel's tuning results are kept."""

from __future__ import annotations

import hashlib
import importlib.metadata
from typing import TYPE_CHECKING

from helion_ir.autotuner.protocol import StoreKey

if TYPE_CHECKING:
    from helion_ir.autotuner.protocol import TunableKernel, TunableSpace


def store_key(bound: TunableKernel) -> StoreKey:
    """The key of a bound kernel: its IR, specialization, target, the compilers' versions, and its knobs."""
    canonical_text = getattr(bound, "canonical_text", None)
    program = canonical_text() if canonical_text is not None else bound.kernel.kernel_source()
    return StoreKey(
        kernel=bound.kernel.name,
        program=_digest(program),
        specialization=bound.cache_key(),
        target=str(getattr(bound.target, "name", bound.target)),
        version=" ".join(f"{name} {_version(name)}" for name in ("helion-ir", "triton", "torch")),
        space=space_fingerprint(bound.config_space),
    )


def difference(key: StoreKey, stored: StoreKey) -> list[str]:
    """In what two keys of one kernel differ, in words; equal keys give an empty list.

    >>> a = StoreKey("k", "p", "f32[8]", "h200", "helion-ir 1 triton 3.6 torch 2", "s")
    >>> difference(a, StoreKey("k", "p", "f32[8]", "h200", "helion-ir 1 triton 3.7 torch 2", "s"))
    ['triton version (3.7 stored, 3.6 now)']
    """
    out: list[str] = []
    if key.target != stored.target:
        out.append(f"target ({stored.target} stored, {key.target} now)")
    old, new = stored.version.split(), key.version.split()
    versions = dict(zip(old[::2], old[1::2]))
    for name, now in zip(new[::2], new[1::2]):
        if versions.get(name) != now:
            out.append(f"{name} version ({versions.get(name, 'none')} stored, {now} now)")
    if key.specialization != stored.specialization:
        out.append("shapes, strides or types of the arguments")
    elif key.program != stored.program:
        out.append("the kernel's program")
    if key.space != stored.space and not out:
        out.append("what can be configured")
    return out


def space_fingerprint(space: TunableSpace) -> str:
    """A digest of the knobs' names, domains and defaults, and of what rules combinations out.

    A new value or another default makes old results stale: the search would have seen other configurations.
    """
    knobs = [f"{k.name}: {k.domain} = {k.default!r}" for k in space]
    rules = [str(r.reason) for r in getattr(space, "requires", ())]
    return _digest("\n".join([*knobs, *rules]))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "source"
