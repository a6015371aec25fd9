"""Counters of received frames."""

from __future__ import annotations

import attrs


@attrs.frozen
class QueueStats:
    """A queue's counters since it was made.

    `received` is the sum of `delivered`, `dropped`, `skipped` and `waiting`.

    Attributes:
        received: Frames that arrived while a stream ran.
        delivered: Frames handed to a reader.
        dropped: Frames thrown away because the queue was full.
        skipped: Frames thrown away by `latest`, which wanted a newer one, by `clear` or `close`, or
            by the start of the next stream.
        idle: Frames that arrived while no stream ran; they are not queued.
        waiting: Frames in the queue now.
    """

    received: int = 0
    delivered: int = 0
    dropped: int = 0
    skipped: int = 0
    idle: int = 0
    waiting: int = 0


@attrs.frozen
class ClientStats:
    """A client's counters for its present or last connection.

    Attributes:
        frames_received: Frames that were decoded, whether a stream ran or not.
        callback_frames: Frames that `on_video_frame` was called with.
        callback_dropped: Frames that a slow `on_video_frame` missed.
        frames: The counters of `client.frames`, since the client was made.

    Example:
        ```python
        stats = client.stats
        print(stats.frames_received, stats.callback_dropped, stats.frames.dropped)
        ```
    """

    frames_received: int = 0
    callback_frames: int = 0
    callback_dropped: int = 0
    frames: QueueStats = attrs.field(factory=QueueStats)
