"""Packets of the video that get lost: the picture comes back, and is never a damaged one."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from odyssey import Odyssey, VideoFrame
from odyssey.emulator import Emulator, faults, read_frame_number
from odyssey.emulator.encoder import FrameEncoder
from odyssey.emulator.settings import Codec

pytestmark = [pytest.mark.timing, pytest.mark.live]

#: Seconds from a loss to the next picture: to notice it, to ask, and the next frame's time.
BACK_WITHIN = 0.3


@pytest.fixture(params=["vp8", "h264"])
def codec(request: pytest.FixtureRequest) -> Codec:
    codec: Codec = request.param
    return codec


def numbers(frames: list[VideoFrame]) -> list[int]:
    """What the pictures carry; a damaged one would carry no number, or one out of order."""
    found = [read_frame_number(frame.data) for frame in frames]
    assert None not in found
    return [number for number in found if number is not None]


def test_one_packet_lost_and_never_repaired(codec: Codec) -> None:
    with Emulator(codec=codec) as emulator:
        with Odyssey(emulator.api_key, api_url=emulator.url, timeout=15) as client:
            client.connect()
            with client.stream("A fox") as stream:
                frames = stream.frames.take(12)
                emulator.faults.inject(faults.LosePacket(), times=1)
                frames += stream.frames.take(24)
    found = numbers(frames)
    assert found == sorted(set(found))
    assert any(b > a + 1 for a, b in itertools.pairwise(found)), "nothing was lost"
    gap = max(b.timestamp_ms - a.timestamp_ms for a, b in itertools.pairwise(frames)) / 1000
    pause = max(b.received_at - a.received_at for a, b in itertools.pairwise(frames))
    assert gap < BACK_WITHIN + 0.1
    assert pause < 2 * BACK_WITHIN  # on a machine that does other things, too


@pytest.mark.parametrize("share", [pytest.param(0.01, marks=pytest.mark.slow), 0.05])
def test_repaired_losses_cost_no_frame(codec: Codec, share: float) -> None:
    with Emulator(codec=codec, bitrate=2_000_000) as emulator:
        with Odyssey(emulator.api_key, api_url=emulator.url, timeout=15) as client:
            client.connect()
            with client.stream("A fox") as stream:
                stream.frames.take(6)
                emulator.faults.inject(faults.PacketLoss(share=share))
                found = numbers(stream.frames.take(60))
                emulator.faults.clear()
    assert found == sorted(set(found))
    # A repair may be lost as well, and in the end a key frame asked for: that skips some frames.
    assert found[-1] - found[0] < 60 + 24


@pytest.mark.slow
def test_several_losses_one_after_another(codec: Codec) -> None:
    with Emulator(codec=codec) as emulator:
        with Odyssey(emulator.api_key, api_url=emulator.url, timeout=15) as client:
            client.connect()
            with client.stream("A fox") as stream:
                for _ in range(3):
                    emulator.faults.inject(faults.LosePacket(), times=1)
                    stream.frames.take(10)
                found = numbers(stream.frames.take(10))
    assert found == sorted(set(found))


def test_a_key_frame_of_more_than_400_packets(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    encode = FrameEncoder.encode

    def measured(encoder: FrameEncoder, frame: Any, pts: int, *, key: bool = False) -> Any:
        packet = encode(encoder, frame, pts, key=key)
        sizes.append(packet.size)
        return packet

    monkeypatch.setattr(FrameEncoder, "encode", measured)
    noise = np.random.default_rng(3).integers(0, 256, (704, 1280, 3), np.uint8)
    with Emulator(bitrate=40_000_000) as emulator:
        with Odyssey(emulator.api_key, api_url=emulator.url, timeout=15) as client:
            client.connect()
            with client.stream("It moves", portrait=False, image=noise) as stream:
                found = numbers(stream.frames.take(3))
    assert max(sizes) > 400 * 1300
    assert found == sorted(set(found))
