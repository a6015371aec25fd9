"""The simulations in the index: a queue that outlives a restart."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence

import attrs

from odyssey.emulator.recordings.rows import StoredJob, StoredRecording, timestamp

__all__ = ["JobStore", "Page"]

logger = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS simulations (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'pending',
    request TEXT,
    created_at TEXT NOT NULL,
    dispatched_at TEXT,
    started_at TEXT,
    completed_at TEXT,
    error_message TEXT,
    retry_count INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS simulations_of_account ON simulations (account, status);
CREATE INDEX IF NOT EXISTS simulations_by_status ON simulations (status);
CREATE TABLE IF NOT EXISTS simulation_streams (
    stream_id TEXT PRIMARY KEY,
    job_id TEXT NOT NULL,
    script_index INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS streams_of_simulation ON simulation_streams (job_id);
"""

_JOB = (
    "SELECT job_id, account, status, created_at, dispatched_at, started_at, completed_at,"
    " error_message, retry_count FROM simulations "
)
_COUNT = "SELECT COUNT(*) FROM simulations WHERE "
_QUEUED = "status IN ('pending', 'dispatched')"
_ACTIVE = "status IN ('pending', 'dispatched', 'processing')"


@attrs.frozen(kw_only=True)
class Page:
    """A request for a page of an account's jobs."""

    account: str
    status: str | None
    active: bool
    limit: int
    offset: int


class JobStore:
    """The jobs. Blocking; shares the connection, and thus the thread, of the store.

    What a job is to render is kept until the job is over.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def open(self) -> None:
        """Makes the tables; queues again what was under way when the emulator ended."""
        self._database.executescript(_SCHEMA)
        again = self._database.execute(
            "UPDATE simulations SET retry_count = retry_count + (status = 'processing'),"
            " status = 'pending', dispatched_at = NULL, started_at = NULL"
            " WHERE status IN ('dispatched', 'processing')"
        )
        if again.rowcount:
            logger.info("%d interrupted simulations are queued again", again.rowcount)

    def add(self, job_id: str, account: str, request: str, most_queued: int) -> StoredJob | None:
        """Queues a job; None when so many jobs of the account are queued already."""
        if self._count(_QUEUED + " AND account = ?", account) >= most_queued:
            return None
        self._database.execute(
            "INSERT INTO simulations (job_id, account, request, created_at) VALUES (?, ?, ?, ?)",
            (job_id, account, request, timestamp()),
        )
        return self.get(job_id)

    def get(self, job_id: str) -> StoredJob | None:
        """Returns the job, whoever's it is."""
        row = self._database.execute(_JOB + "WHERE job_id = ?", (job_id,)).fetchone()
        return StoredJob(*row) if row else None

    def ahead_of(self, job_id: str) -> int:
        """Returns the number of jobs before this one."""
        earlier = " AND number < (SELECT number FROM simulations WHERE job_id = ?)"
        return self._count(_ACTIVE + earlier, job_id)

    def page(self, page: Page) -> tuple[list[StoredJob], int]:
        """Returns a page of the account's jobs, newest first, and how many there are in all."""
        where, values = "account = ?", [page.account]
        if page.status is not None:
            where, values = where + " AND status = ?", [*values, page.status]
        if page.active:
            where += " AND " + _ACTIVE
        total = self._count(where, *values)
        rows = self._database.execute(
            f"{_JOB}WHERE {where} ORDER BY number DESC LIMIT ? OFFSET ?",
            (*values, page.limit, page.offset),
        )
        return [StoredJob(*row) for row in rows], total

    def streams(self, job_id: str) -> list[tuple[int, StoredRecording]]:
        """Returns the recordings of a job that is completed, each with the index of its script."""
        rows = self._database.execute(
            "SELECT script_index, stream_id, width, height, started_at, ended_at, frame_count,"
            " duration_seconds FROM simulation_streams JOIN recordings USING (stream_id)"
            " WHERE job_id = ? ORDER BY script_index",
            (job_id,),
        )
        return [(index, StoredRecording(*values)) for index, *values in rows]

    def dispatch(self) -> tuple[StoredJob, str] | None:
        """Gives out the job that has waited longest, and what it is to render."""
        row = self._database.execute(
            "SELECT job_id, request FROM simulations WHERE status = 'pending'"
            " ORDER BY number LIMIT 1"
        ).fetchone()
        if row is None:
            return None
        job_id, request = row
        self._database.execute(
            "UPDATE simulations SET status = 'dispatched', dispatched_at = ? WHERE job_id = ?",
            (timestamp(), job_id),
        )
        job = self.get(job_id)
        assert job is not None
        return job, request

    def process(self, job_id: str) -> bool:
        """Notes that a dispatched job is being rendered; False when it was cancelled."""
        changed = self._database.execute(
            "UPDATE simulations SET status = 'processing', started_at = ?"
            " WHERE job_id = ? AND status = 'dispatched'",
            (timestamp(), job_id),
        )
        return changed.rowcount > 0

    def cancel(self, job_id: str) -> bool:
        """Cancels a job; False when it is being rendered or over."""
        changed = self._database.execute(
            "UPDATE simulations SET status = 'cancelled', completed_at = ?, request = NULL"
            " WHERE job_id = ? AND status IN ('pending', 'dispatched')",
            (timestamp(), job_id),
        )
        return changed.rowcount > 0

    def fail(self, job_id: str, message: str) -> None:
        self._database.execute(
            "UPDATE simulations SET status = 'failed', completed_at = ?, error_message = ?,"
            " request = NULL WHERE job_id = ?",
            (timestamp(), message, job_id),
        )

    def complete(self, job: StoredJob, recordings: Sequence[StoredRecording]) -> None:
        """Notes the recordings of a job's scripts, in their order, together with its completion."""
        with self._database:
            self._database.execute("BEGIN")
            for index, recording in enumerate(recordings):
                self._database.execute(
                    "INSERT INTO recordings (stream_id, account, width, height, started_at,"
                    " ended_at, frame_count, duration_seconds, ready)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)",
                    _recording_row(recording, job.account),
                )
                self._database.execute(
                    "INSERT INTO simulation_streams VALUES (?, ?, ?)",
                    (recording.stream_id, job.job_id, index),
                )
            self._database.execute(
                "UPDATE simulations SET status = 'completed', completed_at = ?, request = NULL"
                " WHERE job_id = ?",
                (timestamp(), job.job_id),
            )

    def _count(self, where: str, *values: str) -> int:
        return int(self._database.execute(_COUNT + where, values).fetchone()[0])


def _recording_row(recording: StoredRecording, account: str) -> tuple[object, ...]:
    stream_id, *rest = attrs.astuple(recording)
    return (stream_id, account, *rest)
