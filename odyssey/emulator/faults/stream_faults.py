"""Faults of streams: of the replies to the client, of errors, of the video."""

from __future__ import annotations

from typing import Literal

import attrs

from odyssey.emulator.faults.base import LONGEST, Fault, TimedFault, after
from odyssey.emulator.faults.parameters import parameter

__all__ = [
    "BroadcastIncomplete",
    "DuplicateReply",
    "FreezeVideo",
    "KeyFrameLost",
    "LosePacket",
    "PacketLoss",
    "Reply",
    "Request",
    "ResizeVideo",
    "SessionTimeout",
    "StreamFails",
    "StreamRefused",
    "SwapReplies",
    "TrackEnded",
    "WithholdReply",
]

Reply = Literal["stream_started", "update_acknowledged", "stream_ended"]
Request = Literal["interactive_stream_start", "update", "interactive_stream_end"]


def _is_even(_fault: Fault, field: attrs.Attribute[int], value: int) -> None:
    if value % 2:
        raise ValueError(f"{field.name}: expected an even number, got {value}")


def _side(default: int) -> int:
    description = "pixels, even; of portrait frames"
    side: int = parameter(description, default, least=64, most=2048, validator=_is_even)
    return side


@attrs.frozen(kw_only=True)
class WithholdReply(Fault):
    """A reply of this type never comes, or comes after so many seconds."""

    type: Reply
    seconds: float | None = parameter("by which it is late", None, least=0, most=LONGEST)


@attrs.frozen(kw_only=True)
class DuplicateReply(Fault):
    """A reply of this type comes twice."""

    type: Reply = "update_acknowledged"


@attrs.frozen(kw_only=True)
class SwapReplies(Fault):
    """A reply of this type is held back until the next one of the type has gone out."""

    type: Reply = "update_acknowledged"


@attrs.frozen(kw_only=True)
class StreamRefused(Fault):
    """A start, an interaction or an end is answered with `interactive_stream_error`."""

    reason: str = parameter("of the error")
    message: str = parameter("of the error", "injected")
    on: Request = "interactive_stream_start"


@attrs.frozen(kw_only=True)
class BroadcastIncomplete(Fault):
    """A broadcast is announced without its address, or without its token."""

    missing: Literal["spectator_token", "webrtc_url"] = parameter("the field", "spectator_token")


@attrs.frozen(kw_only=True)
class StreamFails(TimedFault):
    """`interactive_stream_error` comes without having been asked for; the stream goes on."""

    reason: str = parameter("of the error", "moderation")
    message: str = parameter("of the error", "injected")


@attrs.frozen(kw_only=True)
class SessionTimeout(TimedFault):
    """The stream's time is over: `session_timeout`, and the socket closes. Needs a stream."""


# Video


@attrs.frozen(kw_only=True)
class TrackEnded(TimedFault):
    """The video track ends, with an RTCP BYE; the socket and the data channels stay."""


@attrs.frozen(kw_only=True)
class FreezeVideo(TimedFault):
    """No frames are sent from then on, while everything else goes on.

    With `after` 0, its default where it is not switched on by name, also none of the black frames
    that a connection without a stream gets.
    """

    after: float = after(0.0)


@attrs.frozen(kw_only=True)
class ResizeVideo(TimedFault):
    """Frames have another size from then on; the recording keeps its own.

    Pixels, even, of portrait frames: landscape ones are `height` wide and `width` high.
    """

    width: int = _side(480)
    height: int = _side(832)


@attrs.frozen(kw_only=True)
class KeyFrameLost(TimedFault):
    """A key frame is lost whole, and never repaired."""


@attrs.frozen(kw_only=True)
class PacketLoss(Fault):
    """This share of the video's packets is lost, repairs of it as well."""

    share: float = parameter("of the packets", least=0, most=1)


@attrs.frozen(kw_only=True)
class LosePacket(Fault):
    """A packet of the video is lost, and never repaired."""
