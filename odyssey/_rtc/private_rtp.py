"""Uses of private parts of aiortc's RTP receiver, of its transport and of SCTP.

Used inside the window of versions, and where the part is there. Elsewhere video comes in aiortc's
own way: one frame later, and with damaged pictures after a loss; key frames are not asked for.
"""

from __future__ import annotations

import logging
import queue
import re
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpReceiver

from odyssey._rtc import window
from odyssey._rtc.assembler import EncodedFrame
from odyssey._rtc.private_packets import MOST_SOURCES
from odyssey._rtc.short_path import BandwidthEstimate, Packet, ShortPath
from odyssey._rtc.wall_clock import (
    Moments,
    SteadyEstimate,
    SteadyRoundTrips,
    SteadyStatistics,
)

if TYPE_CHECKING:
    from aiortc.rtp import RtpPacket

logger = logging.getLogger(__name__)

# Of the receiver.
_JITTER_BUFFER = "_RTCRtpReceiver__jitter_buffer"
_DECODER_QUEUE = "_RTCRtpReceiver__decoder_queue"
_CODECS = "_RTCRtpReceiver__codecs"
_STATISTICS = "_RTCRtpReceiver__remote_streams"
_NACK_GENERATOR = "_RTCRtpReceiver__nack_generator"
_BANDWIDTH = "_RTCRtpReceiver__remote_bitrate_estimator"
_REPORT_TIMES = "_RTCRtpReceiver__lsr_time"
_SEND_NACK = "_send_rtcp_nack"
_SEND_PLI = "_send_rtcp_pli"
# Of the estimate of the bandwidth.
_ESTIMATED = "ssrcs"
# Of its DTLS transport.
_HANDLE_RTP = "_handle_rtp_data"
# Of SCTP.
_TAKE_ROUND_TRIP = "_update_rto"
_COOKIE_TIME = "_get_timestamp"
# Of the statistics of a source.
_LAST_ARRIVAL = "_last_arrival"
_CLOCK_RATE = "_clockrate"
# Of a packet: its payload without the codec's header, which the receiver puts there.
_PAYLOAD = "_data"


_SEND_TIME = re.compile(r"^a=extmap:[^\r\n]*/abs-send-time[^\r\n]*\r?\n", re.MULTILINE)


class FrameSink(Protocol):
    """The methods that aiortc's receiver and decoder thread call on the queue between them."""

    def get(self) -> Any: ...
    def put(self, item: Any) -> None: ...


class _PacketSink:
    """Stands in for aiortc's jitter buffer."""

    def __init__(self, take: Callable[[Packet], EncodedFrame | None]) -> None:
        self._take = take

    def add(self, packet: RtpPacket) -> tuple[bool, EncodedFrame | None]:
        """Takes a packet; gives whether to ask for a key frame (`take` sees to that), and a frame
        that is complete.
        """
        payload: bytes = getattr(packet, _PAYLOAD)
        number, timestamp, source = packet.sequence_number, packet.timestamp, packet.ssrc
        return False, self._take(Packet(number, timestamp, source, payload, packet.marker))


def receive_through(
    pc: RTCPeerConnection,
    track: MediaStreamTrack,
    take: Callable[[Packet], EncodedFrame | None],
    decoder: FrameSink,
) -> bool:
    """Receives `track` through `take` and `decoder`, in the places of aiortc's jitter buffer and of
    the queue to its decoder.

    Called in the `track` handler, before anything is received.

    Args:
        take: Gets each packet; returns the frame that is complete with it, for `decoder`.

    Returns:
        False where that isn't possible.
    """
    receiver = _receiver_of(pc, track)
    if receiver is None:
        return False
    if not hasattr(getattr(receiver, _JITTER_BUFFER, None), "add") or not isinstance(
        getattr(receiver, _DECODER_QUEUE, None), queue.Queue
    ):
        logger.warning("this aiortc receives in another way: frames come one frame later")
        return False
    setattr(receiver, _JITTER_BUFFER, _PacketSink(take))
    setattr(receiver, _DECODER_QUEUE, decoder)
    return True


def ignore(pc: RTCPeerConnection, track: MediaStreamTrack) -> bool:
    """Has nothing of `track` decoded; the rest as `receive_through`."""
    return receive_through(pc, track, lambda _: None, _Nowhere())


class _Nowhere:
    """A queue to a decoder that is not needed."""

    def get(self) -> None:
        """Tells the decoder's thread to end."""

    def put(self, item: Any) -> None:
        pass


