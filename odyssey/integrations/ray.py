"""Recordings and simulations on a Ray cluster; needs the extra `ray`.

```python
from odyssey.integrations.ray import read_recordings, simulate

table = simulate(["A cat on a windowsill", "A fox at dawn"], seconds=5).materialize()
frames = read_recordings([row["stream_id"] for row in table.iter_rows()], step=12)
for batch in frames.iter_batches(batch_size=16):
    print(batch["image"].shape)     # (16, 1280, 704, 3), uint8
```

Workers log what they do; Ray shows it in the program that started them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from typing import Any

import attrs
import numpy as np

from odyssey import Odyssey
from odyssey._checks import check_count, check_text, check_timeout
from odyssey._logging import without_locals
from odyssey._runtime.deadline import Deadline
from odyssey.errors import (
    AccountSuspendedError,
    MonthlyLimitReachedError,
    OdysseyAuthError,
    OdysseyError,
    OdysseyNotFoundError,
    OdysseyServerError,
    OdysseyUsageError,
)
from odyssey.frames.frame import VideoFrame
from odyssey.integrations._workers import ClientOptions, stream_ids
from odyssey.models import Recording, SimulationJobDetail, StreamRecordingInfo

try:
    import ray
    from ray.data import Dataset, Datasource, ReadTask
    from ray.data.block import BlockAccessor, BlockMetadata
except ImportError as exc:
    raise ImportError(
        'odyssey.integrations.ray needs Ray Data: pip install "odyssey-sync[ray]"'
    ) from exc

__all__ = ["Failure", "Failures", "read_recordings", "simulate"]

logger = logging.getLogger(__name__)

#: Frames in a block: 43 MB of the usual ones. Always the same, so that a block which a worker makes
#: again, because another one died, has the same frames.
_BLOCK_FRAMES = 16
_PAUSE_SECONDS = 1.0  # before a recording is tried again, and between looks at a full queue
_REPORT_SECONDS = 30.0
_FINAL = (OdysseyAuthError, OdysseyNotFoundError)
_WAITING_CPUS = 0.1  # a task that waits for a simulation does nothing else


@attrs.frozen
class Failure:
    """A recording that could not be read, or not to its end.

    Attributes:
        stream_id: Whose.
        error: The class of the last error, such as `"OdysseyNotFoundError"`.
        message: Its text.
        frames: How many frames had been read before; they are in the data set.
    """

    stream_id: str
    error: str
    message: str
    frames: int


class Failures:
    """Collects the failures of `read_recordings`' tasks, from whichever machine they run on.

    An actor of the cluster holds them, and ends with the last reference to this object. Several
    data sets may share one, and it can be sent to tasks.

    Example:
        ```python
        failures = Failures()
        read_recordings(stream_ids, failures=failures).write_parquet("frames")
        for failure in failures.list():
            print(failure.stream_id, failure.error, failure.message)
        ```
    """

    def __init__(self) -> None:
        self._actor: Any = ray.remote(num_cpus=0)(_Reports).remote()

    def list(self, timeout: float | None = 30.0) -> list[Failure]:
        """Returns the failures reported so far, one for each stream.

        Raises:
            ray.exceptions.RayError: The cluster or the actor is gone, or does not answer in time.
        """
        return list(ray.get(self._actor.all.remote(), timeout=timeout))

    def _report(self, failure: Failure) -> None:
        try:
            ray.get(self._actor.add.remote(failure), timeout=_REPORT_SECONDS)
        except ray.exceptions.RayError as exc:
            # What was read is worth more than the report, which is in the log, too.
            logger.warning("could not report that %s failed: %r", failure.stream_id, exc)


class _Reports:
    """The actor. A task that runs again reports again: the last report counts."""

    def __init__(self) -> None:
        self._failures: dict[str, Failure] = {}

    def add(self, failure: Failure) -> None:
        self._failures[failure.stream_id] = failure

    def all(self) -> list[Failure]:
        return [*self._failures.values()]


@without_locals
def read_recordings(
    recordings: Iterable[Recording | StreamRecordingInfo | str],
    start: int = 0,
    stop: int | None = None,
    step: int = 1,
    *,
    tries: int = 3,
    failures: Failures | None = None,
    concurrency: int | None = None,
    api_key: str | None = None,
    api_url: str | None = None,
    timeout: float | None = 30.0,
) -> Dataset:
    """Reads the frames of recordings into a `ray.data.Dataset`, with one task per recording.

    Its columns: `image`, uint8 (height, width, 3), RGB; `stream_id`; `index`, the frame's position
    in the recording; `timestamp_ms`, its time in it. Frames of one recording are in order.

    A task downloads and decodes on its worker, with a client of its own, which gets the recording's
    addresses and renews them when they have expired. A recording that fails is tried again from the
    first missing frame on; if it fails for good, that is logged and the others go on. Ray replaces
    a worker that dies, and no frame is lost or doubled.

    Args:
        recordings: Recordings, entries of a list of them, or stream ids.
        start, stop, step: Which frames of each, as `client.recordings.frames`.
        tries: How often a recording may fail in all.
        failures: Collects what failed for good.
        concurrency: The most tasks at once; by default Ray chooses.
        api_key, api_url, timeout: Of the workers' clients; the workers' environment's by default.
            Sent to the workers with the tasks, and shown nowhere.

    Raises:
        ValueError, TypeError: An argument is wrong. Nothing was sent.
        OdysseyAuthError: The key was refused, so that no recording can be read. It is raised where
            the data set is consumed, within Ray's `RayTaskError`.

    Example:
        ```python
        frames = read_recordings([stream_id], step=24)      # one a second
        bright = frames.map(lambda row: {"mean": row["image"].mean()})
        ```
    """
    ids = stream_ids(recordings)
    if not ids:
        raise ValueError("recordings is empty; it needs at least one")
    reading = _Reading(
        stream_id="",
        start=check_count(start, "start", 0),
        stop=None if stop is None else check_count(stop, "stop", 0),
        step=check_count(step, "step", 1),
        tries=check_count(tries, "tries", 1),
        failures=failures,
        options=ClientOptions(api_key, api_url, timeout),
    )
    reading.options.check()
    tasks = [attrs.evolve(reading, stream_id=check_text(id_, "recordings")) for id_ in ids]
    frames: Dataset = ray.data.read_datasource(
        _RecordingsDatasource(tasks), concurrency=concurrency, override_num_blocks=len(tasks)
    )
    return frames


class _RecordingsDatasource(Datasource):
    """One read task for each recording."""

    def __init__(self, tasks: list[_Reading]) -> None:
        super().__init__()
        self._tasks = tasks

    def get_name(self) -> str:
        return "OdysseyRecordings"

    def estimate_inmemory_data_size(self) -> int | None:
        return None

    def get_read_tasks(
        self,
        parallelism: int,  # noqa: ARG002 - Ray gives it by name
        per_task_row_limit: int | None = None,
        data_context: Any = None,  # noqa: ARG002
    ) -> list[ReadTask]:
        unknown = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
        return [ReadTask(t, unknown, per_task_row_limit=per_task_row_limit) for t in self._tasks]


@attrs.frozen(kw_only=True)
class _Reading:
    """Reads one recording in the worker that calls it."""

    stream_id: str
    start: int
    stop: int | None
    step: int
    tries: int
    failures: Failures | None
    options: ClientOptions

    def __call__(self) -> Iterator[Any]:
        frames: list[VideoFrame] = []
        with self.options.client() as client:
            for frame in self._frames(client):
                if frames and (len(frames) == _BLOCK_FRAMES or _size(frame) != _size(frames[0])):
                    yield _block(self.stream_id, frames)
                    frames = []
                frames.append(frame)
        if frames:
            yield _block(self.stream_id, frames)

    def _frames(self, client: Odyssey) -> Iterator[VideoFrame]:
        """Yields each frame once, however often the recording fails in between."""
        read = failed = 0
        while True:
            next_ = self.start + read * self.step
            try:
                for frame in client.recordings.frames(self.stream_id, next_, self.stop, self.step):
                    yield frame
                    read += 1
            except (OdysseyError, ValueError) as exc:
                failed += 1
                if isinstance(exc, OdysseyAuthError) and _is_locked_out(client):
                    raise
                if failed == self.tries or _is_final(exc):
                    self._give_up(exc, read)
                    return
                logger.warning("recording %s is tried again: %s", self.stream_id, exc)
                time.sleep(_PAUSE_SECONDS * failed)
            else:
                return

    def _give_up(self, exc: Exception, read: int) -> None:
        logger.warning("recording %s failed after %d frames: %s", self.stream_id, read, exc)
        if self.failures is not None:
            self.failures._report(Failure(self.stream_id, type(exc).__name__, str(exc), read))


def _is_final(exc: Exception) -> bool:
    """Whether trying again is no use: also for an id that can't be one, a plain ValueError."""
    return isinstance(exc, _FINAL) or not isinstance(exc, OdysseyError)


