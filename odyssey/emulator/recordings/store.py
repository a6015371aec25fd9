"""The recordings: an SQLite index and a folder of files for each stream."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import uuid
from pathlib import Path

from odyssey.emulator.recordings.folder import make_private, refuse_link
from odyssey.emulator.recordings.job_store import JobStore
from odyssey.emulator.recordings.rows import StoredRecording, timestamp
from odyssey.emulator.recordings.secret import read_or_make_secret

__all__ = ["Store", "StoredRecording", "timestamp"]

logger = logging.getLogger(__name__)

_COMPANIONS = ("-journal", "-wal", "-shm")  # files of SQLite beside an index

_SCHEMA = """
CREATE TABLE IF NOT EXISTS recordings (
    stream_id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    frame_count INTEGER,
    duration_seconds REAL,
    ready INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS recordings_of_account ON recordings (account, ready, started_at);
"""

_FINISHED = (
    "SELECT stream_id, width, height, started_at, ended_at, frame_count, duration_seconds"
    " FROM recordings WHERE account = ? AND ready = 1"
)

# What simulations made is found by its id, but isn't listed and uses up no streaming hours.
_NOT_SIMULATED = " AND stream_id NOT IN (SELECT stream_id FROM simulation_streams)"
_COUNT = (
    "SELECT COUNT(*) FROM recordings WHERE account = ? AND ready = 1"
    " AND stream_id NOT IN (SELECT stream_id FROM simulation_streams)"
)
_SECONDS = (
    "SELECT TOTAL(duration_seconds) FROM recordings WHERE account = ? AND started_at >= ?"
    " AND stream_id NOT IN (SELECT stream_id FROM simulation_streams)"
)


class Store:
    """Recordings under `folder`, and the simulations. Blocking; for one thread at a time.

    Opening drops what a crash left unfinished. The index is locked while it is open: a second
    emulator on the same folder gets a RuntimeError instead of taking the running streams of the
    first for such leftovers. Nobody but the owner can read what is stored.

    Raises:
        RuntimeError: Another emulator uses the folder, its index is broken, or a link is in it.
        OSError: The folder can't be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.files = folder / "recordings"
        make_private(self.files)
        self._index = folder / "index.sqlite3"
        _make_private_file(self._index)  # what SQLite makes beside it gets the same rights
        for ending in _COMPANIONS:
            if os.path.lexists(companion := folder / (self._index.name + ending)):
                _make_private_file(companion)
        self._database = sqlite3.connect(
            self._index, timeout=0.5, isolation_level=None, check_same_thread=False
        )
        self.jobs = JobStore(self._database)
        try:
            self._open()
        except BaseException:
            self._database.close()
            raise

    def _open(self) -> None:
        self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
        try:
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._check()
            is_new = not self._database.execute("SELECT 1 FROM sqlite_master").fetchone()
            self._database.executescript(_SCHEMA)
            self.jobs.open()
            self._drop_unfinished(is_new=is_new)
        except sqlite3.Error as exc:
            raise RuntimeError(self._problem(exc)) from exc

    def _check(self) -> None:
        (found,) = self._database.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(found)

    def _problem(self, exc: sqlite3.Error) -> str:
        """Returns why the index can't be opened, and what to do."""
        code = getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return f"the index in {self._folder} can't be opened; is another emulator using it?"
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR):
            return (
                f"{self._index} is broken, or of another program ({exc}): name another folder, or "
                f"move that file away; the videos in {self.files} are kept, but not listed then"
            )
        return f"{self._index} can't be used ({exc}): check its rights and the room on its disk"

    def close(self) -> None:
        self._database.close()

    def secret(self) -> bytes:
        """The key that signs URLs and tokens; made on first use, readable by the owner only."""
        return read_or_make_secret(self._folder / "secret")

    def folder_of(self, stream_id: str) -> Path:
        return self.files / stream_id

    def begin(self, stream_id: str, account: str, width: int, height: int, started_at: str) -> None:
        """Notes a stream that has started. It is not listed before `finish`."""
        self._database.execute(
            "INSERT INTO recordings (stream_id, account, width, height, started_at)"
            " VALUES (?, ?, ?, ?, ?)",
            (stream_id, account, width, height, started_at),
        )

    def finish(
        self, stream_id: str, ended_at: str, frame_count: int, duration_seconds: float
    ) -> None:
        self._database.execute(
            "UPDATE recordings SET ended_at = ?, frame_count = ?, duration_seconds = ?, ready = 1"
            " WHERE stream_id = ?",
            (ended_at, frame_count, duration_seconds, stream_id),
        )

    def discard(self, stream_id: str) -> None:
        """Forgets a recording and removes its files."""
        shutil.rmtree(self.folder_of(stream_id), ignore_errors=True)
        self._database.execute("DELETE FROM recordings WHERE stream_id = ?", (stream_id,))

    def get(self, account: str, stream_id: str) -> StoredRecording | None:
        """Returns the recording, or None when it is unknown, another account's or not ready."""
        row = self._database.execute(
            _FINISHED + " AND stream_id = ?", (account, stream_id)
        ).fetchone()
        return StoredRecording(*row) if row else None

    def page(self, account: str, limit: int, offset: int) -> tuple[list[StoredRecording], int]:
        """A page of the account's streamed recordings, newest first, and how many there are."""
        (total,) = self._database.execute(_COUNT, (account,)).fetchone()
        # In the order in which they began: their times may not be, where the clock was set.
        rows = self._database.execute(
            _FINISHED + _NOT_SIMULATED + " ORDER BY rowid DESC LIMIT ? OFFSET ?",
            (account, limit, offset),
        )
        return [StoredRecording(*row) for row in rows], total

    def hours_since(self, account: str, moment: str) -> float:
        """Hours streamed in recordings that started at or after the moment."""
        (seconds,) = self._database.execute(_SECONDS, (account, moment)).fetchone()
        return float(seconds) / 3600

    def _drop_unfinished(self, *, is_new: bool) -> None:
        self._database.execute("DELETE FROM recordings WHERE ready = 0")
        finished = {row[0] for row in self._database.execute("SELECT stream_id FROM recordings")}
        left = [f for f in self.files.iterdir() if _is_stream_id(f.name) and f.name not in finished]
        if is_new and left:  # the index is gone: they may be whole
            logger.warning("%s has recordings that no index lists: kept as *.unlisted", self.files)
        for folder in left:
            if is_new:
                folder.rename(folder.with_name(f"{folder.name}.unlisted"))
            else:
                logger.info("dropping the unfinished recording of stream %s", folder.name)
                shutil.rmtree(folder, ignore_errors=True)


def _make_private_file(path: Path) -> None:
    """Makes an empty file that only its owner can read; takes the others' rights to one there.

    Raises:
        RuntimeError: A link is there.
    """
    refuse_link(path)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        if os.name == "posix" and os.fstat(descriptor).st_mode & 0o077:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def _is_stream_id(name: str) -> bool:
    try:
        return str(uuid.UUID(name)) == name
    except ValueError:
        return False
