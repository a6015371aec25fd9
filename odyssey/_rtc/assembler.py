"""Encoded frames put together from RTP packets: what to hand on, what to ask for again, and when.

No socket, no clock: the caller says what time it is.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator

import attrs

from odyssey._rtc.short_path import Packet

#: Packets that may wait behind a hole: some three seconds of video, and a key frame beside them.
CAPACITY = 2048
#: Seconds between two requests for the packets that are missing. The first is made at once.
NACK_INTERVAL = 0.05
#: Seconds after which a hole is taken for final, and a key frame is asked for.
PLI_AFTER = 0.12
#: Seconds between two requests for a key frame.
PLI_INTERVAL = 0.3
#: Seconds after which there seem to be no key frames: damaged pictures are better than none.
GIVE_UP_AFTER = 1.5

_START_CODE = b"\0\0\0\1"  # aiortc's depayloader puts one before each H264 unit
_VP8_KEY = b"\x9d\x01\x2a"
_H264_PICTURE, _H264_KEY, _H264_SPS = 1, 5, 7
# The first of these kinds of units says whether a frame is a key frame.
_H264_DECIDING = re.compile(
    re.escape(_START_CODE)
    + b"["
    + b"".join(
        re.escape(bytes([high | kind]))
        for kind in (_H264_PICTURE, _H264_KEY, _H264_SPS)
        for high in range(0, 256, 32)
    )
    + b"]"
)
_HALF = 0x8000


class EncodedFrame:
    """One frame for the decoder, with the attributes of aiortc's `JitterFrame`."""

    def __init__(self, data: bytes, rtp_timestamp: int, arrived_at: float) -> None:
        self.data = data
        self.timestamp = rtp_timestamp  # aiortc changes it, to count from the first that it sees
        self.rtp_timestamp = rtp_timestamp
        self.arrived_at = arrived_at
        self.followers: list[EncodedFrame] = []  # those that became complete with it


@attrs.frozen
class FeedbackRequest:
    """A request to the sender for packets, or for a key frame."""

    packets: tuple[int, ...] = ()  # sequence numbers
    key_frame: bool = False


class LossState(enum.Enum):
    """The state of the stream of packets."""

    STEADY = "steady"
    HOLE = "hole"  # one is missing: a repair may still come
    LOST = "lost"  # only a key frame helps