def shorten_path(
    pc: RTCPeerConnection, track: MediaStreamTrack, take: Callable[[Any, Packet], None]
) -> bool:
    """Leads the packets of `track`, but for one of each frame, past aiortc, to `take`.

    Called after `receive_through`, whose `take` has to ask for missing packets from then on.
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


def receivable(sdp: str) -> str:
    """Leaves out of a description that the sender marks packets with its time, outside the window.

    aiortc estimates the bandwidth from it, and counts the milliseconds of the wall clock one by
    one: where `keep_time` can't mend that, a clock that is set forward would stop the video.
    """
    return sdp if window.IS_OPEN else _SEND_TIME.sub("", sdp)


def keep_time(pc: RTCPeerConnection, track: MediaStreamTrack) -> None:
    """Measures what is received of `track` on the monotonic clock instead of the wall clock.

    Called in the `track` handler, before `shorten_path`.
    """
    receiver = _receiver_of(pc, track)
    estimator = getattr(receiver, _BANDWIDTH, None)
    if hasattr(estimator, "add"):
        if hasattr(estimator, _ESTIMATED):
            setattr(estimator, _ESTIMATED, _Newest())
        setattr(receiver, _BANDWIDTH, SteadyEstimate(estimator))
    for name, steady in ((_STATISTICS, _Sources()), (_REPORT_TIMES, Moments())):
        if getattr(receiver, name, None) == {}:
            setattr(receiver, name, steady)


def keep_time_of_channels(pc: RTCPeerConnection) -> None:
    """Does the same for the data channels. Called when the remote description has been set."""
    if not window.IS_OPEN or pc.sctp is None:
        return
    take = getattr(pc.sctp, _TAKE_ROUND_TRIP, None)
    if take is not None and not isinstance(take, SteadyRoundTrips):
        setattr(pc.sctp, _TAKE_ROUND_TRIP, SteadyRoundTrips(take))
    if hasattr(pc.sctp, _COOKIE_TIME):
        setattr(pc.sctp, _COOKIE_TIME, lambda: int(time.monotonic()))


class _Newest(dict[int, int]):
    """The sources that the estimate speaks of: its message has room for some only."""

    def __setitem__(self, source: int, moment: int) -> None:
        if source not in self and len(self) >= MOST_SOURCES:
            del self[next(iter(self))]
        super().__setitem__(source, moment)


class _Sources(dict[int, Any]):
    """The statistics of each source."""

    def __setitem__(self, source: int, statistics: Any) -> None:
        if hasattr(statistics, _LAST_ARRIVAL) and hasattr(statistics, _CLOCK_RATE):
            rate = getattr(statistics, _CLOCK_RATE)
            statistics = SteadyStatistics(statistics, _LAST_ARRIVAL, rate)
        super().__setitem__(source, statistics)


class Feedback:
    """Asks the sender of a video track for what is missing. Where this aiortc can't, nothing is
    asked.
    """

    def __init__(self, pc: RTCPeerConnection, track: MediaStreamTrack) -> None:
        receiver = _receiver_of(pc, track)
        self._nack = getattr(receiver, _SEND_NACK, None)
        self._pli = getattr(receiver, _SEND_PLI, None)

    async def request_packets(self, source: int, numbers: Sequence[int]) -> None:
        """Asks for packets once more (NACK)."""
        if self._nack is not None:
            await self._nack(source, sorted(numbers))  # aiortc fails where they wrap

    async def request_key_frame(self, source: int) -> None:
        """Asks for a picture that needs none before it (PLI)."""
        if self._pli is not None:
            await self._pli(source)


async def request_key_frame(pc: RTCPeerConnection, track: MediaStreamTrack) -> bool | None:
    """Asks the sender of `track` for a key frame (PLI).

    Returns:
        False if nothing has come from it yet, so that there is nobody to ask; None if this aiortc
        can't ask.
    """
    receiver = _receiver_of(pc, track)
    if receiver is None:
        return None
    send = getattr(receiver, _SEND_PLI, None)
    if send is None:
        logger.warning("this aiortc can't ask for a key frame: the picture comes with the next one")
        return None
    sources = receiver.getSynchronizationSources()
    for source in sources:
        await send(source.source)
    return bool(sources)


def _receiver_of(pc: RTCPeerConnection, track: MediaStreamTrack) -> RTCRtpReceiver | None:
    """Returns the receiver of `track`; None outside the window."""
    if not window.IS_OPEN:
        return None
    return next((r for r in pc.getReceivers() if r.track is track), None)
