"""Gathering ICE candidates without waiting for servers that don't answer.

aioice's agent is private to aiortc (`_connection`), and so is its step that gathers. Where either
is missing, gathering is as aiortc does it: slower with a silent STUN or TURN server, else the same.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any

from aiortc import RTCPeerConnection

#: Seconds to wait for STUN, and where there is a TURN server: it takes several round trips. aioice
#: waits 5 for one that is silent, and as long for an interface that has no route out, even if
#: another one has answered.
STUN_TIMEOUT = 0.6
TURN_TIMEOUT = 2.0


def tune(pc: RTCPeerConnection) -> None:
    """Bounds the gathering of `pc`, and lets it work on a machine without a network.

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
