"""A shorter way for video packets, past most of what aiortc does for each of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from struct import Struct
from typing import Any, Protocol

from aiortc.codecs import is_rtx
from aiortc.codecs.h264 import h264_depayload
from aiortc.codecs.vpx import vp8_depayload

_HEADER = Struct("!BBHLL")
_PLAIN_HEADER = 0b10_0_0_0000  # version 2, no padding, no contributing sources
_EXTENSION = 0b00_0_1_0000
_MARKER = 0x80
#: A packet in so many goes the long way, even where no packet has a marker.
_SAMPLE = 64

_DEPAYLOADERS = {"VP8": vp8_depayload, "H264": h264_depayload}


class Statistics(Protocol):
    """What aiortc counts of a source, for its reports to the sender."""

    def add(self, packet: Any) -> None: ...


class Packet:
    """What is used of an RTP packet; `data` is its payload without the codec's header."""

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
    """Stands in for the method of aiortc's DTLS transport that takes RTP packets.

    Of each frame, the packet with the marker goes the long way: so much is enough for aiortc's
    estimate of the bandwidth (with the `bytes_taken` of the others) and its notes of who sends.

    long: that method.
    take: gets the packets that don't go through it, with aiortc's description of their codec.
    codecs: aiortc's, by payload type.
    statistics: aiortc's, by source; begun on the long way.
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
        """An RTP packet, deciphered."""
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
            codec = self._codecs[payload_type]
            self._depayloaders[payload_type] = (
                None if is_rtx(codec) else _DEPAYLOADERS.get(codec.name)
            )
        return self._depayloaders.get(payload_type)


class BandwidthEstimate:
    """aiortc's, told of the bytes that it doesn't see."""

    def __init__(self, estimator: Any, path: ShortPath) -> None:
        self._estimator = estimator
        self._path = path

    def add(self, *, payload_size: int, **packet: int) -> Any:
        taken, self._path.bytes_taken = self._path.bytes_taken, 0
        return self._estimator.add(payload_size=payload_size + taken, **packet)
