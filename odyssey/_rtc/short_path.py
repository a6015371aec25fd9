"""A short path for video packets, past most of what aiortc does for each of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from struct import Struct
from typing import Any, Protocol

_HEADER = Struct("!BBHLL")
_PLAIN_HEADER = 0b10_0_0_0000  # version 2, no padding, no contributing sources
_EXTENSION = 0b00_0_1_0000
_MARKER = 0x80
#: One in so many packets takes the long path, even where no packet has a marker.
_SAMPLE = 64


class Statistics(Protocol):
    """aiortc's statistics of a source, for its reports to the sender."""

    def add(self, packet: Any) -> None: ...


class Packet:
    """The parts of an RTP packet that are used; `data` is the payload without codec header."""

    __slots__ = ("data", "marker", "sequence_number", "ssrc", "timestamp")

    def __init__(
        self, sequence_number: int, timestamp: int, ssrc: int, data: bytes, marker: int = 0
    ) -> None:
        self.marker = marker
        self.sequence_number = sequence_number
        self.timestamp = timestamp
        self.ssrc = ssrc
        self.data = data


class ShortPath:
    """Stands in for the method of aiortc's DTLS transport that handles RTP packets.

    The packet with the marker, one for each frame, takes the long path through aiortc. That is
    enough for aiortc's bandwidth estimate, which also gets the `bytes_taken` of the other packets,
    and for its list of active sources.

    Args:
        long: The method of the transport.
        take: Gets each packet that takes the short path, with aiortc's description of its codec.
        codecs: aiortc's codecs by payload type.
        statistics: aiortc's statistics by source; the first packet of a source, which takes the
            long path, creates them.
    """

    def __init__(
        self,
        long: Callable[..., Awaitable[None]],
        take: Callable[[Any, Packet], None],
        codecs: dict[int, Any],
        statistics: dict[int, Statistics],
    ) -> None:
        self.bytes_taken = 0
        self._long = long
        self._take = take
        self._codecs = codecs
        self._statistics = statistics
        self._depayloaders: dict[int, Callable[[bytes], bytes] | None] = {}

    async def handle(self, data: bytes, arrival_time_ms: int) -> None:
        """Handles a decrypted RTP packet."""
        if len(data) < 16 or data[1] & _MARKER or not self._shortened(data):
            await self._long(data, arrival_time_ms=arrival_time_ms)

    def _shortened(self, data: bytes) -> bool:
        flags, payload_type, number, timestamp, source = _HEADER.unpack_from(data)
        statistics = self._statistics.get(source)
        depayload = self._depayloaders.get(payload_type) or self._find(payload_type)
        if (
            flags & ~_EXTENSION != _PLAIN_HEADER
            or statistics is None
            or depayload is None
            or number % _SAMPLE == 0
        ):
            return False
        start = 16 + 4 * int.from_bytes(data[14:16], "big") if flags & _EXTENSION else 12
        if len(data) <= start:
            return False
        try:
            packet = Packet(number, timestamp, source, depayload(data[start:]))
        except ValueError:
            return False
        statistics.add(packet)
        self.bytes_taken += len(data) - start
        self._take(self._codecs[payload_type], packet)
        return True

    def _find(self, payload_type: int) -> Callable[[bytes], bytes] | None:
        if payload_type not in self._depayloaders and payload_type in self._codecs:
            self._depayloaders[payload_type] = _depayloader(self._codecs[payload_type])
        return self._depayloaders.get(payload_type)


def _depayloader(codec: Any) -> Callable[[bytes], bytes] | None:
    """Returns what takes the codec's header off a payload; None for other codecs and repairs."""
    # Private modules of aiortc, which other versions may not have.
    from aiortc.codecs import is_rtx
    from aiortc.codecs.h264 import h264_depayload
    from aiortc.codecs.vpx import vp8_depayload

    if is_rtx(codec):
        return None
    return {"VP8": vp8_depayload, "H264": h264_depayload}.get(codec.name)


class BandwidthEstimate:
    """Wraps aiortc's bandwidth estimate, and adds the bytes that took the short path."""

    def __init__(self, estimator: Any, path: ShortPath) -> None:
        self._estimator = estimator
        self._path = path

    def add(self, *, payload_size: int, **packet: int) -> Any:
        taken, self._path.bytes_taken = self._path.bytes_taken, 0
        return self._estimator.add(payload_size=payload_size + taken, **packet)
