"""Frames as arrays: a clip at once, one array used again and again, only the newest, other formats.

    python examples/frames_to_numpy.py

Uses ODYSSEY_API_KEY, or an emulator on this machine if that isn't set.
"""

from __future__ import annotations

import numpy as np
from service import open_client

from odyssey import FrameQueue


def brightness(frames: FrameQueue, count: int) -> list[float]:
    """The mean of each frame's luminance, in one array that is made once."""
    means = []
    gray: np.ndarray | None = None
    for _ in range(count):
        frame = frames.get()
        if gray is None:
            gray = np.empty((frame.height, frame.width), np.uint8)
        frame.to_ndarray("gray8", out=gray)
        means.append(float(gray.mean()))
    return means


def main() -> None:
    with open_client() as client:
        client.connect()
        newest = client.subscribe(maxsize=1)  # a queue of its own that keeps only the newest
        with client.stream("A lighthouse in a storm", portrait=False) as stream:
            clip = stream.frames.stack(24)  # (24, 704, 1280, 3) uint8, converted into place
            motion = np.abs(np.diff(clip.astype(np.int16), axis=0)).mean(axis=(1, 2, 3))
            print(f"clip {clip.shape}, change from frame to frame {motion.mean():.2f}")

            means = brightness(stream.frames, 24)
            print(f"brightness {min(means):.0f} to {max(means):.0f}")

            latest = newest.get()
            print(f"frame {latest.index} is the newest; {newest.stats.dropped} were passed over")

            planes = stream.frames.get().to_ndarray("yuv420p")  # as it was decoded
            print(f"one frame of 4:2:0 {planes.shape}: {planes.nbytes:,} bytes")
        np.savez_compressed("clip.npz", frames=clip[::4])
        print("clip.npz: every fourth frame")


if __name__ == "__main__":
    main()
