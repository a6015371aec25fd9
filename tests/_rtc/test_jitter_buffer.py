"""Frames from packets: released with the marker, whatever the order of arrival."""

from __future__ import annotations

import random

import pytest
from aiortc.rtp import RtpPacket

from odyssey._rtc.jitter_buffer import MarkerJitterBuffer

SIZES = [3, 1, 5, 2, 4]


def packets(sizes: list[int] = SIZES, first: int = 65530, marker: bool = True) -> list[RtpPacket]:
    """Frames of so many packets each; sequence numbers wrap under way."""
    made = []
    sequence = first
    for frame, size in enumerate(sizes):
        for i in range(size):
            packet = RtpPacket(
                sequence_number=sequence & 0xFFFF,
                timestamp=(0xFFFFFF00 + frame * 3750) & 0xFFFFFFFF,
                marker=int(marker and i == size - 1),
            )
            packet._data = f"{frame}.{i};".encode()  # type: ignore[attr-defined]
            made.append(packet)
            sequence += 1
    return made


def frame_data(frame: int) -> bytes:
    return "".join(f"{frame}.{i};" for i in range(SIZES[frame])).encode()


def feed(buffer: MarkerJitterBuffer, arriving: list[RtpPacket]) -> list[bytes]:
    released = (buffer.add(packet)[1] for packet in arriving)
    return [frame.data for frame in released if frame is not None]


def test_a_frame_comes_with_its_last_packet() -> None:
    buffer = MarkerJitterBuffer()
    at = 0
    for frame, size in enumerate(SIZES):
        arriving = packets()[at : at + size]
        assert feed(buffer, arriving[:-1]) == []
        assert feed(buffer, arriving[-1:]) == [frame_data(frame)]
        at += size


def test_without_markers_a_change_of_timestamp_ends_a_frame() -> None:
    expected = [frame_data(i) for i in range(len(SIZES) - 1)]
    assert feed(MarkerJitterBuffer(), packets(marker=False)) == expected


def test_after_a_repair_the_frames_come_one_with_each_packet() -> None:
    arriving = packets()
    lost = arriving.pop(1)
    buffer = MarkerJitterBuffer()
    assert feed(buffer, arriving[:5]) == []
    assert feed(buffer, [lost]) == [frame_data(0)]
    assert feed(buffer, arriving[5:]) == [frame_data(i) for i in range(1, len(SIZES))]


@pytest.mark.parametrize("seed", range(20))
def test_any_order_within_reach(seed: int) -> None:
    first, *rest = packets([3, 1, 5, 2, 4] * 4)
    shuffled = [first]
    chance = random.Random(seed)
    while rest:
        shuffled.append(rest.pop(chance.randrange(min(4, len(rest)))))
    tail = packets([1] * 30, first=shuffled_end(first, 60))
    released = feed(MarkerJitterBuffer(), shuffled + tail)
    order = [int(data.split(b".")[0]) for data in released[:20]]
    assert order == list(range(20))


def shuffled_end(first: RtpPacket, count: int) -> int:
    return (first.sequence_number + count) & 0xFFFF


def test_arrivals_go_by_the_decoders_timestamps() -> None:
    buffer = MarkerJitterBuffer()
    feed(buffer, packets())
    times = [buffer.arrived_at(frame * 3750) for frame in range(len(SIZES))]
    assert None not in times
    assert times == sorted(times)  # type: ignore[type-var]
    assert buffer.arrived_at(1) is None


def test_a_key_frame_of_400_packets() -> None:
    assert len(feed(MarkerJitterBuffer(), packets([400]))) == 1
