"""The positional fields of `Config`: what each list holds, how it may be abbreviated, what is repaired."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ListField:
    """A list with one entry a knob, in the order of the knobs' declarations."""

    name: str
    alias: str | None = None
    """The singular spelling: one entry instead of a list."""
    replicate_alias: bool = False
    """Whether the singular stands for every entry, not for a list of one."""
    scalar_for_all: bool = False
    """Whether a bare string stands for every entry."""
    surplus_ignored: bool = False
    """Whether entries past the last knob are dropped. True of lists with one entry a load or store: configs
    written for Helion count the copies that a rolled reduction makes, which share one knob here."""
    clamp: bool = False
    """Whether a power of two outside the domain becomes the nearest value in it."""
    fallback: Any = None
    """With `foreign`: what a value of other hardware becomes."""
    foreign: tuple[Any, ...] = ()
    """Legal words that this kernel or target may not offer."""
    words: Mapping[str, str] = field(default_factory=dict)
    """From a word of `Config` to the knob's, where they differ."""


@dataclass(frozen=True)
class ScalarField:
    """A field with one value; its knob, where the kernel has it, is called the same."""

    name: str
    default: Any = None
    strict: bool = False
    """Whether giving it where the kernel does not use it is an error rather than ignored."""


LIST_FIELDS: dict[str, ListField] = {
    f.name: f
    for f in (
        ListField("block_sizes", alias="block_size", clamp=True),
        ListField("loop_orders", alias="loop_order"),
        ListField("flatten_loops", alias="flatten_loop"),
        ListField("l2_groupings", alias="l2_grouping", clamp=True),
        ListField("reduction_loops", alias="reduction_loop", replicate_alias=True, clamp=True),
        ListField("range_unroll_factors", alias="range_unroll_factor"),
        ListField("range_num_stages", alias="range_num_stage"),
        ListField("range_multi_buffers", alias="range_multi_buffer"),
        ListField("range_flattens", alias="range_flatten"),
        ListField("range_warp_specializes", alias="range_warp_specialize", surplus_ignored=True),
        ListField("static_ranges", alias="static_range"),
        ListField(
            "load_eviction_policies",
            scalar_for_all=True,
            surplus_ignored=True,
            fallback="",
            foreign=("", "first", "last", "evict_first", "evict_last"),
            words={"first": "evict_first", "last": "evict_last"},
        ),
        ListField(
            "load_cache_modifiers",
            scalar_for_all=True,
            surplus_ignored=True,
            fallback="",
            foreign=("", ".ca", ".cg", ".cv"),
        ),
        ListField(
            "store_cache_modifiers",
            scalar_for_all=True,
            surplus_ignored=True,
            fallback="",
            foreign=("", ".wb", ".cg", ".cs", ".wt"),
        ),
        ListField(
            "indexing",
            scalar_for_all=True,
            surplus_ignored=True,
            fallback="pointer",
            foreign=("pointer", "block_ptr", "tensor_descriptor"),
        ),
        ListField(
            "atomic_indexing",
            scalar_for_all=True,
            surplus_ignored=True,
            fallback="pointer",
            foreign=("pointer", "tensor_descriptor"),
        ),
    )
}

SCALAR_FIELDS: dict[str, ScalarField] = {
    f.name: f
    for f in (
        ScalarField("num_warps", 4),
        ScalarField("num_stages", 1),
        ScalarField("pid_type", "flat", strict=True),
        ScalarField("num_sm_multiplier", 1, strict=True),
        ScalarField("maxnreg"),
        ScalarField("waves_per_eu", 0, strict=True),
        ScalarField("matrix_instr_nonkdim", 0, strict=True),
        ScalarField("xcd_remap", False),
        ScalarField("epilogue_subtile"),
        ScalarField("reduction_fusion", False),
        ScalarField("host_tensor_descriptors", False),
        ScalarField("cross_loop_pipeline", "barrier", strict=True),
        ScalarField("advanced_controls_file"),
    )
}

ALIASES: dict[str, ListField] = {f.alias: f for f in LIST_FIELDS.values() if f.alias is not None}

OTHER_BACKENDS: frozenset[str] = frozenset({"num_ctas", "occupancy", "num_threads"})
OTHER_BACKEND_PREFIXES: tuple[str, ...] = ("pallas_", "tcgen05_", "cute_")


def of_another_backend(key: str) -> bool:
    """Whether a key is known, but means nothing to Triton.

    >>> of_another_backend("num_ctas"), of_another_backend("num_warps")
    (True, False)
    """
    return key in OTHER_BACKENDS or key.startswith(OTHER_BACKEND_PREFIXES)
