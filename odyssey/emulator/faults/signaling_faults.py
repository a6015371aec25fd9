"""Faults of the signaling socket, of the offer, and of the connection as a whole."""

from __future__ import annotations

from typing import Literal

import attrs

from odyssey.emulator.faults.base import Fault, TimedFault
from odyssey.emulator.faults.parameters import parameter

__all__ = [
    "ConnectionLimit",
    "ErrorInsteadOfOffer",
    "Junk",
    "NoChannel",
    "NoOffer",
    "NoTrack",
    "PeerKilled",
    "SocketCut",
    "SocketDroppedBeforeOffer",
    "SocketRefused",
]

_CLOSE_CODE = "with which the socket closes; none: it is cut"


@attrs.frozen(kw_only=True)
class SocketRefused(Fault):
    """The WebSocket handshake is refused with a status."""

    status: int = parameter("of the refusal", 503, least=400, most=599)


@attrs.frozen(kw_only=True)
class SocketDroppedBeforeOffer(Fault):
    """The socket is accepted, then closed with a code, or cut (None), before any offer."""

    code: int | None = parameter(_CLOSE_CODE, None, least=1000, most=4999)


@attrs.frozen(kw_only=True)
class NoOffer(Fault):
    """The socket stays open and silent."""


@attrs.frozen(kw_only=True)
class ErrorInsteadOfOffer(Fault):
    """An `error` message with this reason comes instead of the offer; then the socket closes."""

    reason: str = parameter("of the error", "streamer_not_available")


@attrs.frozen(kw_only=True)
class NoChannel(Fault):
    """The offer lacks the data channel with this label."""

    label: Literal["streamerToClient", "clientToStreamer"] = parameter(
        "of the channel", "streamerToClient"
    )


@attrs.frozen(kw_only=True)
class NoTrack(Fault):
    """The offer has no video track."""


@attrs.frozen(kw_only=True)
class Junk(Fault):
    """Text that is not JSON, binary data, unknown and misshapen messages precede every message."""

    on: Literal["socket", "channel", "both"] = "both"


@attrs.frozen(kw_only=True)
class SocketCut(TimedFault):
    """The socket is closed with a code, or cut without one (None).

    With `keep_media` the video and the data channels go on.
    """

    code: int | None = parameter(_CLOSE_CODE, None, least=1000, most=4999)
    keep_media: bool = parameter("the media go on", False)


@attrs.frozen(kw_only=True)
class PeerKilled(TimedFault):
    """The peer falls silent, its spectators' too: no media, no data, no ICE; the socket stays."""


@attrs.frozen(kw_only=True)
class ConnectionLimit(TimedFault):
    """The connection is as long as it may be: `duration_limit_reached`, and the socket closes."""
