"""The sender: the emulator in a process of its own, whose video was encoded beforehand."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import av

from benchmarks import clip as clips
from benchmarks.stamps import Stamps
from odyssey.emulator import Emulator
from odyssey.emulator.live import streamer
from odyssey.emulator.live.live_stream import LiveStream
from odyssey.emulator.live.streamer_track import StreamerTrack


class ClipTrack(StreamerTrack):
    """Sends the clip while a stream runs, and black otherwise, as the emulator does."""

    clip: clips.Clip
    stamps: Stamps

    _played: LiveStream | None = None
    _number = 0
    _start = 0.0
    _first_pts = 0

    async def _scene(self, stream: LiveStream) -> av.Packet[Any] | None:
        if self._played is not stream:
            self._played, self._number = stream, 0
            self._start = time.monotonic()
            self._first_pts, _ = self._next_pts(round((self._start - self._origin) * 90_000))
            self.stamps.clear()
        number = self._number
        due = self._start + number / clips.FRAME_RATE
        await self._wait(due - time.monotonic())
        if self._stream is not stream:
            return None
        self._number += 1
        self._last_pts = self._first_pts + number * clips.TICKS
        self.painted.set()
        packet = self.clip.packet(number, self._last_pts)
        self.stamps.set(number)
        return packet


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--codec", choices=("vp8", "h264"), required=True)
    parser.add_argument("--stamps", type=Path, required=True)
    arguments = parser.parse_args()
    ClipTrack.clip = clips.load(arguments.codec)
    ClipTrack.stamps = Stamps(arguments.stamps, create=True)
    setattr(streamer, "StreamerTrack", ClipTrack)  # noqa: B010 - it is no public name
    with Emulator(codec=arguments.codec, bitrate=clips.BITRATE) as emulator:
        print(emulator.url, emulator.api_key, flush=True)
        sys.stdin.read()  # until the one who started this one closes it


if __name__ == "__main__":
    main()
