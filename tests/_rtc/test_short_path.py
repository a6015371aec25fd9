"""Packets past aiortc: the same data, counted, and the long way for whatever is unusual."""

from __future__ import annotations

import asyncio
from typing import Any

import attrs
import pytest
from aiortc.codecs import depayload
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import RtpPacket

from odyssey._rtc.short_path import BandwidthEstimate, Packet, ShortPath

VP8 = RTCRtpCodecParameters(mimeType="video/VP8", clockRate=90000, payloadType=97)
RTX = RTCRtpCodecParameters(mimeType="video/rtx", clockRate=90000, payloadType=98)
H264 = RTCRtpCodecParameters(mimeType="video/H264", clockRate=90000, payloadType=99)
PAYLOADS = {97: b"\x90\x80\x81\x23some vp8", 98: b"\x00\x07rtx", 99: b"\x7c\x85fragment"}


@attrs.define
class Counter:
    packets: list[Any] = attrs.field(factory=list)

    def add(self, packet: Any) -> None:
        self.packets.append(packet)


class Path:
    """A short path, what it took, and what went the long way."""

    def __init__(self) -> None:
        self.long: list[bytes] = []
        self.taken: list[tuple[Any, Packet]] = []
        self.counter = Counter()
        self.path = ShortPath(
            self._long,
            lambda codec, packet: self.taken.append((codec, packet)),
            {97: VP8, 98: RTX, 99: H264},
            {1: self.counter},
        )

    async def _long(self, data: bytes, arrival_time_ms: int) -> None:
        self.long.append(data)

    def handle(self, data: bytes) -> None:
        asyncio.run(self.path.handle(data, arrival_time_ms=7))


@pytest.fixture
def path() -> Path:
    return Path()


def rtp(payload_type: int = 97, **fields: Any) -> RtpPacket:
    fields = {"sequence_number": 65535, "timestamp": 4_000_000_000, "ssrc": 1} | fields
    return RtpPacket(payload_type=payload_type, payload=PAYLOADS[payload_type], **fields)


@pytest.mark.parametrize(("codec", "payload_type"), [(VP8, 97), (H264, 99)])
def test_a_packet_is_read_as_aiortc_reads_it(
    path: Path, codec: RTCRtpCodecParameters, payload_type: int
) -> None:
    packet = rtp(payload_type)
    path.handle(packet.serialize())
    ((known, taken),) = path.taken
    assert known is codec
    assert taken.data == depayload(codec, packet.payload)
    assert (taken.sequence_number, taken.timestamp, taken.ssrc) == (65535, 4_000_000_000, 1)
    assert path.counter.packets == [taken]
    assert path.path.bytes_taken == len(packet.payload)
    assert path.long == []


def test_with_a_header_extension(path: Path) -> None:
    data = rtp().serialize()
    extended = bytes([data[0] | 0x10]) + data[1:12] + b"\xbe\xde\x00\x01\x32abc" + data[12:]
    path.handle(extended)
    ((_, taken),) = path.taken
    assert taken.data == depayload(VP8, PAYLOADS[97])


@pytest.mark.parametrize(
    "data",
    [
        rtp(marker=1).serialize(),
        rtp(ssrc=2).serialize(),  # not counted yet
        rtp(98).serialize(),
        rtp(sequence_number=128).serialize(),  # one in 64
        rtp().serialize()[:13],
        bytes([rtp().serialize()[0] | 0x20]) + rtp().serialize()[1:],  # padding
        bytes([0x81]) + rtp().serialize()[1:],  # a contributing source
        bytes([0x90]) + rtp().serialize()[1:12] + b"\xbe\xde\xff\xff" + b"short",
        rtp().serialize()[:1] + b"\x05" + rtp().serialize()[2:],  # of no known type
        rtp(99).serialize()[:12] + b"\x1f\x00\x00\x00",  # no H264 that is known
    ],
)
def test_whatever_is_unusual_goes_the_long_way(path: Path, data: bytes) -> None:
    path.handle(data)
    assert path.long == [data]
    assert path.taken == []
    assert path.counter.packets == []


def test_the_bandwidth_is_estimated_from_all_bytes(path: Path) -> None:
    seen = []

    class Estimator:
        def add(self, **packet: int) -> str:
            seen.append(packet)
            return "estimate"

    estimate = BandwidthEstimate(Estimator(), path.path)
    path.handle(rtp().serialize())
    path.handle(rtp(sequence_number=1).serialize())
    taken = 2 * len(PAYLOADS[97])
    assert estimate.add(payload_size=100, ssrc=1) == "estimate"
    assert estimate.add(payload_size=100, ssrc=1) == "estimate"
    assert [packet["payload_size"] for packet in seen] == [100 + taken, 100]
