"""Every example by name, its file imported only when it is asked for."""

import importlib

from examples.harness import Example

FAMILIES: dict[str, dict[str, str]] = {
    "Elementwise": {
        "vector_add": "vector_add",
        "exp": "exp",
        "concatenate": "concatenate",
        "low_mem_dropout": "low_mem_dropout",
        "swiglu": "swiglu",
        "swiglu_backward": "swiglu_backward",
        "geglu": "geglu",
        "geglu_backward": "geglu_backward",
        "rope": "rope",
        "squeeze_and_excitation": "squeeze_and_excitation",
    },
    "Reductions and normalization": {
        "row_sum": "sum",
        "long_sum": "long_sum",
        "long_sum_split": "long_sum",
        "softmax": "softmax",
        "softmax_two_reductions": "softmax",
        "softmax_online": "softmax",
        "batch_softmax": "batch_softmax",
        "batch_softmax_backward": "batch_softmax",
        "layer_norm": "layer_norm",
        "layer_norm_backward": "layer_norm_backward",
        "welford": "welford",
        "rms_norm": "rms_norm",
        "rms_norm_backward": "rms_norm_backward",
    },
    "Losses": {
        "cross_entropy": "cross_entropy",
        "kl_div": "kl_div",
        "jsd": "jsd",
        "fused_linear_jsd": "fused_linear_jsd",
        "grpo_loss": "grpo_loss",
        "grpo_loss_backward": "grpo_loss",
    },
    "Gathers and segments": {
        "embedding": "embedding",
        "embedding_backward": "embedding_backward",
        "gather_gemv": "gather_gemv",
        "segment_reduction": "segment_reduction",
    },
    "Matrix products": {
        "matmul": "matmul",
        "matmul_bias_gelu": "matmul_bias_gelu",
        "bmm": "bmm",
        "matmul_split_k": "matmul_split_k",
        "split_k_barrier": "split_k_barrier",
        "matmul_broadcast": "matmul_broadcast",
        "matmul_layer_norm": "matmul_layer_norm",
        "gemm_fp8": "gemm_fp8",
        "gemm_int4": "gemm_int4",
        "gemm_int16": "gemm_int16",
        "grouped_gemm": "grouped_gemm",
        "moe_matmul": "moe_matmul",
    },
    "Attention": {
        "attention": "attention",
        "attention_causal": "attention_causal",
        "attention_backward_queries": "attention_backward",
        "attention_backward_keys": "attention_backward",
        "attention_gqa": "attention_gqa",
        "attention_biased": "attention_biased",
        "attention_flex": "attention_flex",
        "attention_jagged": "attention_jagged",
        "attention_fp8": "attention_fp8",
    },
    "Sequences of different lengths": {
        "jagged_mean": "jagged_mean",
        "jagged_mean_tiled": "jagged_mean",
        "jagged_sum": "jagged_sum",
        "jagged_softmax": "jagged_softmax",
        "jagged_layer_norm": "jagged_layer_norm",
        "jagged_dense_add": "jagged_dense_add",
        "jagged_dense_bmm": "jagged_dense_bmm",
    },
    "Recurrent layers": {
        "linear_attention": "linear_attention",
        "mamba2_chunk_state": "mamba2_chunk_state",
        "mamba2_chunk_scan": "mamba2_chunk_scan",
        "gdn_fwd_h": "gdn_fwd_h",
    },
}
"""The examples of each family, simplest first: name → the file under `examples/` that holds it."""

FILES: dict[str, str] = {name: file for family in FAMILIES.values() for name, file in family.items()}
"""The file of each example."""

CORE = (
    "vector_add",
    "exp",
    "swiglu",
    "geglu",
    "row_sum",
    "softmax",
    "softmax_two_reductions",
    "softmax_online",
    "layer_norm",
    "rms_norm",
    "cross_entropy",
    "embedding",
    "matmul",
    "matmul_bias_gelu",
    "bmm",
    "matmul_split_k",
    "attention",
    "jagged_mean",
    "jagged_mean_tiled",
)
"""One or two of each kind of kernel: these go through every stage of the compiler in the tests, the others once."""


def names() -> list[str]:
    """The names of all examples."""
    return list(FILES)


def load(name: str) -> Example:
    """The example called `name`.

    Raises:
        KeyError: no example has that name.
    """
    if name not in FILES:
        raise KeyError(f"no example is called {name!r}; there are {', '.join(FILES)}")
    module = importlib.import_module(f"examples.{FILES[name]}")
    return next(example for example in module.EXAMPLES if example.name == name)


def load_all() -> list[Example]:
    """All examples."""
    return [load(name) for name in FILES]
