"""`client.simulations`: videos rendered from scripts. Needs no connection."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from odyssey._checks import check_count, check_text, check_timeout, check_wait, path_segment
from odyssey._logging import Secret, shown_text, without_locals
from odyssey._progress import progress_bar
from odyssey._rest.client import HttpClient
from odyssey._rest.pages import paginate_unique
from odyssey._rest.polling import may_pass, poll_deadlines
from odyssey._runtime.deadline import Deadline
from odyssey.errors import (
    OdysseyConnectionError,
    OdysseyError,
    OdysseyTimeoutError,
    RateLimitError,
    SimulationFailedError,
    printable,
)
from odyssey.models import (
    SimulationJobDetail,
    SimulationJobInfo,
    SimulationJobsList,
    SimulationJobStatus,
)
from odyssey.simulations.script import Script, prepare_script

logger = logging.getLogger(__name__)

# Within the class `list` is a method.
_Infos = list[SimulationJobInfo]
OnUpdate = Callable[[SimulationJobDetail], object]


class Simulations:
    """The account's simulations. Needs an API key but no connection; safe to share between threads.

    Each call except `wait` takes the client's `timeout`. All raise the errors of `Recordings`.

    Example:
        ```python
        script = [
            {"timestamp_ms": 0, "start": {"prompt": "A cat on a windowsill"}},
            {"timestamp_ms": 3000, "interact": {"prompt": "The cat yawns"}},
            {"timestamp_ms": 6000, "end": {}},
        ]
        job = client.simulations.wait(client.simulations.submit(script=script))
        client.recordings.download(job.streams[0], "cat.mp4")
        ```
    """

    def __init__(
        self, http: HttpClient, timeout: float | None, check_open: Callable[[], None]
    ) -> None:
        self._http = http
        self._timeout = timeout
        self._check_open = check_open

    @without_locals
    def submit(
        self,
        *,
        script: Script | None = None,
        scripts: Sequence[Script] | None = None,
        script_url: str | None = None,
        portrait: bool = True,
        bypass_prompt_expansion: bool | None = None,
    ) -> SimulationJobDetail:
        """Queues a job, and returns it.

        Args:
            script: A list of entries, each with `timestamp_ms` and one of `start` (a prompt and
                perhaps an image, as in `start_stream`), `interact` (a prompt) and `end`. The first
                is a start at 0; the last is an end, at the video's length.
            scripts: Several scripts for one job; each makes a stream with its `script_index`.
            script_url: The URL of a script in JSON.
            portrait: Whether the video is 704x1280; otherwise it is 1280x704.
            bypass_prompt_expansion: True asks the service not to rewrite the prompts, False to
                rewrite them; None leaves it to the service.

        Raises:
            ValueError: An argument is wrong; the text names the entry. Nothing was sent.
            OdysseyAuthError: The key lacks the right.
            OdysseyUsageError: Ten jobs are queued already, or another limit of the account was
                reached.
        """
        given = {"script": script, "scripts": scripts, "script_url": script_url}
        names = [name for name, value in given.items() if value is not None]
        if len(names) != 1:
            got = " and ".join(names) or "none of them"
            raise ValueError(f"give exactly one of script, scripts and script_url, not {got}")
        body: dict[str, Any] = {"portrait": bool(portrait), "output_video": True}
        if script is not None:
            body["script"] = prepare_script(script, portrait=portrait)
        elif scripts is not None:
            body["scripts"] = _prepare_scripts(scripts, portrait)
        else:
            body["script_url"] = Secret(_check_script_url(script_url))
        if bypass_prompt_expansion is not None:
            body["bypass_vlm_expansion"] = bool(bypass_prompt_expansion)
        self._check_open()
        deadline = Deadline.after(self._timeout)
        answer = self._http.post(
            "/simulation-jobs", body, deadline, "could not submit the simulation"
        )
        return SimulationJobDetail.from_json(answer.json("the simulation"))

    def get(self, job_id: str) -> SimulationJobDetail:
        """Gets a job; a completed one has its streams.

        Raises:
            OdysseyNotFoundError: There is no such job.

        Example:
            ```python
            job = client.simulations.get(job_id)
            print(job.status, len(job.streams))
            ```
        """
        return self._get(job_id, Deadline.after(self._timeout))

    def list(
        self,
        *,
        status: SimulationJobStatus | str | None = None,
        active: bool | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> SimulationJobsList:
        """Gets one page of jobs, newest first.

        Args:
            status: Only jobs with this status.
            active: True for jobs that are not over yet.
            limit: The most jobs on this page, 1 to 100; the service's default is 20.
            offset: The number of jobs to skip.

        Example:
            ```python
            for job in client.simulations.list(active=True, limit=10).jobs:
                print(job.job_id, job.status)
            ```
        """
        params: dict[str, object] = {}
        if status is not None:
            params["status"] = SimulationJobStatus(status).value
        if active is not None:
            params["active"] = "true" if active else "false"
        if limit is not None:
            params["limit"] = check_count(limit, "limit", 1, 100)
        if offset is not None:
            params["offset"] = check_count(offset, "offset", 0)
        self._check_open()
        answer = self._http.get(
            "/simulation-jobs",
            Deadline.after(self._timeout),
            "could not list simulations",
            params,
        )
        return SimulationJobsList.from_json(answer.json("the list of simulations"))

    def iterate(
        self,
        *,
        status: SimulationJobStatus | str | None = None,
        active: bool | None = None,
        page_size: int = 100,
    ) -> Iterator[SimulationJobInfo]:
        """Iterates over every job once, newest first, even while jobs are added or change status.

        Example:
            ```python
            failed = [job.job_id for job in client.simulations.iterate(status="failed")]
            ```
        """
        check_count(page_size, "page_size", 1, 100)

        def page_at(offset: int) -> tuple[_Infos, int]:
            page = self.list(status=status, active=active, limit=page_size, offset=offset)
            return page.jobs, page.total

        return paginate_unique(page_at, lambda job: job.job_id, "the list of simulations")

    def cancel(self, job_id: str) -> SimulationJobInfo:
        """Cancels a job that is not being rendered yet.

        Raises:
            OdysseyNotFoundError: There is no such job.
            OdysseyRequestError: The job is already being rendered, or over.

        Example:
            ```python
            job = client.simulations.submit(script=script)
            client.simulations.cancel(job.job_id)
            ```
        """
        self._check_open()
        path = f"/simulation-jobs/{path_segment(job_id, 'job_id')}"
        answer = self._http.delete(
            path, Deadline.after(self._timeout), f"could not cancel simulation {job_id}"
        )
        return SimulationJobInfo.from_json(answer.json("the simulation"))

    def wait(
        self,
        job_or_id: SimulationJobDetail | SimulationJobInfo | str,
        timeout: float | None = 600,
        interval: float = 2.0,
        on_update: OnUpdate | None = None,
        *,
        progress: bool = False,
    ) -> SimulationJobDetail:
        """Waits until the job is completed, and returns it.

        Args:
            job_or_id: A job, or its id.
            timeout: Seconds to wait; 0 asks once, None waits without limit.
            interval: Seconds between the first two requests; the pauses grow from there.
            on_update: Called with the job, in this thread, whenever its status has changed.
            progress: Whether to show the status and the time.

        Raises:
            SimulationFailedError: The job failed or was cancelled; the error's `job` says more.
            OdysseyTimeoutError: The job was not over in time. It goes on.

        Example:
            ```python
            job = client.simulations.wait(job_id, on_update=lambda job: print(job.status))
            client.recordings.download(job.streams[0], "cat.mp4")
            ```
        """
        job_id = check_text(getattr(job_or_id, "job_id", job_or_id), "job_or_id")
        seconds = check_wait(timeout)
        first_pause = check_timeout(interval, "interval") or 2.0
        if on_update is not None and not callable(on_update):
            raise TypeError(f"on_update must be callable, not {type(on_update).__name__}")
        last: SimulationJobDetail | None = None
        failure: OdysseyError | None = None
        with _StatusBar(job_id, shown=progress) as bar:
            for patience in poll_deadlines(seconds, first_pause, self._timeout):
                try:
                    job, failure = self._get(job_id, patience), None
                except (OdysseyConnectionError, RateLimitError) as exc:
                    if not may_pass(exc, failure):
                        raise
                    logger.info("waiting on although %s", exc)
                    # A request cut off by the timeout says less than the failure before it.
                    if failure is None or not isinstance(exc, OdysseyTimeoutError):
                        failure = exc
                    continue
                if last is None or job.status != last.status:
                    last = job
                    bar.show(_said(job))
                    if on_update is not None:
                        on_update(job)
                    if job.status is not None and job.status.is_final:
                        return _completed(job)
        raise _not_over(job_id, timeout, last) from failure

    def _get(self, job_id: str, deadline: Deadline) -> SimulationJobDetail:
        self._check_open()
        path = f"/simulation-jobs/{path_segment(job_id, 'job_id')}"
        answer = self._http.get(path, deadline, f"could not get simulation {job_id}")
        return SimulationJobDetail.from_json(answer.json("the simulation"))


def _completed(job: SimulationJobDetail) -> SimulationJobDetail:
    if job.status is SimulationJobStatus.COMPLETED:
        return job
    why = f": {shown_text(job.error_message)}" if job.error_message else ""
    past = "failed" if job.status is SimulationJobStatus.FAILED else "was cancelled"
    raise SimulationFailedError(f"simulation {job.job_id} {past}{why}", job=job)


def _said(job: SimulationJobDetail) -> str:
    """The job's status, which may be a text that this version doesn't know."""
    return "no status" if job.status is None else shown_text(job.status.value)


def _not_over(
    job_id: str, timeout: float | None, last: SimulationJobDetail | None
) -> OdysseyTimeoutError:
    stands = "never seen" if last is None else f"last seen: {_said(last)}"
    return OdysseyTimeoutError(
        f"simulation {job_id} was not over after {timeout} s ({stands}); it goes on: wait for it "
        "again"
    )


def _prepare_scripts(scripts: object, portrait: bool) -> list[list[dict[str, Any]]]:
    if isinstance(scripts, (str, bytes)) or not isinstance(scripts, Sequence):
        raise ValueError(f"scripts must be a list of scripts, not {type(scripts).__name__}")
    if not scripts:
        raise ValueError("scripts is empty; it needs at least one script")
    return [
        prepare_script(script, portrait=portrait, name=f"scripts[{i}]")
        for i, script in enumerate(scripts)
    ]


def _check_script_url(url: object) -> str:
    text = check_text(url, "script_url")
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        valid = False
    if not valid:
        raise ValueError("script_url must be an http:// or https:// address of a script in JSON")
    return text


class _StatusBar:
    """A line of tqdm with the job's status and the time it has taken."""

    def __init__(self, job_id: str, *, shown: bool) -> None:
        self._bar: Any = None
        if shown:
            self._bar = progress_bar(f"simulation {job_id}", bar_format="{desc} [{elapsed}]")
        self._job_id = job_id

    def show(self, status: str) -> None:
        if self._bar is not None:
            said = printable(f"simulation {self._job_id}: {status}")
            self._bar.set_description_str(said)

    def __enter__(self) -> _StatusBar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
