"""A clip encoded beforehand: what the sender sends, so that no encoder is in the measurement."""

from __future__ import annotations

import math
import os
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import attrs
import av
import numpy as np
from PIL import Image

from odyssey.emulator.encoder import CLOCK_RATE, FrameEncoder
from odyssey.emulator.painting.frame_number import draw_frame_number

Codec = Literal["vp8", "h264"]

WIDTH, HEIGHT = 704, 1280
FRAME_RATE = 24
BITRATE = 4_000_000
FRAMES = 240
TICKS = CLOCK_RATE // FRAME_RATE

_VERSION = 2  # of the cached files


@attrs.frozen
class Clip:
    """One key frame, then differences; the pictures carry the numbers 0, 1, 2 …"""

    codec: Codec
    packets: tuple[bytes, ...]

    def packet(self, number: int, pts: int) -> av.Packet[Any]:
        """Frame `number` of the clip, played in a loop, to be shown at `pts` (1/90000 s)."""
        packet = av.Packet(self.packets[number % len(self.packets)])
        packet.pts = packet.dts = pts
        packet.time_base = Fraction(1, CLOCK_RATE)
        return packet

    @property
    def bitrate(self) -> float:
        """In bit/s."""
        return sum(map(len, self.packets)) * 8 * FRAME_RATE / len(self.packets)


def load(codec: Codec) -> Clip:
    """The clip; encoded once a machine, which takes some seconds."""
    path = Path(tempfile.gettempdir()) / f"odyssey-benchmark-{codec}-{_VERSION}.npz"
    if not path.exists():
        packets = _encode(codec)
        part = path.with_name(f"{os.getpid()}-{path.name}")
        np.savez(part, sizes=[len(p) for p in packets], data=np.frombuffer(b"".join(packets), "u1"))
        part.rename(path)
    with np.load(path) as stored:
        data = stored["data"].tobytes()
        ends = np.cumsum(stored["sizes"]).tolist()
    starts = [0, *ends[:-1]]
    return Clip(codec, tuple(data[i:j] for i, j in zip(starts, ends, strict=True)))


def _encode(codec: Codec) -> list[bytes]:
    """Texture that turns and comes nearer, with grain that changes with each frame.

    It moves by fractions of pixels, as filmed and generated video does: whole ones decode cheaper.
    """
    encoder = FrameEncoder(codec, BITRATE)
    random = np.random.default_rng(7)
    texture = Image.fromarray(_texture(random, 2 * HEIGHT, 2 * WIDTH).clip(0, 255).astype("u1"))
    packets = []
    for number in range(FRAMES):
        view = texture.transform(
            (WIDTH, HEIGHT), Image.Transform.AFFINE, _camera(number), Image.Resampling.BICUBIC
        )
        luma = np.asarray(view) + random.normal(0, 2.5, (HEIGHT, WIDTH))
        frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
        planes = [
            np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            for plane in frame.planes
        ]
        y, u, v = (
            plane[:, :width]
            for plane, width in zip(planes, (WIDTH, WIDTH // 2, WIDTH // 2), strict=True)
        )
        y[:] = np.clip(luma, 16, 235).astype(np.uint8)
        u[:] = 118 + number % 20
        v[:] = 138 - number % 20
        draw_frame_number(y, u, v, number)
        packets.append(bytes(encoder.encode(frame, number * TICKS, key=number == 0)))
    encoder.close()
    return packets


def _camera(number: int) -> tuple[float, ...]:
    """The affine map from the picture to the texture at a frame."""
    angle, zoom = 0.004 * number, 1.2 - 0.0012 * number
    a, b = zoom * math.cos(angle), zoom * math.sin(angle)
    x, y = WIDTH / 2, HEIGHT / 2
    return (a, b, WIDTH - a * x - b * y + 1.3 * number, -b, a, HEIGHT + b * x - a * y)


def _texture(random: np.random.Generator, height: int, width: int) -> Any:
    """Smooth shapes of several sizes, around middle grey."""
    total = np.full((height, width), 126.0)
    for cell, strength in ((128, 45.0), (32, 20.0), (8, 8.0)):
        coarse = random.normal(0, strength, (height // cell + 1, width // cell + 1))
        total += np.kron(coarse, np.ones((cell, cell)))[:height, :width]
    return total
