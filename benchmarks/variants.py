"""The ways of receiving that are compared; each is run in a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import inspect
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import av
import numpy as np
from av.video.reformatter import VideoReformatter

from benchmarks import clip as clips
from benchmarks.measure import WARM_UP, Meter
from odyssey.emulator.painting.frame_number import read_frame_number


@attrs.frozen
class Run:
    """What a variant is given."""

    url: str
    api_key: str
    codec: clips.Codec
    seconds: float
    meter: Meter
    sdk: Path | None

    @property
    def frames(self) -> int:
        return WARM_UP + round(self.seconds * clips.FRAME_RATE)


class Numbering:
    """Numbers frames by their media time, from the first one that carries a number."""

    def __init__(self) -> None:
        self._origin: float | None = None

    @property
    def needs_pixels(self) -> bool:
        return self._origin is None

    def of(self, seconds: float, data: Any) -> int | None:
        if self._origin is None:
            number = read_frame_number(data)
            if number is None:
                return None
            self._origin = seconds - number / clips.FRAME_RATE
        return round((seconds - self._origin) * clips.FRAME_RATE)


def limit(run: Run) -> None:
    """Libav decoding of the same packets at the same pace, and one conversion; one thread."""
    clip = clips.load(run.codec)
    decoder = av.CodecContext.create("libvpx" if run.codec == "vp8" else "h264", "r")
    decoder.thread_count = 1
    reformatter = VideoReformatter()
    start = time.monotonic()
    for number in range(run.frames):
        time.sleep(max(0.0, start + number / clips.FRAME_RATE - time.monotonic()))
        run.meter.stamp(number)
        for frame in decoder.decode(clip.packet(number, number * clips.TICKS)):
            assert isinstance(frame, av.VideoFrame)
            picture = reformatter.reformat(frame, format="rgb24", threads=1)
            np.frombuffer(memoryview(picture.planes[0]), np.uint8)
            run.meter.frame(number)
    run.meter.stop()


def sdk(run: Run) -> None:
    """This SDK: `for frame in stream`, and each one's pixels."""
    from odyssey import Odyssey

    numbering, left = Numbering(), run.frames
    with (
        Odyssey(run.api_key, api_url=run.url).connect() as client,
        client.stream("A cat") as stream,
    ):
        for frame in stream:
            data = frame.data
            number = numbering.of(frame.timestamp_ms / 1000, data)
            if number is None:
                continue
            run.meter.frame(number)
            left -= 1
            if not left:
                break
        run.meter.stop()


def without_direct_conversion(run: Run) -> None:
    """This SDK, but PyAV's conversion, and a copy."""
    from odyssey._video import swscale

    swscale._library = None
    sdk(run)


def without_short_path(run: Run) -> None:
    """This SDK, but each packet through all of aiortc."""
    from odyssey._rtc import private_rtp

    setattr(private_rtp, "shorten_path", lambda *_: False)  # noqa: B010
    sdk(run)


def without_own_receiver(run: Run) -> None:
    """This SDK, but with aiortc's jitter buffer and decoder."""
    from odyssey._rtc import private_rtp

    setattr(private_rtp, "receive_through", lambda *_: False)  # noqa: B010
    sdk(run)


def sdk_unread(run: Run) -> None:
    """This SDK, where nobody reads a frame."""
    from odyssey import Odyssey

    with (
        Odyssey(run.api_key, api_url=run.url).connect() as client,
        client.stream("A cat") as stream,
    ):
        while client.frames.stats.received < WARM_UP:
            time.sleep(0.01)
        run.meter.start()
        before = client.frames.stats.received
        time.sleep(run.seconds)
        run.meter.stop(client.frames.stats.received - before)
        stream.end()


def plain(run: Run, convert: bool = True) -> None:
    """Bare aiortc: `await track.recv()` and `to_ndarray` on the loop."""
    from benchmarks.plain import receive

    numbering, left = Numbering(), run.frames

    def use(frame: av.VideoFrame) -> bool:
        nonlocal left
        wanted = convert or numbering.needs_pixels
        number = numbering.of(frame.time, frame.to_ndarray(format="rgb24") if wanted else None)
        if number is None:
            return True
        run.meter.frame(number)
        left -= 1
        if not left:
            run.meter.stop()
        return left > 0

    asyncio.run(receive(run.url, run.api_key, use))


def plain_unread(run: Run) -> None:
    """Bare aiortc: `recv()` without conversion."""
    plain(run, convert=False)


def other_sdk(run: Run) -> None:
    """An asyncio SDK from another checkout: `on_video_frame` with its `data`."""
    from odyssey import Odyssey

    numbering, left = Numbering(), run.frames

    async def main() -> None:
        done = asyncio.Event()

        def on_video_frame(frame: Any) -> None:
            nonlocal left
            data = frame.data
            number = numbering.of(frame.timestamp_ms / 1000, data)
            if number is None or left <= 0:
                return
            run.meter.frame(number)
            left -= 1
            if not left:
                run.meter.stop()
                done.set()

        address: Any = (
            {"api_url": run.url} if "api_url" in inspect.signature(Odyssey).parameters else {}
        )
        client: Any = Odyssey(api_key=run.api_key, **address)
        await client.connect(on_video_frame=on_video_frame)
        await client.start_stream("A cat")
        await done.wait()
        with contextlib.suppress(Exception):
            await client.disconnect()

    asyncio.run(main())


VARIANTS: dict[str, Callable[[Run], None]] = {
    "limit": limit,
    "this SDK": sdk,
    "… without direct conversion": without_direct_conversion,
    "… without the short path": without_short_path,
    "… without its own receiver": without_own_receiver,
    "aiortc recv(), to_ndarray": plain,
    "this SDK, nobody reads": sdk_unread,
    "aiortc recv(), no conversion": plain_unread,
    "other SDK": other_sdk,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("variant", choices=VARIANTS)
    parser.add_argument("--url", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--codec", choices=("vp8", "h264"), required=True)
    parser.add_argument("--stamps", type=Path, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--sdk", type=Path)
    given = parser.parse_args()
    if given.sdk is not None:
        sys.path.insert(0, str(given.sdk))
        os.environ["ODYSSEY_API_URL"] = given.url
    meter = Meter(given.stamps)
    VARIANTS[given.variant](Run(given.url, given.key, given.codec, given.seconds, meter, given.sdk))
    print(meter.result())


if __name__ == "__main__":
    main()
