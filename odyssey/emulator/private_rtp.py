"""Uses of private parts of aiortc's RTP sender, of its transport and of SCTP.

Used inside the window of versions, and where the part is there. Elsewhere no packet is lost here, a
key frame comes when the next one is due instead of when it is asked for, and a wall clock that is
set forward delays what is sent again on the data channels.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from aiortc import RTCPeerConnection, RTCRtpSender

from odyssey._rtc import window
from odyssey._rtc.wall_clock import SteadyRoundTrips

__all__ = ["drop_packets", "keep_time_of_channels", "on_key_frame_request"]

# Of the sender.
_KEY_FRAME_REQUESTED = "_send_keyframe"
_SEND_AGAIN = "_retransmit"
_SOURCE = "_ssrc"
_REPAIR_SOURCE = "_rtx_ssrc"
# Of its DTLS transport.
_SEND_RTP = "_send_rtp"
# Of SCTP.
_TAKE_ROUND_TRIP = "_update_rto"

_RTP_HEADER = 12
#: Packets that are sent again, each second and at once at most: a request may name thousands.
_REPAIRS_A_SECOND = 1000
_MOST_REPAIRS = 256


def on_key_frame_request(sender: RTCRtpSender, request: Callable[[], None]) -> None:
    """Calls `request` when the other end asks for a key frame (PLI, FIR).

    aiortc asks its own encoder; of packets that were encoded elsewhere it knows nothing.
    """
    if window.IS_OPEN and hasattr(sender, _KEY_FRAME_REQUESTED):
        setattr(sender, _KEY_FRAME_REQUESTED, request)


def drop_packets(
    sender: RTCRtpSender,
    is_lost: Callable[[bytes, bool], bool],
    is_beyond_repair: Callable[[int], bool],
) -> None:
    """Drops packets that `sender` sends.

    Called when the sender has the transport that it keeps.

    Args:
        is_lost: Gets an RTP packet, and whether it repairs another one (RTX).
        is_beyond_repair: Gets the sequence number of a packet that is asked for again.
    """
    send, send_again = (
        getattr(owner, name, None)
        for owner, name in ((sender.transport, _SEND_RTP), (sender, _SEND_AGAIN))
    )
    sources = {getattr(sender, _SOURCE, None): False, getattr(sender, _REPAIR_SOURCE, None): True}
    if not window.IS_OPEN or send is None or send_again is None or None in sources:
        return

    async def send_unless_lost(data: bytes) -> None:
        """Takes all of the transport: RTP of the video, repairs, RTCP."""
        source = int.from_bytes(data[8:12], "big") if len(data) > _RTP_HEADER else None
        if source not in sources or not is_lost(data, sources[source]):
            await send(data)

    budget, spent_at = float(_MOST_REPAIRS), time.monotonic()

    async def repair_unless_lost(sequence_number: int) -> None:
        nonlocal budget, spent_at
        now = time.monotonic()
        budget = min(_MOST_REPAIRS, budget + _REPAIRS_A_SECOND * (now - spent_at))
        spent_at = now
        if budget >= 1 and not is_beyond_repair(sequence_number):
            budget -= 1
            await send_again(sequence_number)

    setattr(sender.transport, _SEND_RTP, send_unless_lost)
    setattr(sender, _SEND_AGAIN, repair_unless_lost)


def keep_time_of_channels(pc: RTCPeerConnection) -> None:
    """Leaves out round trips of the data channels in which the wall clock was set.

    aiortc measures them on it, and would wait a minute before it sends a lost message again for
    having seen a round trip that took a day. Called when the other end has been described.
    """
    take: Any = getattr(pc.sctp, _TAKE_ROUND_TRIP, None)
    if window.IS_OPEN and take is not None and not isinstance(take, SteadyRoundTrips):
        setattr(pc.sctp, _TAKE_ROUND_TRIP, SteadyRoundTrips(take))
