"""Rows of the index."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs

__all__ = ["StoredJob", "StoredRecording", "timestamp"]


@attrs.frozen
class StoredRecording:
    """A finished recording. Times are ISO 8601 in UTC, the duration is in seconds."""

    stream_id: str
    width: int
    height: int
    started_at: str
    ended_at: str
    frame_count: int
    duration_seconds: float


@attrs.frozen
class StoredJob:
    """A simulation, without what it is to render. Times as in recordings, None before they come."""

    job_id: str
    account: str
    status: str
    created_at: str
    dispatched_at: str | None
    started_at: str | None
    completed_at: str | None
    error_message: str | None
    retry_count: int


def timestamp() -> str:
    """Returns the time now as it stands in the index: ISO 8601, UTC, sorting as text."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
