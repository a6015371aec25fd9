"""Which recordings somebody means."""

from __future__ import annotations

from collections.abc import Iterable

from odyssey.models import Recording, StreamRecordingInfo


def stream_ids(recordings: Iterable[Recording | StreamRecordingInfo | str]) -> list[str]:
    """The ids alone: presigned addresses would be old by the time a worker comes to them."""
    if isinstance(recordings, str):
        raise TypeError("recordings must be a sequence of recordings or ids, not a str")
    return [given if isinstance(given, str) else given.stream_id for given in recordings]
