"""check-types: element types that the target has not are refused."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute, Operation

from helion_ir.dialects.locations import author_place
from helion_ir.dialects.tile import control
from helion_ir.dialects.types import DTYPE_NAMES, RefType, TileType
from helion_ir.passes.base import Pass, kernels, target_of


@dataclass(frozen=True)
class CheckTypes(Pass):
    """Refuse a kernel that loads, computes or keeps elements of a type that the target has not, at the author's line.

    ```mlir
    %v = tile.load "x" %x[%rows] : !tile.ref<[4096], f8E4M3FN, strides = [1]>… loc("scale.py":9:8)      // on an a100
    // error: a100 has no float8_e4m3fn, which x is of; use another dtype, such as bfloat16
    ```

    The types are the record's (`Target.lacks`). Does not handle: operations that a target lacks on types that it has.
    Runs after dce and forward-memory: what nobody uses may be of any type.
    """

    name = "check-types"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        target = target_of(op)
        if not target.lacks:
            return
        for kernel in kernels(op, control.KernelOp):
            for inner in kernel.walk():
                for value in (*inner.operands, *inner.results):
                    if (dtype := _dtype(value.type)) in target.lacks:
                        raise self._refused(inner, dtype, value.name_hint, target.name)

    def _refused(self, op: Operation, dtype: str, name: str | None, target: str) -> Exception:
        from helion_ir.exc import BackendUnsupported

        what = f", which {name} is of" if name else ""
        message = f"{target} has no {dtype}{what}; use another dtype, such as bfloat16"
        return BackendUnsupported(message, author_place(op.location))


def _dtype(type_: Attribute) -> str:
    return DTYPE_NAMES[type_.element_type] if isinstance(type_, TileType | RefType) else ""
