"""Videos whose frames carry their numbers, made in the ways that files come in."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import attrs
import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from odyssey import VideoFrame
from odyssey.emulator import read_frame_number
from odyssey.emulator.painting.frame_number import draw_frame_number

CLOCK = Fraction(1, 24_000)
WIDTH, HEIGHT = 320, 176


@attrs.frozen(kw_only=True)
class Making:
    """How a video is made. Times are in ticks of `CLOCK`, one for each frame."""

    count: int = 60
    gop: int = 12
    codec: str = "libx264"
    options: dict[str, str] = attrs.field(factory=dict)
    container: dict[str, str] = attrs.field(factory=dict)
    format: str = "mp4"
    times: Sequence[int] | None = None
    noise: int = 0
    #: What the container adds to the times.
    delay: int = 0

    def shown_at(self) -> Sequence[int]:
        return self.times or [1000 * number for number in range(self.count)]


def make_video(path: Path, making: Making) -> Path:
    """Writes a video in which frame n shows the number n."""
    random = np.random.default_rng(0)
    with av.open(str(path), "w", format=making.format, options=making.container) as container:
        stream = container.add_stream(making.codec, rate=24, options=making.options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base = stream.codec_context.time_base = CLOCK
        stream.codec_context.gop_size = making.gop
        stream.codec_context.thread_count = 1
        for number, time in enumerate(making.shown_at()):
            y = np.full((HEIGHT, WIDTH), 40 + number % 100, np.uint8)
            if making.noise:
                y += random.integers(0, making.noise, y.shape, np.uint8)
            u = np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8)
            v = u.copy()
            draw_frame_number(y, u, v, number)
            planes = np.concatenate([plane.reshape(-1) for plane in (y, u, v)])
            frame = av.VideoFrame.from_ndarray(planes.reshape(-1, WIDTH), format="yuv420p")
            frame.pts, frame.time_base = time, CLOCK
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def number_of(frame: VideoFrame) -> int:
    found = read_frame_number(frame.data)
    assert found is not None
    return found


def cut_away(video: bytes, ticks: int) -> bytes:
    """The MP4 with an edit list that begins so much later, in ticks of the track's time base."""
    at = video.index(b"elst") + 4
    assert video[at] == 0
    entry = at + 8
    media_time = int.from_bytes(video[entry + 4 : entry + 8], "big") + ticks
    return video[: entry + 4] + media_time.to_bytes(4, "big") + video[entry + 8 :]


def turned_by(video: bytes, quarters: int) -> bytes:
    """The MP4 whose frames are to be shown turned clockwise, by so many quarters of a circle."""
    one = 1 << 16
    a, b, c, d = {1: (0, one, -one, 0), 2: (-one, 0, 0, -one), 3: (0, -one, one, 0)}[quarters]
    entries = (a, b, 0, c, d, 0, 0, 0, 1 << 30)
    matrix = b"".join(entry.to_bytes(4, "big", signed=True) for entry in entries)
    at = video.index(b"tkhd") + 4
    assert video[at] == 0
    return video[: at + 40] + matrix + video[at + 40 + len(matrix) :]


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """About 3 MB, its table at the end."""
    options = {"preset": "ultrafast", "crf": "12", "bf": "2"}
    making = Making(count=240, gop=24, options=options, noise=60)
    return make_video(tmp_path_factory.mktemp("large") / "large.mp4", making).read_bytes()
