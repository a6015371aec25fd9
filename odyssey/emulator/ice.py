"""ICE on a machine that may have no network."""

from __future__ import annotations

from typing import Any

__all__ = ["fall_back_on_loopback"]


def fall_back_on_loopback(ice: Any) -> None:
    """Let a machine without a network connect to itself: ICE leaves the loopback out.

    ice: aioice's connection, before it gathers candidates.
    """
    gather = ice.get_component_candidates

    def gather_from(component: int, addresses: list[str], **kwargs: Any) -> Any:
        return gather(component=component, addresses=addresses or ["127.0.0.1"], **kwargs)

    ice.get_component_candidates = gather_from
