"""The decoding thread: what it delivers, and what it says when it can't."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Coroutine
from fractions import Fraction
from typing import Any, Literal

import attrs
import av
import numpy as np
import pytest

from odyssey._rtc import decoder
from odyssey._rtc.assembler import EncodedFrame
from odyssey._rtc.decoder import BACKLOG, MOST_WAITING, Decoder
from odyssey._video import bounds
from odyssey.emulator.encoder import FrameEncoder
from tests.support.helpers import our_threads

STEP = 3750


@attrs.frozen
class Codec:
    name: str


@functools.cache
def encoded(count: int, codec: Literal["vp8", "h264"] = "vp8") -> list[bytes]:
    """A key frame, then differences."""
    encoder = FrameEncoder(codec, 500_000)
    made = []
    for number in range(count):
        frame = av.VideoFrame(64, 64, "yuv420p")
        for plane in frame.planes:
            plane.update(np.full(plane.buffer_size, number % 200, np.uint8).tobytes())
        frame.time_base = Fraction(1, 90_000)
        made.append(bytes(encoder.encode(frame, number * STEP, key=number == 0)))
    return made


@pytest.fixture
def packets() -> list[bytes]:
    return encoded(BACKLOG + 20)


class Scene:
    """A decoder and what it did."""

    def __init__(self) -> None:
        self.frames: list[av.VideoFrame] = []
        self.arrivals: list[float] = []
        self.broken = 0
        self.ended = asyncio.Event()
        self.may_deliver = threading.Event()
        self.may_deliver.set()
        self.decoder = Decoder(self._deliver, self._break, self.ended.set)
        self.decoder.start()

    def _deliver(self, frame: av.VideoFrame, arrived_at: float) -> None:
        assert threading.current_thread().name == "odyssey-decoder"
        self.may_deliver.wait(10)
        self.frames.append(frame)
        self.arrivals.append(arrived_at)

    def _break(self) -> None:
        self.broken += 1

    def put(self, data: bytes, timestamp: int, codec: str = "VP8") -> None:
        self.decoder.put((Codec(codec), EncodedFrame(data, timestamp, timestamp / 1000)))

    async def end(self) -> None:
        """As when the track ends: what was put there is delivered first."""
        self.decoder.put(None)
        await asyncio.wait_for(self.ended.wait(), 10)


def play(scenario: Callable[[Scene], Coroutine[Any, Any, None]]) -> Scene:
    async def run() -> Scene:
        scene = Scene()
        await scenario(scene)
        scene.may_deliver.set()
        await asyncio.wait_for(scene.decoder.close(), 10)
        return scene

    scene = asyncio.run(run())
    assert "odyssey-decoder" not in our_threads()
    return scene


def test_pictures_come_in_order_with_their_times(packets: list[bytes]) -> None:
    async def scenario(scene: Scene) -> None:
        for number in range(5):  # the media clock wraps under way
            scene.put(packets[number], (0xFFFFFFFF - STEP + number * STEP) & 0xFFFFFFFF)
        await scene.end()

    scene = play(scenario)
    assert [frame.pts for frame in scene.frames] == [number * STEP for number in range(5)]
    assert scene.arrivals[0] == (0xFFFFFFFF - STEP) / 1000
    assert scene.broken == 0


def test_frames_that_became_complete_together(packets: list[bytes]) -> None:
    async def scenario(scene: Scene) -> None:
        first, *others = (EncodedFrame(packets[i], i * STEP, 0.0) for i in range(4))
        first.followers = others
        scene.decoder.put((Codec("VP8"), first))
        await scene.end()

    assert [frame.pts for frame in play(scenario).frames] == [0, STEP, 2 * STEP, 3 * STEP]


@pytest.mark.parametrize("codec", ["VP8", "H264"])
def test_what_can_not_be_decoded_is_told(packets: list[bytes], codec: str) -> None:
    async def scenario(scene: Scene) -> None:
        scene.put(b"\x01this is no frame", 0, codec)
        scene.put(packets[0], STEP)
        await scene.end()

    scene = play(scenario)
    assert scene.broken == 1
    assert len(scene.frames) == 1


def test_a_decoder_that_falls_behind_asks_for_a_key_frame(packets: list[bytes]) -> None:
    async def scenario(scene: Scene) -> None:
        scene.may_deliver.clear()
        for number in range(BACKLOG):
            scene.put(packets[number], number * STEP)
        assert scene.broken == 0
        for number in range(BACKLOG, BACKLOG + 5):
            scene.put(packets[number], number * STEP)
        assert scene.broken > 0
        scene.may_deliver.set()
        await scene.end()

    # What it had taken by then is decoded all the same: nothing is dropped within a group.
    assert len(play(scenario).frames) == BACKLOG + 5


def test_what_waits_is_bounded_in_frames(packets: list[bytes]) -> None:
    """Key frames only: each may be decoded, however many came before."""

    async def scenario(scene: Scene) -> None:
        scene.may_deliver.clear()
        for number in range(4 * MOST_WAITING):
            scene.put(packets[0], number * STEP)
        scene.may_deliver.set()
        await scene.end()

    found = len(play(scenario).frames)
    assert MOST_WAITING <= found <= MOST_WAITING + 2


def test_what_waits_is_bounded_in_bytes(
    packets: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    most = 5
    monkeypatch.setattr(decoder, "MOST_BYTES", most * len(packets[0]))

    async def scenario(scene: Scene) -> None:
        scene.may_deliver.clear()
        for number in range(10):
            scene.put(packets[0], number * STEP)
        assert scene.broken > 0
        scene.may_deliver.set()
        await scene.end()

    assert most <= len(play(scenario).frames) <= most + 2


@pytest.mark.parametrize("codec", ["vp8", "h264"])
def test_a_picture_of_more_than_8192_by_8192_is_not_decoded(
    codec: Literal["vp8", "h264"], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a bound that a small picture is over, as one of that size takes its time to make."""
    name = codec.upper()

    async def scenario(scene: Scene) -> None:
        scene.put(encoded(1, codec)[0], 0, name)
        await scene.end()

    assert bounds.MOST_PIXELS == 8192 * 8192
    monkeypatch.setattr(decoder, "MOST_PIXELS", 64 * 64)
    assert len(play(scenario).frames) == 1
    monkeypatch.setattr(decoder, "MOST_PIXELS", 64 * 64 - 1)
    scene = play(scenario)
    assert scene.frames == []
    assert scene.broken == 1


def test_after_closing_nothing_is_delivered(packets: list[bytes]) -> None:
    async def scenario(scene: Scene) -> None:
        for number in range(5):
            scene.put(packets[number], number * STEP)
        await scene.decoder.close()
        scene.frames.clear()
        scene.put(packets[5], 5 * STEP)

    scene = play(scenario)
    assert scene.frames == []
    assert not scene.ended.is_set()


def test_closing_one_that_never_got_anything() -> None:
    async def scenario(_: Scene) -> None:
        pass

    assert play(scenario).frames == []


def test_an_error_of_who_takes_the_pictures_is_logged(
    packets: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(scene: Scene) -> None:
        wrong = Decoder(lambda *_: 1 / 0, scene._break, scene.ended.set)  # type: ignore[arg-type]
        wrong.start()
        wrong.put((Codec("VP8"), EncodedFrame(packets[0], 0, 0.0)))
        wrong.put(None)
        await asyncio.wait_for(scene.ended.wait(), 10)
        await wrong.close()

    play(scenario)
    assert "could not be handed on" in caplog.text
