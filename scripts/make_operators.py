"""Write docs/operators.md: what becomes of every pointwise, reduction, scan and view overload of torch.ops.aten on tiles.

`python -m scripts.make_operators` calls each overload on tiles with arguments made from its schema, interprets the IR it
becomes, and compares with eager PyTorch. It ends with 1 if any result is wrong.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tests.frontend.oracle import Captured, tiles_of

from helion_ir.frontend.decompositions import OWN
from helion_ir.frontend.primitives import EMITTERS
from helion_ir.frontend.tile_tensor import TileTensor

PAGE = Path(__file__).resolve().parents[1] / "docs" / "operators.md"
aten = torch.ops.aten

REDUCTIONS = """all amax amin aminmax any argmax argmin count_nonzero logsumexp max mean median min mode nanmean nanmedian
 nansum norm prod std std_mean sum var var_mean linalg_vector_norm special_logsumexp kthvalue quantile nanquantile
 softmax _softmax log_softmax _log_softmax special_softmax special_log_softmax trace dist""".split()
SCANS = "cumsum cumprod cummax cummin logcumsumexp cumulative_trapezoid sort argsort msort topk diff".split()
VIEWS = """alias as_strided broadcast_to chunk column_stack concat concatenate cat detach diagonal dsplit dstack expand expand_as
 flatten flip fliplr flipud gather hsplit hstack index_select matrix_H mH mT movedim moveaxis narrow narrow_copy permute
 ravel repeat repeat_interleave reshape reshape_as roll rot90 row_stack select slice split split_with_sizes squeeze stack
 swapaxes swapdims t take_along_dim tensor_split tile transpose tril triu unbind unflatten unfold unsqueeze vsplit vstack
 view view_as numpy_T adjoint diag diag_embed pixel_shuffle constant_pad_nd pad glu contiguous clone""".split()
POINTWISE = """where clamp clip masked_fill lerp addcmul addcdiv dropout bucketize searchsorted isin heaviside one_hot
 gelu silu mish hardtanh relu6 elu selu celu softplus softshrink hardshrink threshold leaky_relu rrelu log_sigmoid""".split()
"""Beside those that PyTorch tags as pointwise."""
REFUSING = (
    "Unsupported",
    "NotAllowed",
    "Depend",
    "InferenceError",
    "Mismatch",
    "Specializing",
    "TracingError",
    "Usage",
    "Dim",
)


@dataclass(frozen=True)
class Row:
    """One overload and what became of it."""

    kind: str
    name: str
    state: str
    reason: str = ""


def overloads() -> Iterator[tuple[str, Any]]:
    """(kind, overload) of every functional overload of the four kinds, in the order of their names."""
    for name in sorted(dir(aten)):
        packet = getattr(aten, name)
        if (
            not hasattr(packet, "overloads")
            or "backward" in name
            or name.endswith("_copy")
            or name.startswith("_sparse")
        ):
            continue
        for overload in packet.overloads():
            op = getattr(packet, overload)
            if op._schema.is_mutable or "out" in overload or "dimname" in overload or "names" in overload:
                continue
            if not any(_is_tensor(a.type) for a in op._schema.arguments):
                continue
            kind = (
                "reduction" if name in REDUCTIONS else "scan" if name in SCANS else "view" if name in VIEWS
                else "pointwise" if name in POINTWISE or torch.Tag.pointwise in op.tags else ""
            )  # fmt: skip
            if kind:
                yield kind, op


def _is_tensor(type_: Any) -> bool:
    return str(type_) in ("Tensor", "Optional[Tensor]", "List[Tensor]", "List[Optional[Tensor]]")


SPECIAL: dict[str, dict[str, Any]] = {
    "size": {"": [8, 16]}, "shape": {"": [8, 16]}, "repeats": {"": 2, "repeat": [1, 2]}, "dims": {"permute": [1, 0], "tile": [1, 2]},
    "split_size": {"": 8, "split": [8, 8]}, "split_sizes": {"": [8, 8]}, "sections": {"": 2}, "chunks": {"": 2}, "k": {"topk": 4, "kthvalue": 3},
    "start": {"narrow": 2}, "length": {"": 4}, "index": {"select": 3}, "num_classes": {"": 8}, "pad": {"": [0, 1]},
    "dim": {"": 1}, "dim0": {"": 0}, "dim1": {"": 1}, "source": {"": 0}, "destination": {"": 1}, "axis0": {"": 0}, "axis1": {"": 1},
    "sizes": {"unflatten": [2, 8]}, "dtype": {"": torch.float32}, "upscale_factor": {"": 2}, "q": {"": 0.5},
    "stride": {"as_strided": [16, 1]}, "shifts": {"": [1]}, "indices": {"tensor_split": [4, 8], "": [4, 8]}, "p": {"dist": 2},
    "rounding_mode": {"": "floor"}, "stable": {"": True}, "decimals": {"": 1}, "repeat": {"": [1, 2]}, "dimension": {"": 1},
    "lambd": {"": 0.5}, "threshold": {"": 0.3}, "value": {"": 0.25}, "weight": {"": 0.25},
}  # fmt: skip
"""Arguments by name, where the operator's own name may ask for another."""


