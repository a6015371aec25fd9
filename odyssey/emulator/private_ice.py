"""Uses of private parts of aioice, and of those of aiortc that lead to them.

Used inside the window of versions, and where the part is there. Elsewhere ICE gathers as aiortc has
it gather, which finds no address on a machine without a network, and no connection can be silenced.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from aiortc import RTCPeerConnection

from odyssey._rtc import private_packets, window

__all__ = ["fall_back_on_loopback", "silence"]

_AGENT = "_connection"  # of aiortc's gatherer; the parts below are the agent's
_GATHER = "get_component_candidates"
_PROTOCOLS = "_protocols"


def fall_back_on_loopback(pc: RTCPeerConnection) -> None:
    """Lets a machine without a network connect to itself: aioice leaves the loopback out.

    Called before `setLocalDescription`.
    """
    for agent in _agents(pc):
        gather = getattr(agent, _GATHER, None)
        if gather is not None:
            setattr(agent, _GATHER, _with_loopback(agent, gather))


def silence(pc: RTCPeerConnection) -> None:
    """Makes the connection send and hear nothing more, without a word to the other end."""
    for socket in (s for agent in _agents(pc) for s in getattr(agent, _PROTOCOLS, ())):
        if not isinstance(socket.transport, _Silence):
            socket.transport = _Silence(socket.transport)
            socket.datagram_received = _ignore


def _agents(pc: RTCPeerConnection) -> list[Any]:
    """Returns the agents of aioice, one for each transport; none outside the window."""
    if not window.IS_OPEN:
        return []
    transports = {transceiver.sender.transport for transceiver in pc.getTransceivers()}
    if pc.sctp is not None:
        transports.add(pc.sctp.transport)
    # An offer that bundles in an odd way leaves media without a transport.
    gatherers = {dtls.transport.iceGatherer for dtls in transports if dtls is not None}
    agents = (getattr(gatherer, _AGENT, None) for gatherer in gatherers)
    return [agent for agent in agents if agent is not None]


def _with_loopback(
    agent: Any, gather: Callable[..., Coroutine[Any, Any, list[Any]]]
) -> Callable[..., Coroutine[Any, Any, list[Any]]]:
    async def gather_from(component: int, addresses: list[str], **kwargs: Any) -> list[Any]:
        try:
            return await gather(component=component, addresses=addresses or ["127.0.0.1"], **kwargs)
        finally:
            private_packets.guard_sockets(agent)

    return gather_from


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
