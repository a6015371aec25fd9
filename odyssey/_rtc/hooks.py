"""Where this package reaches into aiortc's and aioice's private parts; nowhere else does it.

Each hook looks whether what it needs is there. Where it isn't, things are as aiortc does them:
slower, but right.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiortc import RTCPeerConnection
from aiortc.jitterbuffer import JitterBuffer
from aiortc.mediastreams import MediaStreamTrack

from odyssey._rtc.jitter_buffer import MarkerJitterBuffer

logger = logging.getLogger(__name__)

#: Seconds to wait for STUN, and where there is a TURN server: it takes several round trips. aioice
#: waits 5 for one that is silent, and as long for an interface that has no route out, even if
#: another one has answered.
STUN_TIMEOUT = 0.6
TURN_TIMEOUT = 2.0

_JITTER_BUFFER = "_RTCRtpReceiver__jitter_buffer"
_SEND_PLI = "_send_rtcp_pli"
_CONSENT_TASK = "_query_consent_task"  # of aioice: None once nobody consents any more


def bound_gathering(pc: RTCPeerConnection) -> None:
    """Bounds the gathering of candidates, and lets it work on a machine without a network.

    Called before `setLocalDescription`. Without any interface but loopback, which aioice leaves
    out, there would be no candidate at all, and no talking to an emulator on the same machine.
    """
    transports = [t.receiver.transport.transport for t in pc.getTransceivers()]
    if pc.sctp is not None:
        transports.append(pc.sctp.transport.transport)
    for transport in transports:
        agent = getattr(transport.iceGatherer, "_connection", None)
        gather = getattr(agent, "get_component_candidates", None)
        if agent is None or gather is None or isinstance(gather, functools.partial):
            continue
        seconds = TURN_TIMEOUT if getattr(agent, "turn_server", None) else STUN_TIMEOUT
        agent.get_component_candidates = functools.partial(_gather, gather, seconds)


async def _gather(
    gather: Callable[..., Awaitable[list[Any]]],
    seconds: float,
    *,
    component: int,
    addresses: list[str],
) -> list[Any]:
    return await gather(component=component, addresses=addresses or ["127.0.0.1"], timeout=seconds)


def release_on_marker(pc: RTCPeerConnection, track: MediaStreamTrack) -> MarkerJitterBuffer | None:
    """Gives the receiver of `track` a `MarkerJitterBuffer`; None where that isn't possible.

    Called in the `track` handler, before anything is received.
    """
    receiver = next((r for r in pc.getReceivers() if r.track is track), None)
    if not isinstance(getattr(receiver, _JITTER_BUFFER, None), JitterBuffer) or not hasattr(
        JitterBuffer, "_remove_frame"
    ):
        logger.warning("this aiortc has another jitter buffer: frames come one frame later")
        return None
    buffer = MarkerJitterBuffer()
    setattr(receiver, _JITTER_BUFFER, buffer)
    return buffer


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
    receiver = next((r for r in pc.getReceivers() if r.track is track), None)
    send = getattr(receiver, _SEND_PLI, None)
    if receiver is None or send is None:
        logger.warning("this aiortc can't ask for a key frame: the picture comes with the next one")
        return None
    sources = receiver.getSynchronizationSources()
    for source in sources:
        await send(source.source)
    return bool(sources)
