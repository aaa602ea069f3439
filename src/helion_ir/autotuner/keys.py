"""Under what key a kernel's tuning results are kept."""

from __future__ import annotations

import hashlib
import importlib.metadata
from typing import TYPE_CHECKING

from helion_ir.autotuner.protocol import StoreKey

if TYPE_CHECKING:
    from helion_ir.autotuner.protocol import TunableKernel, TunableSpace


def store_key(bound: TunableKernel) -> StoreKey:
    """The key of a bound kernel: its source, specialization, target, the compilers' versions, and its knobs."""
    return StoreKey(
        kernel=_digest(bound.kernel.kernel_source()),
        specialization=bound.cache_key(),
        target=str(getattr(bound.target, "name", bound.target)),
        version=" ".join(f"{name} {_version(name)}" for name in ("helion-ir", "triton", "torch")),
        space=space_fingerprint(bound.config_space),
    )


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
