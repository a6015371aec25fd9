"""Where this package reaches into aiortc's and aioice's private parts; nowhere else does it.

Each hook looks whether what it needs is there. Where it isn't, things are as aiortc does them:
slower, but right.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import queue
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from typing import Any, Protocol

from aioice.ice import server_reflexive_candidate
from aiortc import RTCPeerConnection, RTCRtpReceiver
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.mediastreams import MediaStreamTrack
from aiortc.rtp import RtpPacket

from odyssey._rtc.short_path import BandwidthEstimate, Packet, ShortPath

logger = logging.getLogger(__name__)

#: Seconds to wait for STUN, and where there is a TURN server: it takes several round trips. aioice
#: waits 5 for one that is silent, and as long for an interface that has no route out, even if
#: another one has answered.
STUN_TIMEOUT = 0.6
TURN_TIMEOUT = 2.0
#: Seconds that closing waits for sockets that are being opened.
OPENING_TIMEOUT = 0.2

_JITTER_BUFFER = "_RTCRtpReceiver__jitter_buffer"
_DECODER_QUEUE = "_RTCRtpReceiver__decoder_queue"
_CODECS = "_RTCRtpReceiver__codecs"
_STATISTICS = "_RTCRtpReceiver__remote_streams"
_NACK_GENERATOR = "_RTCRtpReceiver__nack_generator"
_BANDWIDTH = "_RTCRtpReceiver__remote_bitrate_estimator"
_HANDLE_RTP = "_handle_rtp_data"  # of the DTLS transport
_SEND_NACK = "_send_rtcp_nack"
_SEND_PLI = "_send_rtcp_pli"
_STUN_SERVER = "stun_server"  # of aioice
_CONSENT_TASK = "_query_consent_task"  # of aioice: None once nobody consents any more


class PacketSink(Protocol):
    """What aiortc's receiver uses of its jitter buffer."""

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]: ...


class FrameSink(Protocol):
    """What aiortc's receiver, and its decoder's thread, use of the queue between them."""

    def get(self) -> Any: ...
    def put(self, item: Any) -> None: ...


def bound_gathering(pc: RTCPeerConnection, *, trickle: bool = False) -> None:
    """Bounds the gathering of candidates, and lets it work on a machine without a network.

    Called before `setLocalDescription`. Without any interface but loopback, which aioice leaves
    out, there would be no candidate at all, and no talking to an emulator on the same machine.

    trickle: STUN servers are left to `reflexive_candidates`, so that nothing waits for one that is
        silent.
    """
    for agent in _ice_agents(pc):
        gather = getattr(agent, "get_component_candidates", None)
        if gather is not None and not isinstance(gather, _Gathering):
            agent.get_component_candidates = _Gathering(agent, gather, trickle)


async def stop_gathering(pc: RTCPeerConnection) -> None:
    """Called before `pc.close()`, which doesn't know of sockets that are still being opened: they
    would stay open for ever.
    """
    for agent in _ice_agents(pc):
        gathering = getattr(agent, "get_component_candidates", None)
        if isinstance(gathering, _Gathering):
            await gathering.stop()


