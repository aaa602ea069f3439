"""The patterns of canonicalize by the class of op they apply to; one file a family."""

from xdsl.ir import Operation

from helion_ir.passes.canonicalization import arithmetic, control, indices, views
from helion_ir.passes.canonicalization.pattern import Canonicalization

PATTERNS: dict[type[Operation], list[Canonicalization]] = {}
for _family in (views, arithmetic, indices, control):
    for _pattern in _family.PATTERNS:
        for _op in _pattern.ops:
            PATTERNS.setdefault(_op, []).append(_pattern)
