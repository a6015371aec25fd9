"""Uses of private parts of aioice, and of those of aiortc that lead to them.

Used inside the window of versions, and where the part is there. Elsewhere ICE gathers as aiortc has
it gather: it waits for silent STUN servers, and finds no address on a machine without a network.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from typing import Any

from aiortc import RTCDtlsTransport, RTCPeerConnection

from odyssey._rtc import private_packets, window

logger = logging.getLogger(__name__)

#: Seconds to wait for STUN, and where there is a TURN server: it takes several round trips. aioice
#: waits 5 for one that is silent, and as long for an interface that has no route out, even if
#: another one has answered.
STUN_TIMEOUT = 0.6
TURN_TIMEOUT = 2.0
#: Seconds that closing waits for sockets that are being opened.
OPENING_TIMEOUT = 0.2

_AGENT = "_connection"  # of aiortc's gatherer; the parts below are the agent's
_STUN_SERVER = "stun_server"
_PROTOCOLS = "_protocols"
_CONSENT_TASK = "_query_consent_task"  # None once the other end consents no more


def bound_gathering(pc: RTCPeerConnection, *, trickle: bool = False) -> None:
    """Bounds the gathering of candidates, and lets it work on a machine without a network.

    Called before `setLocalDescription`. Without any interface but loopback, which aioice leaves
    out, there would be no candidate at all, and no talking to an emulator on the same machine.

    Args:
        trickle: Leaves STUN servers to `reflexive_candidates`, so that nothing waits for one that
            is silent.
    """
    for agent in _agents(pc):
        gather = getattr(agent, "get_component_candidates", None)
        if gather is not None and not isinstance(gather, _Gathering):
            agent.get_component_candidates = _Gathering(agent, gather, trickle)


async def stop_gathering(pc: RTCPeerConnection) -> None:
    """Waits for sockets that are being opened; called before `pc.close()`.

    `pc.close()` doesn't know of them, so they would stay open for ever.
    """
    for agent in _agents(pc):
        gathering = getattr(agent, "get_component_candidates", None)
        if isinstance(gathering, _Gathering):
            await gathering.stop()


class _Gathering:
    """Gathers for one agent, in place of its `get_component_candidates`."""

    def __init__(
        self, agent: Any, gather: Callable[..., Coroutine[Any, Any, list[Any]]], trickle: bool
    ) -> None:
        self._agent = agent
        self._gather = gather
        self._trickle = trickle
        self._tasks: set[asyncio.Task[list[Any]]] = set()
        self._stopped = False

    async def __call__(self, *, component: int, addresses: list[str]) -> list[Any]:
        if self._stopped:
            return []
        # A task of its own: aioice loses the sockets it has just opened when it is cancelled.
        task = asyncio.ensure_future(self._bounded(component, addresses))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def stop(self) -> None:
        """Waits until the sockets are open, which takes some milliseconds, and so known to the
        agent, which can close them. Servers that have not answered are not waited for.
        """
        self._stopped = True
        if self._tasks:
            _, pending = await asyncio.wait(self._tasks, timeout=OPENING_TIMEOUT)
            for task in pending:
                task.cancel()

    async def _bounded(self, component: int, addresses: list[str]) -> list[Any]:
        agent, server = self._agent, getattr(self._agent, _STUN_SERVER, None)
        left_out = self._trickle and server is not None
        if left_out:
            setattr(agent, _STUN_SERVER, None)
        seconds = TURN_TIMEOUT if getattr(agent, "turn_server", None) else STUN_TIMEOUT
        try:
            return await self._gather(
                component=component, addresses=addresses or ["127.0.0.1"], timeout=seconds
            )
        finally:
            private_packets.guard_sockets(agent)
            if left_out:
                setattr(agent, _STUN_SERVER, server)


def awaits_reflexive(pc: RTCPeerConnection) -> bool:
    """Whether there is a STUN server for `reflexive_candidates` to ask."""
    return any(getattr(agent, _STUN_SERVER, None) is not None for agent in _agents(pc))


async def reflexive_candidates(pc: RTCPeerConnection) -> AsyncGenerator[str, None]:
    """Asks the STUN servers for this machine's addresses; yields each, as a candidate in SDP.

    A server that doesn't answer is given up after some seconds. The agent need not know of these
    candidates: what is sent from the host's candidates comes from them.
    """
    queries = []
    for agent in _agents(pc):
        server = getattr(agent, _STUN_SERVER, None)
        if server is None:
            continue
        for protocol in getattr(agent, _PROTOCOLS, ()):
            if ipaddress.ip_address(protocol.local_candidate.host).version == 4:
                queries.append(asyncio.ensure_future(_reflexive(protocol, server)))
    try:
        for query in asyncio.as_completed(queries):
            candidate = await query
            if candidate is not None:
                yield candidate
    finally:
        for task in queries:
            task.cancel()


async def _reflexive(protocol: Any, server: tuple[str, int]) -> str | None:
    from aioice.ice import server_reflexive_candidate

    try:
        found, _ = await server_reflexive_candidate(protocol, server)
    except Exception as exc:  # aioice raises many kinds for an answer that it can't use
        logger.debug("a STUN server gave no answer (%s)", type(exc).__name__)
        return None
    return str(found.to_sdp())


def went_silent(pc: RTCPeerConnection) -> bool:
    """Whether ICE has given the other end up.

    Asked when the media of a connection that was up has just ended: aiortc closes such a connection
    itself, often before it calls it failed.
    """
    consents = (getattr(agent, _CONSENT_TASK, agent) for agent in _agents_of(_media(pc)))
    return any(task is None for task in consents) or pc.connectionState == "failed"


def _agents(pc: RTCPeerConnection) -> list[Any]:
    """Returns the agents of aioice, one for each transport; none outside the window."""
    transports = _media(pc)
    if pc.sctp is not None:
        transports.add(pc.sctp.transport)
    return _agents_of(transports)


def _media(pc: RTCPeerConnection) -> set[RTCDtlsTransport]:
    return {transceiver.receiver.transport for transceiver in pc.getTransceivers()}


def _agents_of(transports: Iterable[RTCDtlsTransport]) -> list[Any]:
    if not window.IS_OPEN:
        return []
    # An offer that bundles in an odd way leaves media without a transport.
    gatherers = (dtls.transport.iceGatherer for dtls in transports if dtls is not None)
    agents = (getattr(gatherer, _AGENT, None) for gatherer in gatherers)
    return [agent for agent in agents if agent is not None]
