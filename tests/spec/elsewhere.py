"""Items of the specification that tests outside of this folder show, and those that do not work, with the reason."""

from __future__ import annotations

COVERED: dict[str, list[tuple[str, str]]] = {
    "1 Kernel objects and call API": [
        ("decorator: bare, called, functional; config, configs, key, settings", "runtime/test_definition.py"),
        ("what a function must be to become a kernel", "runtime/test_definition.py"),
        ("calls: defaults, keywords, wrong counts; normalize_args", "runtime/test_arguments.py"),
        ("bind, to_triton_code, compile_config, set_config, get_cached_path, format_kernel_decorator", "runtime/test_bound_kernel.py"),
        ("which config a call takes", "runtime/test_bound_kernel.py"),
        ("specialization key: tensors, scalars, constexpr, containers, functions, aliases", "runtime/test_specialization.py"),
        ("static_shapes=False: one kernel for all sizes, guards, alignment, 64-bit offsets", "dynamic/test_one_kernel.py"),
        ("guards: equal sizes, sizes of 1, hl.specialize, values that host code decides on", "dynamic/test_guards.py"),
        ("index_dtype; tensors of more than 2**31 elements", "dynamic/test_wide.py"),
        ("results carry no autograd history", "runtime/test_bound_kernel.py"),
        ("1.3 autotune_multi", "runtime/test_autotune_multi.py"),
        ("1.7 the reference mode", "spec/test_s1_7_reference_mode.py"),
        ("1.8 inside of torch.compile: one operation", "runtime/test_torch_compile.py"),
        ("1.1 helion.aot_kernel, 7.6 collect, measure, build, evaluate, compile", "runtime/test_ahead_of_time.py"),
        ("1.4 env, host_function, bench_compile_config, backend_cache_key, is_cacheable, maybe_log_repro", "runtime/test_bound_kernel.py"),
        ("1.1 helion.from_cache; 7.1 and 7.5 searches, caches and autotune by name", "autotuner/test_author_searches.py"),
        ("1.9 helion.experimental.backward: elementwise, reductions along axes, weights of rows", "runtime/test_backward.py"),
    ],
    "2.4 Several device loops": [
        ("several roots, barriers, grids of every kind", "grid/test_launches.py"),
        ("every stage of several roots and phases", "grid/test_stages.py"),
        ("hl.pdl_wait and hl.pdl_launch_dependents: programmatic launches on sm_90 and later", "grid/test_launches.py"),
    ],
    "3.7 and 3.9 Families": [
        ("every pointwise, reduction, scan, view and product family of PyTorch, on partial tiles and padded axes", "coverage/test_operators.py"),
        ("random expressions over tiles", "coverage/test_random_programs.py"),
        ("special numbers: zeros with signs, infinities, NaN, the ends of integers", "coverage/test_operators.py"),
    ],
    "3.2.4 and 3.13 to 3.18": [
        ("hl.jagged_tile: nested, several parents, reductions, scans, stores", "language/test_jagged.py"),
        ("random streams: implicit seeds, normal numbers, independence of blocks", "language/test_random.py"),
        ("atomics: memory orders, results, gathers, cas with masks", "language/test_atomics.py"),
        ("hl.dot_scaled in every format", "language/test_dot_scaled.py"),
        ("products of fp8, int8, packed int4", "language/test_narrow_products.py"),
        ("hl.inline_triton, hl.triton_kernel, hl.inline_asm_elementwise, print, breakpoint", "language/test_inline.py"),
        ("hl.stacktensor_like", "language/test_stack.py"),
    ],
    "4 Config": [
        ("Config: mapping, equality, repr, JSON, save and load, minimize", "runtime/test_config.py"),
        ("normalization: aliases, lengths, legal values, what is repaired", "runtime/test_encoding.py"),
        ("what of the space is legal", "runtime/test_space.py"),
    ],
    "5 Settings": [
        ("environment variables, defaults, validation", "runtime/test_settings.py"),
        ("settings of the language and of generated code", "spec/test_s5_settings.py"),
    ],
    "6 Exceptions": [
        ("every class raised, its whole text and its place", "spec/test_s6_exceptions.py"),
    ],
}  # fmt: skip
"""Section → (item, test file below tests/)."""

MISSING: list[tuple[str, str]] = [
    (
        "7.1 LLMGuidedSearch, LLMSeededSearch, LLMSeededLFBOTreeSearch",
        "InvalidAPIUsage, which names the searches that there are: no language model is asked",
    ),
    ("1.8 torch_compile_fusion", "a kernel is called as it is; nothing is fused into its loads and stores (the setting warns)"),
    ("2.3 host decisions on data: if t.item() > 0", "ShapeSpecializingCall: decide in the device loop, where t.item() is a scalar"),
    ("3.8 a view that merges a tile's dimension with one of no power of two: v.flatten() of [t, 6]", "BackendUnsupported at its line: keep them apart, as in v.sum((0, 1)); Triton's tiles are powers of two"),
    ("3.8 a view that counts on a block's size as a number: x[t].reshape(2, 2) with block_size=4", "ShapeMismatch: write reshape(t.block_size // 2, 2)"),
    ("3.8 and 3.10 flip and torch.roll along a tile whose last block is not full; median and kthvalue along a tile", "refused by name (UnsupportedIndexRemapping, BackendUnsupported; InvalidConfig for a flip in such a configuration): load a whole axis"),
    ("3.10 hl.associative_scan of a tile that was reshaped, sliced or concatenated along a partial block", "BackendUnsupported: scan before, or use hl.cumsum and the like, which have a neutral element"),
    ("3.15 a tunable given a value that its fragment has not", "InvalidConfig, which says what it may be: shapes and branches were folded for the fragment's values"),
    ("5.1 distributed", "out of scope; the setting warns"),
]  # fmt: skip
"""(item, what happens)."""
