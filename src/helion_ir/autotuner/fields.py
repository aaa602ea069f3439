"""The positional fields of `Config`: what each list holds, how it may be abbreviated, what is repaired."""

from __future__ import annotations

from dataclasses import dataclass
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
    neutral: tuple[Any, ...] = ()
    """Entries that ask for nothing, and may thus stand where there is no knob."""
    hint: bool = False
    """Whether entries past the last knob are dropped whatever they say: hints that a target or kernel may not have.
    Of loads and stores configs written for Helion count the copies that a rolled reduction makes, which share one
    knob here."""
    clamp: bool = False
    """Whether a power of two outside the domain becomes the nearest value in it."""
    foreign: tuple[Any, ...] = ()
    """Legal words that this kernel or target may not offer; they then become the first of `neutral`."""
    spelling: tuple[tuple[Any, Any], ...] = ()
    """(entry of the list, value of the knob) where they differ."""
    opposite: str = ""
    """Knobs whose name ends so mean the opposite of the entry."""


@dataclass(frozen=True)
class ScalarField:
    """A field with one value; its knob, where the kernel has it, is called the same."""

    name: str
    default: Any = None
    strict: bool = False
    """Whether giving it where the kernel does not use it is an error rather than ignored."""
    clamp: bool = False
    """Whether a number that the domain does not have becomes the next smaller in it, or else the least."""
    spelling: tuple[tuple[Any, Any], ...] = ()
    """(value in a Config, value of the knob) where they differ."""
    instead: tuple[tuple[Any, Any], ...] = ()
    """(value, the value that means the same) where the rest of a Config leaves the former no use of its own."""


LIST_FIELDS: dict[str, ListField] = {
    f.name: f
    for f in (
        ListField("block_sizes", "block_size", clamp=True),
        ListField("loop_orders", "loop_order", neutral=([0, 1], [0, 1, 2], [0, 1, 2, 3])),
        ListField("flatten_loops", "flatten_loop", hint=True),
        ListField("l2_groupings", "l2_grouping", neutral=(1,), clamp=True),
        ListField("reduction_loops", "reduction_loop", replicate_alias=True, neutral=(None,), clamp=True),
        ListField(
            "range_unroll_factors",
            "range_unroll_factor",
            neutral=(0, 1),
            spelling=((0, None), (1, None)),
        ),
        ListField("range_num_stages", "range_num_stage", neutral=(0,), spelling=((0, None),)),
        ListField(
            "range_multi_buffers",
            "range_multi_buffer",
            hint=True,
            opposite="disallow_acc_multi_buffer",
        ),
        ListField("range_flattens", "range_flatten", hint=True),
        ListField("range_warp_specializes", "range_warp_specialize", hint=True),
        ListField("static_ranges", "static_range", hint=True),
        ListField(
            "load_eviction_policies",
            scalar_for_all=True,
            hint=True,
            neutral=("",),
            foreign=("", "first", "last", "evict_first", "evict_last"),
            spelling=(("first", "evict_first"), ("last", "evict_last")),
        ),
        ListField(
            "load_cache_modifiers", scalar_for_all=True, hint=True, neutral=("",), foreign=("", ".ca", ".cg", ".cv")
        ),
        ListField(
            "store_cache_modifiers",
            scalar_for_all=True,
            hint=True,
            neutral=("",),
            foreign=("", ".wb", ".cg", ".cs", ".wt"),
        ),
        ListField(
            "indexing",
            scalar_for_all=True,
            hint=True,
            neutral=("pointer",),
            foreign=("pointer", "block_ptr", "tensor_descriptor"),
        ),
        ListField(
            "atomic_indexing",
            scalar_for_all=True,
            hint=True,
            neutral=("pointer",),
            foreign=("pointer", "tensor_descriptor"),
        ),
    )
}

SCALAR_FIELDS: dict[str, ScalarField] = {
    f.name: f
    for f in (
        ScalarField("num_warps", 4),
        ScalarField("num_stages", 1, clamp=True),
        ScalarField("pid_type", "flat", strict=True, instead=(("xyz", "flat"),)),  # of a flattened loop, one axis
        ScalarField("num_sm_multiplier", 1, strict=True, clamp=True),
        ScalarField("num_ctas", 1),
        ScalarField("maxnreg", clamp=True),
        ScalarField("waves_per_eu", 0, strict=True),
        ScalarField("matrix_instr_nonkdim", 0, strict=True),
        ScalarField("kpack", 1),
        ScalarField("xcd_remap", False),
        ScalarField("epilogue_subtile", spelling=((True, 2), (False, None), (0, None))),
        ScalarField("reduction_fusion", False),
        ScalarField("host_tensor_descriptors", False),
        ScalarField("cross_loop_pipeline", "barrier", strict=True),
        ScalarField("advanced_controls_file"),
    )
}

ALIASES: dict[str, ListField] = {f.alias: f for f in LIST_FIELDS.values() if f.alias is not None}

OTHER_BACKENDS: frozenset[str] = frozenset({"occupancy", "num_threads"})
OTHER_BACKEND_PREFIXES: tuple[str, ...] = ("pallas_", "tcgen05_", "cute_")


def of_another_backend(key: str) -> bool:
    """Whether a key is known, but means nothing to Triton.

    >>> of_another_backend("occupancy"), of_another_backend("num_warps")
    (True, False)
    """
    return key in OTHER_BACKENDS or key.startswith(OTHER_BACKEND_PREFIXES)