def _is_locked_out(client: Odyssey) -> bool:
    """Whether the key is refused altogether, and not just for one recording."""
    try:
        client.recordings.list(limit=1)
    except OdysseyAuthError:
        return True
    except OdysseyError:  # says nothing of the key
        return False
    return False


def _size(frame: VideoFrame) -> tuple[int, int]:
    return frame.width, frame.height


def _block(stream_id: str, frames: list[VideoFrame]) -> Any:
    return BlockAccessor.batch_to_block(
        {
            "image": np.stack([frame.data for frame in frames]),
            "stream_id": np.array([stream_id] * len(frames)),
            "index": np.array([frame.index for frame in frames]),
            "timestamp_ms": np.array([frame.timestamp_ms for frame in frames]),
        }
    )


@without_locals
def simulate(
    prompts: Iterable[str] | Dataset,
    seconds: float = 5.0,
    portrait: bool = True,
    *,
    column: str = "prompt",
    at_once: int = 10,
    wait: float | None = 3600.0,
    api_key: str | None = None,
    api_url: str | None = None,
    timeout: float | None = 30.0,
) -> Dataset:
    """Renders a video of each prompt; returns a table of the results, a `ray.data.Dataset`.

    Each row of `prompts` gets the columns `job_id`, `stream_id` (for `read_recordings` and
    `client.recordings`) and `error`: what went wrong, in words, or None. A row that fails, such as
    one whose prompt is refused, leaves the others alone.

    Like every data set this one is lazy, and renders again each time it is consumed:
    `.materialize()` renders once. If a worker dies, its row is submitted again, while the job that
    it had submitted goes on and is charged.

    Args:
        prompts: Prompts, or a data set with a column of them.
        seconds: The length of each video.
        portrait: 704x1280, else 1280x704.
        column: The column with the prompts.
        at_once: The most jobs that are queued or rendered at once. The service takes ten
            queued ones of an account; while others fill the queue, a row waits for its place.
        wait: Seconds that a row may take, its place in the queue included; None for no limit.
        api_key, api_url, timeout: As `read_recordings`.

    Raises:
        ValueError, TypeError: An argument is wrong. Nothing was sent.
        OdysseyAuthError: As `read_recordings`.

    Example:
        ```python
        table = simulate(["A cat", "A dog"], seconds=3).materialize()
        lost = [row["prompt"] for row in table.iter_rows() if row["error"]]
        ```
    """
    if isinstance(prompts, str):
        raise TypeError("prompts must be several, not a str")
    rendering = _Rendering(
        column=check_text(column, "column"),
        milliseconds=_milliseconds(seconds),
        portrait=bool(portrait),
        wait=check_timeout(wait, "wait"),
        options=ClientOptions(api_key, api_url, timeout),
    )
    rendering.options.check()
    check_count(at_once, "at_once", 1)
    if not isinstance(prompts, Dataset):
        rows = [{column: check_text(prompt, "prompts")} for prompt in prompts]
        if not rows:
            raise ValueError("prompts is empty; it needs at least one")
        prompts = ray.data.from_items(rows, override_num_blocks=len(rows))
        at_once = min(at_once, len(rows))  # more tasks than rows, and Ray warns
    else:
        prompts = prompts.repartition(target_num_rows_per_block=1)
    return prompts.map(
        rendering, compute=ray.data.TaskPoolStrategy(at_once), num_cpus=_WAITING_CPUS
    )


