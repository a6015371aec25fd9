"""Frames from packets: released with the marker, whatever the order of arrival; what is asked for
when some are missing.
"""

from __future__ import annotations

import itertools
import random
import time

import pytest
from aiortc.codecs.h264 import h264_depayload

from odyssey._rtc.assembler import (
    GIVE_UP_AFTER,
    NACK_INTERVAL,
    PLI_AFTER,
    PLI_INTERVAL,
    FeedbackRequest,
    FrameAssembler,
    LossState,
)
from odyssey._rtc.short_path import Packet

FIRST = 65530  # sequence numbers wrap under way
KEY = b"\x10\x00\x00\x9d\x01\x2a"
SIZES = [3, 1, 5, 2, 4]


def video(
    sizes: list[int] = SIZES,
    keys: tuple[int, ...] = (0,),
    *,
    first: int = FIRST,
    marker: bool = True,
    codec: str = "vp8",
    ssrc: int = 1,
) -> list[Packet]:
    """Frames of so many packets each, those in `keys` key frames."""
    made: list[Packet] = []
    for frame, size in enumerate(sizes):
        for i in range(size):
            number = (first + len(made)) & 0xFFFF
            timestamp = (0xFFFFFF00 + frame * 3750) & 0xFFFFFFFF
            data = head(codec, frame in keys, i) + f"{frame}.{i};".encode()
            made.append(Packet(number, timestamp, ssrc, data, int(marker and i == size - 1)))
    return made


def head(codec: str, key: bool, i: int) -> bytes:
    if codec == "vp8":
        return b"" if i else KEY if key else b"\x11"
    unit = b"\0\0\0\1"
    if i:
        return b""
    return unit + b"\x67sps" + unit + b"\x68pps" + unit + b"\x65" if key else unit + b"\x41"


