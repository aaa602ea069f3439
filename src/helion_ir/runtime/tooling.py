"""What tools ask a bound kernel about itself: what it is compiled for, and the function it is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from helion_ir.autotuner.config_spec import ConfigSpec
    from helion_ir.runtime.settings import Settings
    from helion_ir.targets import Target


@dataclass(frozen=True)
class Environment:
    """What a kernel is compiled for."""

    device: torch.device
    target: Target
    settings: Settings
    config_spec: ConfigSpec
    backend_name: str
    specialized: tuple[str, ...]
    """Expressions over the parameters whose values the trace depends on, beyond the specialization key."""


@dataclass(frozen=True)
class HostFunction:
    """The function that an author has written."""

    name: str
    fn: Callable[..., Any]
    source: str
    parameters: tuple[str, ...]
