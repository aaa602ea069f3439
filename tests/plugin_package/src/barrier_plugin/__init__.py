"""A third party's universe: one pass, imported when it is asked for."""

from xdsl.universe import Universe


def _fence_stores() -> type:
    from barrier_plugin.fence_stores import FenceStores

    return FenceStores


UNIVERSE = Universe(all_passes={"fence-stores": _fence_stores})
