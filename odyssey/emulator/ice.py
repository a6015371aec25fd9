"""ICE on a machine that may have no network, and how to silence it."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["fall_back_on_loopback", "silence"]


def fall_back_on_loopback(ice: Any) -> None:
    """Lets a machine without a network connect to itself: ICE leaves the loopback out.

    ice: aioice's connection, before it gathers candidates.
    """
    gather = ice.get_component_candidates

    def gather_from(component: int, addresses: list[str], **kwargs: Any) -> Any:
        return gather(component=component, addresses=addresses or ["127.0.0.1"], **kwargs)

    ice.get_component_candidates = gather_from


def silence(ice: Any) -> None:
    """Makes the connection send and hear nothing more, without a word to the other end."""
    for protocol in ice._protocols:
        if not isinstance(protocol.transport, _Silence):
            protocol.transport = _Silence(protocol.transport)
            protocol.datagram_received = _ignore


class _Silence(asyncio.DatagramTransport):
    """Stands in for a socket: swallows what is sent, and closes the socket in its time."""

    def __init__(self, socket: asyncio.DatagramTransport) -> None:
        super().__init__()
        self._socket = socket

    def sendto(self, data: Any, addr: Any = None) -> None:
        pass

    def close(self) -> None:
        self._socket.close()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._socket.get_extra_info(name, default)


def _ignore(*_: Any) -> None:
    """Hears nothing."""