class _Gathering:
    """What one agent gathers, in the place of its `get_component_candidates`."""

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
        """Returns when the sockets are open, which takes some milliseconds, and so known to the
        agent, which can close them; servers that have not answered are not waited for.
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
            if left_out:
                setattr(agent, _STUN_SERVER, server)


def awaits_reflexive(pc: RTCPeerConnection) -> bool:
    """Whether `reflexive_candidates` has anybody to ask."""
    return any(getattr(agent, _STUN_SERVER, None) is not None for agent in _ice_agents(pc))


async def reflexive_candidates(pc: RTCPeerConnection) -> AsyncGenerator[str, None]:
    """The addresses of this machine that its STUN servers see, as candidates in SDP, as they come.

    One that doesn't answer is given up after some seconds. They need not be known here: what is
    sent from the host's candidates comes from them.
    """
    queries = []
    for agent in _ice_agents(pc):
        server = getattr(agent, _STUN_SERVER, None)
        if server is None:
            continue
        for protocol in getattr(agent, "_protocols", ()):
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
    try:
        found, _ = await server_reflexive_candidate(protocol, server)
    except Exception as exc:  # aioice raises many kinds for an answer that it can't use
        logger.debug("a STUN server gave no answer (%s)", type(exc).__name__)
        return None
    return str(found.to_sdp())


def _ice_agents(pc: RTCPeerConnection) -> list[Any]:
    """Those of aioice, one for each transport."""
    transports = {t.receiver.transport.transport for t in pc.getTransceivers()}
    if pc.sctp is not None:
        transports.add(pc.sctp.transport.transport)
    agents = [getattr(transport.iceGatherer, "_connection", None) for transport in transports]
    return [agent for agent in agents if agent is not None]


def receive_through(
    pc: RTCPeerConnection, track: MediaStreamTrack, buffer: PacketSink, decoder: FrameSink
) -> bool:
    """Puts `buffer` in the place of the jitter buffer of the receiver of `track`, and `decoder` in
    that of the queue to its decoder; False where that isn't possible.

    Called in the `track` handler, before anything is received.
    """
    receiver = _receiver_of(pc, track)
    if not isinstance(getattr(receiver, _JITTER_BUFFER, None), JitterBuffer) or not isinstance(
        getattr(receiver, _DECODER_QUEUE, None), queue.Queue
    ):
        logger.warning("this aiortc receives in another way: frames come one frame later")
        return False
    setattr(receiver, _JITTER_BUFFER, buffer)
    setattr(receiver, _DECODER_QUEUE, decoder)
    return True


def shorten_path(
    pc: RTCPeerConnection, track: MediaStreamTrack, take: Callable[[Any, Packet], None]
) -> bool:
    """Leads the packets of `track`, but for one of each frame, past aiortc, to `take`.

    Called after `receive_through`, whose buffer has to ask for missing packets from then on.
    """
    receiver = _receiver_of(pc, track)
    transport = None if receiver is None else receiver.transport
    codecs, statistics = getattr(receiver, _CODECS, None), getattr(receiver, _STATISTICS, None)
    estimator = getattr(receiver, _BANDWIDTH, None)
    handle = getattr(transport, _HANDLE_RTP, None)
    if (
        not isinstance(codecs, dict)
        or not isinstance(statistics, dict)
        or not hasattr(receiver, _NACK_GENERATOR)
        or not hasattr(estimator, "add")
        or handle is None
    ):
        logger.info("this aiortc handles packets in another way: they take the long one")
        return False
    path = ShortPath(handle, take, codecs, statistics)
    setattr(receiver, _BANDWIDTH, BandwidthEstimate(estimator, path))
    setattr(receiver, _NACK_GENERATOR, None)
    setattr(transport, _HANDLE_RTP, path.handle)
    return True


class Feedback:
    """What a receiver of video asks its sender for. Where this aiortc can't, nothing is asked."""

    def __init__(self, pc: RTCPeerConnection, track: MediaStreamTrack) -> None:
        receiver = _receiver_of(pc, track)
        self._nack = getattr(receiver, _SEND_NACK, None)
        self._pli = getattr(receiver, _SEND_PLI, None)

    async def request_packets(self, source: int, numbers: Sequence[int]) -> None:
        """Once more (NACK)."""
        if self._nack is not None:
            await self._nack(source, list(numbers))

    async def request_key_frame(self, source: int) -> None:
        """A picture that needs none before it (PLI)."""
        if self._pli is not None:
            await self._pli(source)


def _receiver_of(pc: RTCPeerConnection, track: MediaStreamTrack) -> RTCRtpReceiver | None:
    return next((r for r in pc.getReceivers() if r.track is track), None)


def went_silent(pc: RTCPeerConnection) -> bool:
    """Whether ICE has given the other end up. Asked when the media of a connection that was up has
    just ended: aiortc closes such a connection itself, often before it calls it failed.
    """
    for transceiver in pc.getTransceivers():
        agent = getattr(transceiver.receiver.transport.transport.iceGatherer, "_connection", None)
        if agent is not None and getattr(agent, _CONSENT_TASK, agent) is None:
            return True
    return pc.connectionState == "failed"


async def request_key_frame(pc: RTCPeerConnection, track: MediaStreamTrack) -> bool | None:
    """Asks the sender of `track` for a key frame (PLI).

    False: nothing has come from it yet, so there is nobody to ask. None: this aiortc can't ask.
    """
    receiver = _receiver_of(pc, track)
    send = getattr(receiver, _SEND_PLI, None)
    if receiver is None or send is None:
        logger.warning("this aiortc can't ask for a key frame: the picture comes with the next one")
        return None
    sources = receiver.getSynchronizationSources()
    for source in sources:
        await send(source.source)
    return bool(sources)