class Line:
    """Packets arrive one each millisecond; the frames that come out are noted by number."""

    def __init__(self) -> None:
        self.assembler = FrameAssembler()
        self.now = 100.0
        self.frames: list[int] = []
        self.data: list[bytes] = []
        self.wishes: list[FeedbackRequest] = []
        self._checked = self.now

    def arrive(self, packets: list[Packet]) -> list[int]:
        """The frames that these bring."""
        before = len(self.frames)
        for packet in packets:
            self.now += 0.001
            for frame in self.assembler.add(packet, self.now):
                self.frames.append(((frame.rtp_timestamp - 0xFFFFFF00) & 0xFFFFFFFF) // 3750)
                self.data.append(frame.data)
            self._check()
        return self.frames[before:]

    def wait(self, seconds: float) -> list[FeedbackRequest]:
        """What is asked for meanwhile."""
        before, end = len(self.wishes), self.now + seconds
        while self.now < end:
            self.now += 0.01
            self._check()
        return self.wishes[before:]

    def _check(self) -> None:
        if self.assembler.flow is LossState.STEADY:
            self._checked = self.now
        elif self.now - self._checked >= NACK_INTERVAL:
            self._checked = self.now
            self.wishes.append(self.assembler.check(self.now))


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.mark.parametrize("codec", ["vp8", "h264"])
def test_a_frame_comes_with_its_last_packet(line: Line, codec: str) -> None:
    packets = video(codec=codec)
    for frame, size in enumerate(SIZES):
        arriving, packets = packets[:size], packets[size:]
        assert line.arrive(arriving[:-1]) == []
        assert line.arrive(arriving[-1:]) == [frame]
    whole = [b"".join(p.data for p in video(codec=codec)[i:j]) for i, j in ((0, 3), (3, 4))]
    assert line.data[:2] == whole


def test_without_markers_a_change_of_timestamp_ends_a_frame(line: Line) -> None:
    assert line.arrive(video(marker=False)) == [0, 1, 2, 3]


def test_after_a_repair_all_that_waited_comes_at_once(line: Line) -> None:
    packets = video()
    lost = packets.pop(4)
    assert line.arrive(packets) == [0, 1]
    assert line.arrive([lost]) == [2, 3, 4]
    assert line.assembler.flow is LossState.STEADY


@pytest.mark.parametrize("seed", range(20))
def test_any_order_within_reach(line: Line, seed: int) -> None:
    first, *rest = video(SIZES * 4)
    shuffled = [first]
    chance = random.Random(seed)
    while rest:
        shuffled.append(rest.pop(chance.randrange(min(4, len(rest)))))
    assert line.arrive(shuffled) == list(range(20))


def test_each_packet_twice(line: Line) -> None:
    assert line.arrive([p for packet in video() for p in (packet, packet)]) == [0, 1, 2, 3, 4]


def test_packets_that_only_pad_are_no_frame(line: Line) -> None:
    packets = video([1, 1, 1])
    padding = Packet((FIRST + 1) & 0xFFFF, packets[0].timestamp, 1, b"")
    for packet in packets[1:]:
        packet.sequence_number = (packet.sequence_number + 1) & 0xFFFF
    assert line.arrive([packets[0], padding, *packets[1:]]) == [0, 1, 2]


def test_a_key_frame_of_400_packets(line: Line) -> None:
    assert line.arrive(video([400, 3])) == [0, 1]
    assert not any(wish.key_frame for wish in line.wishes)


def test_nothing_comes_before_the_first_key_frame(line: Line) -> None:
    assert line.arrive(video([2, 2, 2, 2], keys=(2,))) == [2, 3]


def test_a_key_frame_is_asked_for_when_none_comes(line: Line) -> None:
    line.arrive(video([2, 2], keys=()))
    assert [w.key_frame for w in line.wait(PLI_AFTER + NACK_INTERVAL)].count(True) == 1


def test_what_is_missing_is_asked_for_again_and_again(line: Line) -> None:
    packets = video()
    line.arrive(packets[:4] + packets[6:])
    wishes = line.wait(0.11)
    assert [w.packets for w in wishes] == [((FIRST + 4) & 0xFFFF, (FIRST + 5) & 0xFFFF)] * 2
    assert not any(w.key_frame for w in wishes)


def test_a_gap_is_told_once(line: Line) -> None:
    packets = video()
    line.arrive(packets[:4] + packets[6:7])
    assert line.assembler.gap == ((FIRST + 4) & 0xFFFF, (FIRST + 5) & 0xFFFF)
    line.arrive(packets[:1])  # one that comes again, far too late
    assert not line.assembler.gap


def test_after_a_while_a_key_frame_is_asked_for_and_resumed_on(line: Line) -> None:
    packets = video([3] * 12, keys=(0, 9))
    assert line.arrive(packets[:4] + packets[5:20]) == [0]
    assert any(w.key_frame for w in line.wait(PLI_AFTER + NACK_INTERVAL))
    assert line.arrive(packets[20:]) == [9, 10, 11]
    assert line.assembler.flow is LossState.STEADY


def test_a_key_frame_that_came_before_it_was_asked_for_will_do(line: Line) -> None:
    packets = video([3] * 6, keys=(0, 3))
    assert line.arrive(packets[:4] + packets[5:]) == [0]
    line.wait(PLI_AFTER + NACK_INTERVAL)
    assert line.arrive(video([3] * 7, keys=(0, 3))[18:]) == [3, 4, 5, 6]


def test_the_request_is_repeated_but_not_at_every_turn(line: Line) -> None:
    packets = video([3] * 6)
    line.arrive(packets[:4] + packets[5:])
    asked = [w.key_frame for w in line.wait(PLI_AFTER + 2 * PLI_INTERVAL + NACK_INTERVAL)]
    assert 2 <= asked.count(True) <= 3


def test_without_any_key_frame_it_goes_on_in_the_end(line: Line) -> None:
    packets = video([3] * 8)
    assert line.arrive(packets[:4] + packets[5:18]) == [0]
    line.wait(GIVE_UP_AFTER + NACK_INTERVAL)
    assert line.arrive(packets[18:]) == [2, 3, 4, 5, 6, 7]
    assert line.assembler.flow is LossState.STEADY


def test_a_stream_without_any_key_frame_is_given_to_the_decoder_in_the_end(line: Line) -> None:
    packets = video([2] * 4, keys=())
    assert line.arrive(packets[:4]) == []
    line.wait(GIVE_UP_AFTER + NACK_INTERVAL)
    assert line.arrive(packets[4:]) == [2, 3]


def test_two_holes_one_repaired(line: Line) -> None:
    packets = video([3] * 6)
    missing = packets[4], packets[10]
    assert line.arrive([p for p in packets if p not in missing]) == [0]
    assert line.arrive([missing[0]]) == [1, 2]
    assert line.assembler.flow is LossState.HOLE
    assert line.arrive([missing[1]]) == [3, 4, 5]


def test_a_decoder_that_lost_the_thread_gets_a_key_frame_next(line: Line) -> None:
    packets = video([2] * 6, keys=(0, 4))
    line.arrive(packets[:4])
    line.assembler.require_key_frame(line.now)
    assert line.assembler.check(line.now).key_frame
    assert line.arrive(packets[4:]) == [4, 5]


def test_after_an_outage_it_begins_anew(line: Line) -> None:
    line.arrive(video([2] * 4))
    later = video([2] * 4, keys=(2,), first=FIRST + 8000)
    assert line.arrive(later) == [2, 3]


def test_another_source_begins_anew(line: Line) -> None:
    line.arrive(video([2] * 4))
    assert line.arrive(video([2] * 4, first=17, ssrc=2)) == [0, 1, 2, 3]


def test_a_large_key_frame_on_its_way_is_not_asked_for_again(line: Line) -> None:
    packets = video([300])
    line.arrive(packets[:100])
    assert not any(w.key_frame for w in line.wait(0.3))
    assert line.arrive(packets[100:]) == [0]


@pytest.mark.parametrize("loss", [0.01, 0.05, 0.3])
@pytest.mark.parametrize("seed", range(5))
def test_frames_come_in_order_and_never_after_a_hole(line: Line, loss: float, seed: int) -> None:
    chance = random.Random(seed)
    keys = tuple(range(0, 400, 20))
    came = line.arrive([p for p in video([3] * 400, keys=keys) if chance.random() >= loss])
    assert came == sorted(set(came))
    lost = {b for a, b in itertools.pairwise(came) if b != a + 1}
    assert lost <= set(keys)


def test_fault_much_waits_behind_a_hole() -> None:
    """What waits is not looked through again with each packet: that took minutes."""
    empty_units = h264_depayload(b"\x18" + bytes(1300))
    assembler = FrameAssembler()
    assembler.add(Packet(0, 0, 1, b"\x11"), 0.0)
    began = time.thread_time()
    for number in range(2, 2000):
        assert not assembler.add(Packet(number, number, 1, empty_units, 1), 0.1)
    assert time.thread_time() - began < 10


def test_a_key_frame_behind_a_hole_that_is_ended_by_the_next_frame() -> None:
    """Also without markers, and where another was repaired before it."""
    line = Line()
    line.arrive(video([2, 1], (0,), marker=False))
    packets = video([1] * 4 + [3, 1, 1], (4,), first=FIRST + 10, marker=False)
    line.arrive(packets[:2])
    line.wait(2 * PLI_AFTER)
    line.arrive(packets[2:])
    assert line.frames[-2:] == [4, 5]
