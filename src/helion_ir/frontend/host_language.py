"""What the functions of helion_ir.language do in host code."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from torch import SymInt

from helion_ir import exc
from helion_ir.autotuner.fields import ALIASES, LIST_FIELDS, SCALAR_FIELDS, of_another_backend
from helion_ir.frontend.values import HostFloat, is_size
from helion_ir.language.fragments import Fragment, ListOf

if TYPE_CHECKING:
    from helion_ir.frontend.host import Host


class HostLanguage:
    """What the functions of helion_ir.language do in host code."""

    def __init__(self, host: Host):
        self.host, self.trace = host, host.trace

    def function(self, name: str) -> Any:
        if name in ("tile", "grid", "static_range", "jagged_tile"):
            raise exc.LoopFunctionNotInFor()
        if name == "barrier":
            raise exc.BarrierOnlyAllowedAtTopLevel()
        if name in ("pdl_wait", "pdl_launch_dependents"):
            raise exc.PdlPlacement()
        if name == "stacktensor_like":
            raise exc.StackTensorcOnHost()
        if not hasattr(HostLanguage, name) or name == "function":
            raise exc.DeviceAPIOnHost(f"hl.{name} works inside a device loop only")
        return getattr(self, name)

    def constexpr(self, value: Any) -> Any:
        return self.specialize(value) if isinstance(value, SymInt) else value

    def specialize(self, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return (
                type(value)(self.specialize(v) for v in value)
                if type(value) in (list, tuple)
                else tuple(map(self.specialize, value))
            )
        if isinstance(value, SymInt):
            if (known := self.trace.arguments.specialize(value)) is None:
                raise exc.SpecializeArgType(f"{value} is fixed by the configuration or by data, not by the call")
            self.host.replace(value, known)
            return known
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise exc.SpecializeArgType(f"hl.specialize takes integers and lists of them, not {type(value).__name__}")

    def cdiv(self, a: Any, b: Any) -> Any:
        return self.trace.sizes.cdiv(a, b)

    def next_power_of_2(self, n: Any) -> Any:
        return self.trace.sizes.next_power_of_2(n)

    def _variable(self, name: str) -> str:
        """The variable that stands for a registered knob in the text of host code."""
        variable = self.host.variables.get(self.host.position)
        if variable is None or variable in self.host.bindings:
            raise exc.StatementNotSupported(
                f"hl.{name} must be called in the kernel itself and once, not in a loop or in a function it calls"
            )
        return variable

    def register_block_size(self, low: Any, high: Any) -> Any:
        least, most = (1, low) if high is None else (low, high)
        if not isinstance(least, int) or least < 1 or least & (least - 1):
            raise exc.InvalidAPIUsage(f"the least block size must be a power of two, not {least}")
        if not is_size(most):
            raise exc.InvalidAPIUsage(f"hl.register_block_size takes integers or sizes, not {type(most).__name__}")
        variable = self._variable("register_block_size")
        known = self.trace.arguments.value_of(most) if isinstance(most, SymInt) else most
        # A symbol even where there is one index only, so that shapes made with it fit its tiles in every call.
        size = self.trace.knobs.block_size(
            self.trace.knobs.label(variable), known, low=least, doc=f"the block size {variable}", symbolic=True
        )
        self.host.bindings[variable] = self.trace.sizes.expr(size)
        return size

    def register_tunable(self, name: Any, fragment: Any) -> Any:
        if not isinstance(name, str):
            raise exc.RegisterTunableArgTypes()
        if not isinstance(fragment, Fragment) and not hasattr(fragment, "domain") or isinstance(fragment, ListOf):
            raise exc.TunableTypeNotSupported()
        parts = [v for value in vars(fragment).values() for v in (value if isinstance(value, tuple) else (value,))]
        if any(isinstance(v, SymInt) for v in parts):
            raise exc.ConfigSpecFragmentWithSymInt()
        if name in LIST_FIELDS or name in SCALAR_FIELDS or name in ALIASES or of_another_backend(name):
            raise exc.TunableNameConflict(f"'{name}' is a field of Config; give the tunable another name")
        domain = fragment.domain().values
        values = [v for v in domain if isinstance(v, int | float) and math.isfinite(v)]
        if len(values) < len(domain):
            raise exc.TunableTypeNotSupported("the values of a tunable must be numbers or bools")
        self.host.bindings[self._variable("register_tunable")] = expr = self.trace.knobs.tunable(name, fragment)
        if any(isinstance(v, float) for v in values):
            # Index expressions are of integers: a float is a variable of the host, an argument of the kernel.
            return HostFloat.of(float(fragment.default()), frozenset([f"@{name}"]), self.trace.arguments.decided)  # pyright: ignore
        return self.trace.sizes.symbol(expr, bounds=(int(min(values)), int(max(values))))
