"""One process streams, another one watches: it gets an address and a token, but no key.

    python examples/broadcast.py

Uses ODYSSEY_API_KEY, or an emulator on this machine if that isn't set.
"""

from __future__ import annotations

import multiprocessing
import queue

from service import open_client

from odyssey import BroadcastInfo, connect_to_stream


def watch(webrtc_url: str, spectator_token: str) -> None:
    """The other process: watches until the stream ends."""
    with connect_to_stream(webrtc_url, spectator_token) as watching:
        first = watching.frames.get()
        print(f"spectator: watching {first.width}x{first.height}", flush=True)
        print(f"spectator: {1 + sum(1 for _ in watching.frames)} frames until the end", flush=True)


def main() -> None:
    announced: queue.Queue[BroadcastInfo] = queue.Queue()
    with open_client() as client:
        client.connect(on_broadcast_ready=announced.put)
        with client.stream("Fireworks over a harbour", broadcast=True) as stream:
            info = announced.get(timeout=10)
            print(f"streamer: {info}")
            spectator = multiprocessing.get_context("spawn").Process(
                target=watch, args=(info.webrtc_url, info.spectator_token)
            )
            spectator.start()
            stream.frames.take(96, timeout=20)
            stream.interact("A golden rain of sparks")
            stream.frames.take(24, timeout=20)
        spectator.join(10)
        print(f"streamer: the spectator left with exit code {spectator.exitcode}")


if __name__ == "__main__":
    main()
