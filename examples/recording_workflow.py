"""Stream and steer, hang up, then work with what was recorded.

    python examples/recording_workflow.py

Uses ODYSSEY_API_KEY, or an emulator on this machine if that isn't set.
"""

import tempfile
from pathlib import Path

from service import open_client

from odyssey import Odyssey


def main() -> None:
    with open_client() as client, tempfile.TemporaryDirectory() as folder:
        stream_id = record(client)
        play_out(client, stream_id, Path(folder))


def record(client: Odyssey) -> str:
    """Two seconds of video, steered once. Frames that nobody reads cost nothing."""
    client.connect()
    with client.stream("A cat on a windowsill", portrait=False) as stream:
        stream.frames.take(24)
        print("applied:", stream.interact("The cat stretches and yawns"))
        stream.frames.take(24)
    client.disconnect()
    return stream.id


def play_out(client: Odyssey, stream_id: str, folder: Path) -> None:
    """Everything there is about a recording. None of it needs a connection."""
    recording = client.recordings.wait(stream_id, artifacts=("video", "events"))
    print(f"recorded: {recording.frame_count} frames, {recording.duration_seconds:.1f} s")

    for event in client.recordings.events(recording):
        print(f"{event['timestamp_ms']:>6} ms  {event['type']:<9} {event.get('prompt', '')}")

    # Every twelfth frame, straight from the storage.
    for frame in client.recordings.frames(recording, step=12):
        colour = frame.data.mean(axis=(0, 1)).astype(int)
        print(
            f"{frame.timestamp_ms:>6} ms  frame {frame.index:<4} mean RGB {tuple(colour.tolist())}"
        )

    path = client.recordings.download(recording, folder)
    print(f"downloaded: {path.name}, {path.stat().st_size:,} bytes")
    count = sum(1 for _ in client.recordings.frames(path))
    print(f"played out: {count} frames from the file")


if __name__ == "__main__":
    main()