def arguments(op: Any, tensors: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Positional and keyword arguments that the schema asks for; defaults stay."""
    args: list[Any] = []
    keywords: dict[str, Any] = {}
    for a in op._schema.arguments:
        if a.kwarg_only and a.has_default_value() and a.name not in ("rounding_mode", "stable", "decimals"):
            continue
        value = argument(op, a, tensors, first=not args)
        if a.kwarg_only:
            keywords[a.name] = value
        else:
            args.append(value)
    return args, keywords


def argument(op: Any, a: Any, tensors: dict[str, Any], first: bool) -> Any:
    """One argument."""
    name, type_ = op._schema.name.split("::")[1], str(a.type)
    if type_ in ("Tensor", "Optional[Tensor]"):
        if a.has_default_value() and a.default_value is None and a.name not in ("min", "max"):
            return None
        return tensors[_OPERANDS.get((name, a.name)) or _OPERANDS.get(("", a.name)) or ("self" if first else "other")]
    if type_ in ("List[Tensor]", "List[Optional[Tensor]]"):
        return [tensors["self"], tensors["other"]]
    special = SPECIAL.get(a.name, {})
    wanted = a.name in ("dim", "rounding_mode", "stable", "decimals", "min", "max")
    if name not in special and a.has_default_value() and not wanted:
        return a.default_value
    if (value := special.get(name, special.get(""))) is not None:
        return [value] if "List[int]" in type_ and isinstance(value, int) else value
    if "number" in type_ or type_ == "float":
        return 2 if tensors["self"].dtype == torch.int32 else 0.5
    if "int" in type_:
        return [1] if "List" in type_ else 1
    if "bool" in type_:
        return False
    raise NotImplementedError(f"an argument of type {type_}")


_OPERANDS = {
    ("", "index"): "index", ("", "condition"): "condition", ("", "mask"): "condition", ("index_select", "index"): "places",
    ("bucketize", "boundaries"): "ordered", ("searchsorted", "sorted_sequence"): "ordered", ("searchsorted", "self"): "self",
    ("masked_fill", "value"): "one", ("one_hot", "self"): "index", ("repeat_interleave", "repeats"): "places",
    ("take_along_dim", "indices"): "index",
}  # fmt: skip
"""Which operand a tensor argument is, where it is not the first or the second."""


def kinds() -> Iterator[dict[str, torch.Tensor]]:
    """Operands: floats, integers, bools."""
    torch.manual_seed(0)
    index, condition = torch.randint(0, 8, (8, 16)), torch.rand(8, 16) > 0.5
    floats = {"self": torch.rand(8, 16) * 0.8 + 0.1, "other": torch.rand(8, 16) + 0.2}
    ints = {
        "self": torch.randint(1, 9, (8, 16), dtype=torch.int32),
        "other": torch.randint(1, 4, (8, 16), dtype=torch.int32),
    }
    for operands in (floats, ints, {k: v > 4 for k, v in ints.items()}):
        ordered = torch.linspace(0, 1, 7).to(operands["self"].dtype)
        one = operands["self"][0, 0].clone()
        yield {
            **operands, "index": index, "condition": condition, "ordered": ordered, "one": one, "places": torch.arange(0, 8, 2),
        }  # fmt: skip


def tried(op: Any) -> tuple[str, str]:
    """(state, reason) of an overload."""
    reason = "no arguments to try: PyTorch itself refuses those made from the schema"
    for real in kinds():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                args, keywords = arguments(op, real)
                expected = tiles_of(op(*args, **keywords))
        except (RuntimeError, IndexError, TypeError, ValueError):
            continue
        captured = Captured()
        tiles = dict(zip(real, captured.inputs(*[(tuple(v.shape), v.dtype) for v in real.values()])))
        try:
            with captured.capture:
                args, keywords = arguments(op, tiles)
                out = tiles_of(op(*args, **keywords))
        except Exception as error:
            if type(error).__module__ == "helion_ir.exc" or isinstance(error, NotImplementedError | RuntimeError):
                return "rejected", (getattr(error, "message", "") or str(error)).split("\n")[0]
            raise
        if not all(isinstance(t, TileTensor) for t in out) or len(out) != len(expected):
            return "wrong", f"gives {[type(t).__name__ for t in out]}"
        got = captured.run(out, list(real.values()))
        for tile, value, wanted in zip(out, got, expected):
            if tile.dtype != wanted.dtype or tuple(value.shape) != tuple(wanted.shape):
                return "wrong", f"{tile.dtype} {list(value.shape)}, not {wanted.dtype} {list(wanted.shape)}"
            if not torch.allclose(value.double(), wanted.double(), rtol=2e-5, atol=2e-5, equal_nan=True):
                return "wrong", "other values than eager PyTorch"
        return ("works" if op in EMITTERS else "decomposes"), ("ours" if op in OWN else "")
    return "not tried", reason


def rows() -> list[Row]:
    """Every overload."""
    return [Row(kind, str(op).removeprefix("aten."), *tried(op)) for kind, op in overloads()]


def page(found: list[Row]) -> str:
    """The text of docs/operators.md."""
    parts = [
        "# PyTorch's operators on tiles",
        "Made by `python -m scripts.make_operators`, which calls every overload on tiles and compares with eager PyTorch:\n"
        "an overload *works* where one emitter makes its ops, *decomposes* into others that do, or is *rejected* with the reason\n"
        "given. Random functions and those whose shape depends on data are not in the list.",
    ]
    for kind in ("pointwise", "reduction", "scan", "view"):
        of_kind = [r for r in found if r.kind == kind]
        counts = Counter(r.state for r in of_kind)
        lines = [f"{', '.join(f'{n} {s}' for s, n in sorted(counts.items()))}.", ""]
        for state in ("works", "decomposes"):
            names = [f"`{r.name}`" for r in of_kind if r.state == state]
            lines += [f"**{state}:** {', '.join(names)}", ""]
        lines += ["| overload | state | reason |", "|---|---|---|"]
        lines += [
            f"| `{r.name}` | {r.state} | {r.reason.replace('|', chr(92) + '|')} |"
            for r in of_kind if r.state not in ("works", "decomposes")
        ]  # fmt: skip
        parts += [f"## {kind}", "\n".join(lines).rstrip()]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    found = rows()
    PAGE.write_text(page(found))
    print(dict(Counter(r.state for r in found)))
    wrong = [r for r in found if r.state == "wrong"]
    for r in wrong:
        print(f"{r.name}: {r.reason}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
