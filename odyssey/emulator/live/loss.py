"""Packets of the video that get lost on their way."""

from __future__ import annotations

import random
from typing import Any

from aiortc import RTCRtpSender

from odyssey.emulator.faults import Faults, LosePacket, PacketLoss
from odyssey.emulator.live.streamer_track import StreamerTrack

__all__ = ["lose_packets"]

_RTP_HEADER = 12
_MARKER = 0x80


def lose_packets(sender: RTCRtpSender, track: StreamerTrack, faults: Faults) -> None:
    """Lets the faults `PacketLoss` and `LosePacket` strike what `sender` sends of the track.

    Frames that the track says are lost are lost here, packet by packet: what follows them shows it.
    """
    line = _Line(sender, track, faults)
    sender._retransmit = line.retransmit  # type: ignore[method-assign]
    sender.transport._send_rtp = line.send  # type: ignore[method-assign]


class _Line:
    """Stands in for two methods of aiortc's."""

    def __init__(self, sender: RTCRtpSender, track: StreamerTrack, faults: Faults) -> None:
        self._source = sender._ssrc
        self._repair_source = sender._rtx_ssrc
        self._send = sender.transport._send_rtp
        self._retransmit = sender._retransmit
        self._track = track
        self._faults = faults
        self._random = random.Random(1)  # noqa: S311 - the same packets in each run
        self._beyond_repair: set[int] = set()

    async def send(self, data: bytes) -> None:
        """A packet of the transport: RTP of the video, repairs, RTCP."""
        if not self._is_lost(data):
            await self._send(data)

    async def retransmit(self, sequence_number: int) -> Any:
        if sequence_number not in self._beyond_repair:
            await self._retransmit(sequence_number)

    def _is_lost(self, data: bytes) -> bool:
        source = int.from_bytes(data[8:12], "big") if len(data) > _RTP_HEADER else None
        if source == self._source and (
            self._track.frame_is_lost or (not data[1] & _MARKER and self._faults.take(LosePacket))
        ):
            self._beyond_repair.add(int.from_bytes(data[2:4], "big"))
            return True
        loss = (
            self._faults.find(PacketLoss) if source in (self._source, self._repair_source) else None
        )
        return loss is not None and self._random.random() < loss.share
