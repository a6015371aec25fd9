"""On and on: a stream ends after 150 s; this one begins the next where the last one stopped.

    python examples/restart_after_limit.py [FRAMES]

Uses ODYSSEY_API_KEY, or an emulator on this machine if that isn't set, whose streams end after 2 s
here, so that one needn't wait.
"""

from __future__ import annotations

import sys
from collections.abc import Generator

from service import open_client

from odyssey import Odyssey, OdysseyConnectionError, StreamDurationExceededError, VideoFrame


def endless(client: Odyssey, prompt: str) -> Generator[VideoFrame, None, None]:
    """Frames of one stream after the other. Each goes on from the last frame, where it can."""
    last: VideoFrame | None = None
    while True:
        client.connect()  # returns at once if the connection is still there
        goes_on = client.capabilities is not None and client.capabilities.image_to_video
        image = last.to_image() if last is not None and goes_on else None
        try:
            with client.stream(prompt, portrait=False, image=image) as stream:
                print(f"stream {stream.id} begins")
                for frame in stream:
                    last = frame
                    yield frame
        except (StreamDurationExceededError, OdysseyConnectionError) as exc:
            print("again:", exc)


def main() -> None:
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 120
    with open_client(stream_seconds=2) as client:
        frames = endless(client, "Waves on a beach")
        streams = {next(frames).stream_id for _ in range(wanted)}
        frames.close()  # ends the stream
    print(f"{wanted} frames out of {len(streams)} streams")


if __name__ == "__main__":
    main()
