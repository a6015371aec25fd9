"""The queue of simulations, and the worker that renders them one after another."""

from __future__ import annotations

import asyncio
import logging
import shutil
import threading
import uuid
from functools import partial

from odyssey.emulator.faults import SimulationFails, SimulationSlow, SimulationStuck
from odyssey.emulator.live.archive import Archive
from odyssey.emulator.live.messages import size_of
from odyssey.emulator.recordings.job_store import Page
from odyssey.emulator.recordings.recorder import RecordingSummary
from odyssey.emulator.recordings.rows import StoredJob, StoredRecording, timestamp
from odyssey.emulator.settings import Settings
from odyssey.emulator.simulations.rendering import Rendering
from odyssey.emulator.simulations.script import Script, ScriptError, SimulationRequest
from odyssey.emulator.simulations.script_download import download_script
from odyssey.emulator.workers import Workers

__all__ = ["Simulations"]

logger = logging.getLogger(__name__)

_MINUTES_EACH = 0.1  # a guess, for those who wait
_STUCK_CHECK = 0.05
_STOP_SECONDS = 1.0
_AGAIN_SECONDS = 1.0


class _FailedError(Exception):
    """The job fails, with this text as its `error_message`."""


class Simulations:
    """The jobs of all accounts. On the emulator's loop; painting and encoding on threads.

    One job is rendered at a time, so that live streams have the rest of the machine.
    """

    def __init__(self, settings: Settings, archive: Archive) -> None:
        self._settings = settings
        self._archive = archive
        self._thread = Workers(1, "odyssey-simulations")
        self._stop = threading.Event()
        self._submitted = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._rendering: asyncio.Future[RecordingSummary] | None = None

    def start(self) -> None:
        """Begins with what is queued."""
        self._worker = asyncio.ensure_future(self._work())

    async def close(self) -> None:
        """Stops at once. What is under way is queued again when the store is next opened."""
        self._stop.set()
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait([self._worker], timeout=_STOP_SECONDS)
        if self._rendering is not None:
            await asyncio.wait([self._rendering], timeout=_STOP_SECONDS)
        # Its thread is idle then, and gone in a moment; one that is stuck is not waited for.
        self._thread.shutdown(wait=self._rendering is None or self._rendering.done())

    async def check(self, request: SimulationRequest) -> None:
        """Checks the scripts of a request.

        Raises:
            ScriptError: One can't be played.
        """
        await asyncio.get_running_loop().run_in_executor(None, self._read, request)

    async def submit(self, account: str, request: SimulationRequest) -> StoredJob | None:
        """Queues a job whose scripts are checked; None when the account has too many queued."""
        id_, most = str(uuid.uuid4()), self._settings.limits.queued_simulations
        job = await self._archive.jobs(lambda jobs: jobs.add(id_, account, request.dumps(), most))
        self._submitted.set()
        return job

    async def minutes_until(self, job_id: str) -> float:
        """Returns an estimate of when a job begins."""
        ahead = await self._archive.jobs(lambda jobs: jobs.ahead_of(job_id))
        return round(ahead * _MINUTES_EACH, 1)

    async def get(self, job_id: str) -> StoredJob | None:
        """Returns the job, whoever's it is."""
        return await self._archive.jobs(lambda jobs: jobs.get(job_id))

    async def streams(self, job_id: str) -> list[tuple[int, StoredRecording]]:
        """Returns the recordings of a completed job, each with the index of its script."""
        return await self._archive.jobs(lambda jobs: jobs.streams(job_id))

    async def page(self, page: Page) -> tuple[list[StoredJob], int]:
        return await self._archive.jobs(lambda jobs: jobs.page(page))

    async def cancel(self, job_id: str) -> bool:
        """False when the job is being rendered or over."""
        return await self._archive.jobs(lambda jobs: jobs.cancel(job_id))

    async def _work(self) -> None:
        while True:
            try:
                await self._take_next()
            except Exception:  # of the index: a full disk, say, which may have room again
                logger.exception("the queue of simulations can't be read or written")
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _take_next(self) -> None:
        self._submitted.clear()
        await self._hold("pending")
        given = await self._archive.jobs(lambda jobs: jobs.dispatch())
        if given is None:
            await self._submitted.wait()
            return
        job, request = given
        try:
            await self._play(job, request)
        except (_FailedError, ScriptError) as exc:
            await self._fail(job, str(exc))
        except Exception:
            logger.exception("simulation %s failed", job.job_id)
            await self._fail(job, "internal error")

    async def _fail(self, job: StoredJob, message: str) -> None:
        await self._archive.jobs(lambda jobs: jobs.fail(job.job_id, message))

    async def _play(self, job: StoredJob, text: str) -> None:
        """Takes a job from dispatched to its end."""
        loop = asyncio.get_running_loop()
        await self._hold("dispatched", job.job_id)
        if not await self._archive.jobs(lambda jobs: jobs.process(job.job_id)):
            return  # cancelled meanwhile
        await self._hold("processing")
        if slow := self._settings.faults.take(SimulationSlow):
            await asyncio.sleep(slow.seconds)
        if failure := self._settings.faults.take(SimulationFails):
            raise _FailedError(failure.message)
        request = await loop.run_in_executor(None, SimulationRequest.loads, text)
        made: list[StoredRecording] = []
        try:
            for script in await self._scripts_of(request):
                made.append(await self._render(script, request))
            await self._archive.jobs(lambda jobs: jobs.complete(job, made))
        except Exception:
            await loop.run_in_executor(None, self._remove, made)
            raise

    async def _scripts_of(self, request: SimulationRequest) -> list[Script]:
        if request.script_url is not None:
            script = await download_script(request.script_url)
            request = request.with_script(script)
        return await asyncio.get_running_loop().run_in_executor(None, self._read, request)

    def _read(self, request: SimulationRequest) -> list[Script]:
        longest_ms = self._settings.limits.simulation_seconds * 1000
        return request.read(longest_ms, images=self._settings.image_to_video)

    async def _render(self, script: Script, request: SimulationRequest) -> StoredRecording:
        id_, started_at = str(uuid.uuid4()), timestamp()
        rendering = Rendering(
            script=script,
            size=size_of(portrait=request.portrait),
            folder=self._archive.folder_of(id_),
            applied=partial(self._settings.applied, bypass=request.bypass_expansion),
            stop=self._stop,
        )
        loop = asyncio.get_running_loop()
        self._rendering = loop.run_in_executor(self._thread, rendering.run)
        # The thread can't be cancelled: `close` tells it to stop, and waits for it.
        summary = await asyncio.shield(self._rendering)
        self._rendering = None
        return StoredRecording(
            stream_id=id_,
            width=summary.width,
            height=summary.height,
            started_at=started_at,
            ended_at=timestamp(),
            frame_count=summary.frame_count,
            duration_seconds=summary.duration_seconds,
        )

    def _remove(self, recordings: list[StoredRecording]) -> None:
        for recording in recordings:
            shutil.rmtree(self._archive.folder_of(recording.stream_id), ignore_errors=True)

    async def _hold(self, state: str, job_id: str | None = None) -> None:
        """Waits while a fault keeps jobs in `state`; no longer than the job is in it."""

        def holds() -> bool:
            fault = self._settings.faults.find(SimulationStuck, lambda fault: fault.state == state)
            return fault is not None

        while holds():
            await asyncio.sleep(_STUCK_CHECK)
            job = None if job_id is None else await self.get(job_id)
            if job is not None and job.status != state:
                return
