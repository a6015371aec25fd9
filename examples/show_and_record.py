"""Two threads, two queues: one shows the newest frame, the other writes every frame to a file.

    python examples/show_and_record.py [FILE.mp4]

What shows may be as slow as it likes: it misses frames, and the file has them all the same. Uses
ODYSSEY_API_KEY, or an emulator on this machine if that isn't set.
"""

from __future__ import annotations

import sys
import threading
import time
from fractions import Fraction

import av
from service import open_client

from odyssey import FrameQueue, OdysseyStreamError


def record(frames: FrameQueue, path: str) -> None:
    """Every frame of the stream, with its own time, as H.264 in MP4."""
    with av.open(path, "w") as file:
        video = file.add_stream("libx264", rate=24, options={"preset": "veryfast"})
        video.codec_context.time_base = Fraction(1, 1000)
        began = None
        for frame in frames:  # ends with the stream
            if began is None:
                began = frame.timestamp_ms
                video.width, video.height = frame.width, frame.height
            picture = av.VideoFrame.from_ndarray(frame.to_ndarray("yuv420p"), format="yuv420p")
            picture.pts, picture.time_base = frame.timestamp_ms - began, Fraction(1, 1000)
            file.mux(video.encode(picture))
        file.mux(video.encode(None))
    print(f"{path}: {frames.stats.delivered} frames, {frames.stats.dropped} dropped")


def show(frames: FrameQueue) -> None:
    """Stands for something slow: a window, a detector, a model."""
    while True:
        try:
            frame = frames.latest()
        except OdysseyStreamError:  # the stream has ended
            return
        age = (time.monotonic() - frame.received_at) * 1000
        print(f"showing frame {frame.index:<4} {age:3.0f} ms old, {frame.prompt!r}")
        time.sleep(0.4)


def main() -> None:
    path = sys.argv[1] if len(sys.argv) > 1 else "stream.mp4"
    with open_client() as client:
        client.connect()
        # Made before the stream, so that neither misses its beginning.
        threads = [
            threading.Thread(target=record, args=(client.subscribe(maxsize=240), path)),
            threading.Thread(target=show, args=(client.subscribe(maxsize=1),)),
        ]
        with client.stream("A campfire under the stars", portrait=False) as stream:
            for thread in threads:
                thread.start()
            stream.frames.take(48)
            stream.interact("Sparks fly up")
            stream.frames.take(48)
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    main()
