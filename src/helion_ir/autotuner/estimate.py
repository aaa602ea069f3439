"""How long a configuration should take, from the IR's numbers and the device's record alone: a roofline with waves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from helion_ir.targets import Target

LAUNCH_MILLISECONDS = 2e-3
# Caches serve what several programs read this many times faster than memory does.
CACHE_SPEED = 3.0
# Registers that a thread needs besides the tiles that it holds.
OTHER_REGISTERS = 24
# Bytes a thread should have under way so that memory is never waited for.
BYTES_UNDER_WAY = 32


def estimate_milliseconds(
    features: Mapping[str, float], target: Target, resources: Mapping[str, int] | None = None
) -> float:
    """Milliseconds, to rank configurations of one kernel by; not to be believed as such.

    Args:
        features: of `passes.plan_memory.features`.
        target: with bandwidth and peak rates.
        resources: what the compiler said it needs, where it has been compiled.
    """
    if not features or not target.memory_bandwidth:
        return math.inf
    needs = resources or {}
    threads = features["threads"]
    registers = needs.get("registers") or min(
        target.max_registers_per_thread, features["registers_per_thread"] + OTHER_REGISTERS
    )
    shared = needs.get("shared_memory", features["shared_bytes"])
    occupancy = max(1, min(32, 64 * 32 // threads, int(target.registers // (registers * threads) or 1)))
    if shared:
        occupancy = max(1, min(occupancy, int(target.shared_memory // shared or 1)))
    at_once = target.compute_units * occupancy
    programs = max(1.0, features["programs"])
    rounds = math.ceil(programs / at_once)
    # The last round is as long as any other, however few programs are left for it.
    fill = programs / (rounds * at_once)
    busy = min(1.0, programs / target.compute_units)
    moved = features["bytes_loaded"] + features["bytes_stored"]
    under_way = occupancy * threads * BYTES_UNDER_WAY * busy
    memory_rate = target.memory_bandwidth * CACHE_SPEED * (under_way / (under_way + 16384.0))
    seconds = moved / memory_rate
    if features["dot_flops"]:
        # Large accumulators are fed from shared memory least often; few warps cannot keep the units busy.
        held = features["registers_per_thread"]
        intensity = features["flops_per_program"] / max(1.0, features["bytes_per_program"])
        efficiency = (held / (held + 32.0)) * (intensity / (intensity + 48.0)) * (threads / (threads + 64.0))
        seconds = max(seconds, features["dot_flops"] / (target.dot_flops * max(0.01, efficiency) * busy))
    rest = features["flops"] - features["dot_flops"]
    seconds = max(seconds, rest / (target.flops * busy))
    spilled = needs.get("spilled", 0)
    over = max(0.0, features["registers_per_thread"] + OTHER_REGISTERS - target.max_registers_per_thread)
    penalty = 1.0 + (spilled if resources else 4 * over) / 64.0
    return LAUNCH_MILLISECONDS + 1e3 * penalty * seconds / max(0.3, fill)