def _milliseconds(seconds: object) -> int:
    length = check_timeout(seconds, "seconds")
    if length is None or length < 0.001:
        raise ValueError(f"seconds must be a video's length in seconds, not {seconds!r}")
    return round(1000 * length)


@attrs.frozen(kw_only=True)
class _Rendering:
    """Renders the prompt of a row in the worker that calls it."""

    column: str
    milliseconds: int
    portrait: bool
    wait: float | None
    options: ClientOptions

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        done: dict[str, Any] = {"job_id": None, "stream_id": None, "error": None}
        try:
            with self.options.client() as client:
                deadline = Deadline.after(self.wait)
                job = self._submit(client, row[self.column], deadline)
                done["job_id"] = job.job_id
                finished = client.simulations.wait(job, deadline.remaining(), _PAUSE_SECONDS)
                if not finished.streams:
                    raise OdysseyServerError(f"simulation {job.job_id} completed without a stream")
                done["stream_id"] = finished.streams[0].stream_id
        except OdysseyAuthError:
            raise
        except (OdysseyError, ValueError, TypeError) as exc:
            done["error"] = f"{type(exc).__name__}: {exc}"
            logger.warning("a simulation failed: %s", exc)
        return row | done

    def _submit(self, client: Odyssey, prompt: Any, deadline: Deadline) -> SimulationJobDetail:
        """Waits for a place in the queue."""
        script = [
            {"timestamp_ms": 0, "start": {"prompt": prompt}},
            {"timestamp_ms": self.milliseconds, "end": {}},
        ]
        while True:
            try:
                return client.simulations.submit(script=script, portrait=self.portrait)
            except (MonthlyLimitReachedError, AccountSuspendedError):
                raise
            except OdysseyUsageError as exc:
                if deadline.passed():
                    raise
                logger.info("waiting for a place in the queue: %s", exc)
                time.sleep(_PAUSE_SECONDS)
