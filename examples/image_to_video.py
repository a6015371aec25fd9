"""Bring a picture to life: stream from it, steer it, save what it became.

    python examples/image_to_video.py [PICTURE]

Uses ODYSSEY_API_KEY, or an emulator on this machine if that isn't set.
"""

from __future__ import annotations

import sys

import numpy as np
from service import open_client


def sunset() -> np.ndarray:
    """A picture to begin with: uint8 (height, width, 3) RGB. A path or a PIL image will do, too."""
    down = np.linspace(0, 1, 704)[:, None]
    rgb = np.stack([255 - 60 * down, 150 - 110 * down, 90 + 60 * down], axis=-1)
    return np.broadcast_to(rgb, (704, 1280, 3)).astype(np.uint8)


def main() -> None:
    image = sys.argv[1] if len(sys.argv) > 1 else sunset()
    with open_client() as client:
        client.connect()
        if not client.capabilities.image_to_video:
            sys.exit("this streamer can't start from a picture")
        with client.stream("A calm sea at dusk", portrait=False, image=image) as stream:
            clip = stream.frames.stack(24)  # (24, 704, 1280, 3) uint8
            print(f"{len(clip)} frames of {clip.shape[2]}x{clip.shape[1]}, mean {clip.mean():.0f}")
            stream.interact("A storm comes up")
            after = stream.frames.take(24)[-1]
            after.to_image().save("image_to_video.png")
            print(f"after {stream.applied_prompt!r}: image_to_video.png")


if __name__ == "__main__":
    main()
