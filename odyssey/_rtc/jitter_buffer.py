"""Encoded frames put together from RTP packets, without aiortc's frame of delay."""

from __future__ import annotations

import collections
import time

from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtp import RtpPacket

#: As aiortc's for video: a power of two, beyond the packets of the largest key frame.
CAPACITY = 512
#: Arrivals that are remembered: more than can be between here and the decoder's end.
REMEMBERED = 256

_WRAP = 0xFFFFFFFF


class MarkerJitterBuffer(JitterBuffer):
    """Gives a frame out with its last packet, which carries the marker bit.

    aiortc's waits for the first packet of the next frame: at a stream's start that would be a
    picture from before it, and the last picture would never come. A change of timestamp ends a
    frame too, for senders that don't set the bit. After a repair, frames that became complete come
    out one with each packet.
    """

    def __init__(self) -> None:
        super().__init__(capacity=CAPACITY, is_video=True)
        self._first: int | None = None
        self._arrivals: collections.OrderedDict[int, float] = collections.OrderedDict()

    def arrived_at(self, pts: int) -> float | None:
        """`time.monotonic()` of the last packet of the frame with that `pts`, as the decoder gives
        it: RTP timestamps counted from the first frame's.
        """
        return self._arrivals.get(pts & _WRAP)

    def _remove_frame(self, sequence_number: int) -> JitterFrame | None:  # noqa: ARG002 - aiortc's
        packets: list[RtpPacket] = []
        origin = self._origin or 0  # set by the first packet
        for count in range(self._capacity):
            packet = self._packets[(origin + count) % self._capacity]
            if packet is None:
                return None
            if packets and packet.timestamp != packets[0].timestamp:
                return self._release(packets, count)
            packets.append(packet)
            if packet.marker:
                return self._release(packets, count + 1)
        return None

    def _release(self, packets: list[RtpPacket], count: int) -> JitterFrame:
        timestamp = packets[0].timestamp
        if self._first is None:
            self._first = timestamp
        self._arrivals[(timestamp - self._first) & _WRAP] = time.monotonic()
        if len(self._arrivals) > REMEMBERED:
            self._arrivals.popitem(last=False)
        self.remove(count)
        data = b"".join(packet._data for packet in packets)  # type: ignore[attr-defined]
        return JitterFrame(data=data, timestamp=timestamp)
