"""The recordings as the emulator's loop sees them: the store on a thread of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from odyssey.emulator.faults import Faults, RecordingDelay
from odyssey.emulator.live.live_stream import LiveStream
from odyssey.emulator.recordings.job_store import JobStore
from odyssey.emulator.recordings.rows import StoredRecording, timestamp
from odyssey.emulator.recordings.store import Store
from odyssey.emulator.workers import Workers

__all__ = ["Archive"]

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Archive:
    """Running streams and finished recordings. Owns the store."""

    def __init__(self, store: Store, faults: Faults) -> None:
        self._store = store
        self._faults = faults
        self._thread = Workers(1, "odyssey-store")
        self._running: dict[str, LiveStream] = {}
        self._writing: dict[str, LiveStream] = {}
        self._finishing: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    @property
    def files(self) -> Path:
        return self._store.files

    def folder_of(self, stream_id: str) -> Path:
        return self._store.folder_of(stream_id)

    def running_count(self, account: str) -> int:
        """Returns the number of streams of the account that run now."""
        return sum(stream.account == account for stream in self._running.values())

    async def begin(self, stream: LiveStream) -> None:
        """Notes a stream that has started; gives its recording up when that fails."""
        try:
            await self._call(
                lambda: self._store.begin(
                    stream.id, stream.account, stream.width, stream.height, timestamp()
                )
            )
        except BaseException:
            await asyncio.get_running_loop().run_in_executor(None, stream.abandon)
            raise
        self._running[stream.id] = stream

    def finish(self, stream: LiveStream, reason: str | None) -> None:
        """Closes the recording of a stream that is over, in the background."""
        self._writing[stream.id] = self._running.pop(stream.id)
        task = asyncio.ensure_future(self._finish(stream, stream.age, reason))
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)

    async def get(self, account: str, stream_id: str) -> StoredRecording | None:
        return await self._call(lambda: self._store.get(account, stream_id))

    async def page(
        self, account: str, limit: int, offset: int
    ) -> tuple[list[StoredRecording], int]:
        return await self._call(lambda: self._store.page(account, limit, offset))

    async def jobs(self, work: Callable[[JobStore], T]) -> T:
        """Does something with the index of simulations, on the store's thread."""
        return await self._call(lambda: work(self._store.jobs))

    async def hours_this_month(self, account: str) -> float:
        """Hours that the account has streamed in this month (UTC), running streams included."""
        month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        moment = month.isoformat(timespec="microseconds")
        recorded = await self._call(lambda: self._store.hours_since(account, moment))
        pending = [*self._running.values(), *self._writing.values()]
        return recorded + sum(s.age for s in pending if s.account == account) / 3600

    async def close(self, seconds: float) -> None:
        """Waits so long for recordings to be written, and closes the store.

        What isn't written by then is dropped when the store is opened again.
        """
        self._closing.set()
        if self._finishing:
            _, late = await asyncio.wait(self._finishing, timeout=seconds)
            for task in late:
                logger.warning("a recording could not be written in time and is lost")
                task.cancel()
        await self._call(self._store.close)
        self._thread.shutdown()

    async def _finish(self, stream: LiveStream, at: float, reason: str | None) -> None:
        loop = asyncio.get_running_loop()
        ended_at = timestamp()
        try:
            summary = await loop.run_in_executor(None, stream.finish, at, reason)
            if delay := self._faults.take(RecordingDelay):
                await self._delay(delay.seconds)
            await self._call(
                lambda: self._store.finish(
                    stream.id, ended_at, summary.frame_count, summary.duration_seconds
                )
            )
        except Exception:
            logger.exception("stream %s: the recording failed", stream.id)
            await loop.run_in_executor(None, stream.abandon)
            await self._call(lambda: self._store.discard(stream.id))
        finally:
            self._writing.pop(stream.id, None)

    async def _delay(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except TimeoutError:
            return

    async def _call(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
