"""Packets of the video that get lost on their way."""

from __future__ import annotations

import random

from aiortc import RTCRtpSender

from odyssey.emulator.faults import Faults, LosePacket, PacketLoss
from odyssey.emulator.live.streamer_track import StreamerTrack
from odyssey.emulator.private_rtp import drop_packets

__all__ = ["lose_packets"]

_MARKER = 0x80


def lose_packets(sender: RTCRtpSender, track: StreamerTrack, faults: Faults) -> None:
    """Lets the faults `PacketLoss` and `LosePacket` strike what `sender` sends of the track.

    Frames that the track says are lost are lost here, packet by packet: what follows them shows it.
    """
    line = _Line(track, faults)
    drop_packets(sender, line.is_lost, line.is_beyond_repair)


class _Line:
    """Decides which packets are lost."""

    def __init__(self, track: StreamerTrack, faults: Faults) -> None:
        self._track = track
        self._faults = faults
        self._random = random.Random(1)  # noqa: S311 - the same packets in each run
        self._beyond_repair: set[int] = set()

    def is_lost(self, data: bytes, repairs: bool) -> bool:
        if not repairs and (
            self._track.frame_is_lost or (not data[1] & _MARKER and self._faults.take(LosePacket))
        ):
            self._beyond_repair.add(int.from_bytes(data[2:4], "big"))
            return True
        loss = self._faults.find(PacketLoss)
        return loss is not None and self._random.random() < loss.share

    def is_beyond_repair(self, sequence_number: int) -> bool:
        return sequence_number in self._beyond_repair