class FrameAssembler:
    """Assembles frames from packets; a frame is complete with its marker packet.

    aiortc's own buffer waits for the first packet of the next frame, which is one frame later, and
    never comes after the last one. A change of timestamp also ends a frame, for senders that don't
    set the marker bit. At the start, and after a gap, nothing is handed on until there is a key
    frame or the gap is repaired, so that no damaged picture is shown.
    """

    def __init__(self) -> None:
        self.flow = LossState.LOST
        #: The sequence numbers that the last packet skipped, to be requested at once.
        self.gap: tuple[int, ...] = ()
        self._packets: dict[int, Packet] = {}  # by sequence number, unwrapped
        self._source: int | None = None
        self._next = 0  # the first packet of the next frame
        self._scanned = 0  # up to here the packets of that frame are there
        self._highest = 0
        self._since: float | None = None  # when the trouble began; None while STEADY
        self._asked_at: float | None = None  # for a key frame
        self._taken = False  # whether any frame was taken off the front
        self._look_back = False  # whether a key frame may have come before one was needed

    def add(self, packet: Packet, now: float) -> list[EncodedFrame]:
        """Returns the frames that are complete with this packet, in order."""
        self.gap = ()
        number = self._unwrap(packet, now)
        if number < self._next:
            if self._taken:
                return []
            self._next = self._scanned = number  # the first packets came in another order
        self._packets[number] = packet
        repaired = number < self._highest
        if number > self._highest:
            if number > self._highest + 1:
                self.gap = tuple(n & 0xFFFF for n in range(self._highest + 1, number))
            self._highest = number
        frames = self._pass(now)
        if not frames and self._only_key_helps() and (repaired or self._is_edge(number)):
            frames = self._pass(now) if self._jump_to_key(number) else []
        self._look(now)
        return frames

    def check(self, now: float) -> FeedbackRequest:
        """Returns what to request; called every `NACK_INTERVAL` while the flow isn't steady."""
        if self._since is None:
            return FeedbackRequest()
        if now - self._since >= GIVE_UP_AFTER:
            self._give_up()
            return FeedbackRequest(key_frame=True)
        return FeedbackRequest(self._missing(), self._wants_key_frame(now))

    def require_key_frame(self, now: float) -> None:
        """Drops everything up to the next key frame, as the decoder can't use it."""
        self.flow = LossState.LOST
        self._since = now
        self._asked_at = None
        self._look_back = True

    def _unwrap(self, packet: Packet, now: float) -> int:
        """Returns the packet's number, counted on over the wrap of sequence numbers at 65536."""
        step = (packet.sequence_number - self._highest + _HALF) % (2 * _HALF) - _HALF
        number = self._highest + step
        known = packet.ssrc == self._source
        if known and abs(step) <= CAPACITY and number - self._next < CAPACITY:
            return number
        # Another sender, or the same after a pause: begin anew.
        self._packets.clear()
        self._source = packet.ssrc
        self._taken = False
        self._next = self._scanned = self._highest = packet.sequence_number
        self.require_key_frame(now)
        return packet.sequence_number

    def _pass(self, now: float) -> list[EncodedFrame]:
        """Takes the frames that are complete, and of use, off the front."""
        frames = []
        for end in iter(self._end_of_next, None):
            packets = [self._packets.pop(i) for i in range(self._next, end)]
            self._next = self._scanned = end
            self._taken = True
            frame = _join(packets, now)
            if not frame.data:  # packets that only pad
                continue
            if self.flow is LossState.LOST and not _begins_key_frame(packets):
                continue
            if self.flow is not LossState.STEADY:
                self._settle()
            frames.append(frame)
        return frames

    def _end_of_next(self) -> int | None:
        """Returns the position after the next frame if it is complete."""
        at = self._scanned
        packet = self._packets.get(at)
        while packet is not None:
            if at > self._next and packet.timestamp != self._packets[self._next].timestamp:
                return at
            at += 1
            if packet.marker:
                return at
            packet = self._packets.get(at)
        self._scanned = at
        return None

    def _look(self, now: float) -> None:
        """Whether there is a hole now."""
        if self.flow is LossState.STEADY and self._highest > self._scanned:
            self.flow = LossState.HOLE
            self._since = now
            self._asked_at = None
        elif self.flow is LossState.HOLE and self._highest <= self._scanned:
            self._settle()

    def _settle(self) -> None:
        self.flow = LossState.STEADY
        self._since = None

    def _only_key_helps(self) -> bool:
        return self.flow is LossState.LOST or (
            self.flow is LossState.HOLE and self._asked_at is not None
        )

    def _wants_key_frame(self, now: float) -> bool:
        assert self._since is not None
        # A hole may yet be repaired, and at the start a key frame comes unasked.
        patience = PLI_AFTER if self.flow is LossState.HOLE or not self._taken else 0.0
        if now - self._since < patience or self._key_frame_is_coming():
            return False
        if self._asked_at is not None and now - self._asked_at < PLI_INTERVAL:
            return False
        self._look_back = self._look_back or self._asked_at is None
        self._asked_at = now
        return True

    def _key_frame_is_coming(self) -> bool:
        """Whether a key frame is under way, without a hole so far: a large one takes its time."""
        first = self._packets.get(self._next)
        whole = self._highest < self._scanned
        return whole and first is not None and _begins_key_frame([first])

    def _missing(self) -> tuple[int, ...]:
        """Returns the sequence numbers of the packets that the next frames lack."""
        holes = (n for n in range(self._scanned, self._highest) if n not in self._packets)
        return tuple(n & 0xFFFF for n in holes)

    def _give_up(self) -> None:
        """Goes on with the next frame there is, complete or not."""
        if self._highest > self._scanned and not self._jump(key=True) and not self._jump(key=False):
            self._drop_before(self._highest + 1)
        self._settle()

    def _jump_to_key(self, number: int) -> bool:
        """Skips to a key frame that this packet completes. Others are not looked at again: with
        each packet, that would take the longer the more of them wait.
        """
        if self._look_back:
            self._look_back = False
            return self._jump(key=True)
        start, end = self._frame_around(number)
        # One before may end because this one begins, and the next begin because this one ends.
        for near in (None if start is None else start - 1, number, end):
            first, end = self._frame_around(near)
            if first is None or end is None:
                continue
            if _begins_key_frame([self._packets[i] for i in range(first, end)]):
                self._drop_before(first)
                return True
        return False

    def _is_edge(self, number: int) -> bool:
        """Whether a frame ends with this packet, or, without a marker, with the one before."""
        packet, before = self._packets.get(number), self._packets.get(number - 1)
        if packet is None or packet.marker:
            return packet is not None
        return before is not None and not before.marker and before.timestamp != packet.timestamp

    def _frame_around(self, number: int | None) -> tuple[int | None, int | None]:
        """First packet and end of the frame that this packet is of; None where it is not known."""
        packet = None if number is None else self._packets.get(number)
        if number is None or packet is None:
            return None, None
        start, end = number, number
        before, last = self._packets.get(start - 1), packet
        while before is not None and _is_same_frame(before, packet):
            start -= 1
            before = self._packets.get(start - 1)
        while (after := self._packets.get(end + 1)) is not None and _is_same_frame(last, after):
            end, last = end + 1, after
        is_whole = last.marker or after is not None
        return None if before is None else start, end + 1 if is_whole else None

    def _jump(self, *, key: bool) -> bool:
        """Skips to the first complete frame behind a hole; with `key`, to a key frame there."""
        for start, end in self._frames_behind():
            if not key or _begins_key_frame([self._packets[i] for i in range(start, end)]):
                self._drop_before(start)
                return True
        return False

    def _drop_before(self, number: int) -> None:
        for i in range(self._next, number):
            self._packets.pop(i, None)
        self._next = self._scanned = number

    def _frames_behind(self) -> Iterator[tuple[int, int]]:
        """Yields the first packet and the end of each complete frame after the first hole.

        A frame begins where the one before it ends, so the packet before it has to be there.
        """
        start: int | None = None
        for number in range(self._scanned + 1, self._highest + 1):
            packet, before = self._packets.get(number), self._packets.get(number - 1)
            if packet is None:
                start = None
                continue
            if before is not None and (before.marker or before.timestamp != packet.timestamp):
                if start is not None and not before.marker:
                    yield start, number
                start = number
            if start is not None and packet.marker:
                yield start, number + 1


def _is_same_frame(packet: Packet, after: Packet) -> bool:
    return not packet.marker and packet.timestamp == after.timestamp


def _join(packets: list[Packet], now: float) -> EncodedFrame:
    data = b"".join(packet.data for packet in packets)
    return EncodedFrame(data, packets[0].timestamp, now)


def _begins_key_frame(packets: list[Packet]) -> bool:
    """Whether a frame can be decoded without any before it, as its own first bytes say."""
    for packet in packets:
        data = packet.data
        if not data.startswith(_START_CODE):
            if data:
                return not data[0] & 1 and data[3:6] == _VP8_KEY
            continue
        if (found := _H264_DECIDING.search(data)) is not None:
            return found[0][-1] & 0x1F != _H264_PICTURE
    return False
