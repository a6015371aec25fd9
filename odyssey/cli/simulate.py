"""`odyssey simulate`: videos rendered from scripts. Needs no connection."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import attrs
import click

from odyssey.cli._downloads import Download, fetch_all
from odyssey.cli._options import TimedPrompt, finite, in_order, interact_option
from odyssey.cli._output import Failed, Screen, copyable, echo, json_option, print_json
from odyssey.cli._service import Service, with_service

if TYPE_CHECKING:
    from odyssey import Odyssey, SimulationJobDetail

_STATUSES = ("pending", "dispatched", "processing", "completed", "failed", "cancelled")
_JOBS = 4


@click.group(
    help="""Have videos rendered from scripts of prompts.

    \b
    Examples:
      odyssey simulate submit script.json --wait --download videos
      odyssey simulate submit --prompt "A cat" --interact 3:"It yawns" --seconds 6
      odyssey simulate list --active
      odyssey simulate cancel JOB_ID
    """
)
def simulate() -> None:
    pass


def waiting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--timeout` and `--download`."""
    command = click.option(
        "--timeout",
        type=click.FloatRange(0, min_open=True),
        callback=finite,
        default=600.0,
        show_default=True,
        help="Seconds to wait. The job goes on after that.",
    )(command)
    return click.option(
        "--download",
        "to",
        type=click.Path(file_okay=False, path_type=Path),
        help="Wait, and fetch the videos into this folder.",
    )(command)


@simulate.command(
    "submit",
    help="""Submit SCRIPT, a file of JSON; - is stdin.

    A script is a list of entries; a list of scripts is rendered as one job, a video for each. Paths
    of pictures in it are taken from the current folder.

    \b
    A script:
      [{"timestamp_ms": 0, "start": {"prompt": "A cat on a windowsill"}},
       {"timestamp_ms": 3000, "interact": {"prompt": "The cat yawns"}},
       {"timestamp_ms": 6000, "end": {}}]

    \b
    Examples:
      odyssey simulate submit script.json --wait --download videos
      odyssey simulate submit --prompt "A cat" --interact 3:"It yawns" --seconds 6 --wait
      odyssey simulate submit script.json --emulator --download videos
    """,
)
@click.argument("script", type=click.File(encoding="utf-8"), required=False)
@click.option("--prompt", help="Instead of a script: what to show.")
@interact_option
@click.option(
    "--seconds",
    type=click.FloatRange(0.1),
    callback=finite,
    help="Length of the video, with --prompt. Default: 6.",
)
@click.option("--landscape", is_flag=True, help="1280x704 instead of 704x1280.")
@click.option("--wait", is_flag=True, help="Wait until it is rendered.")
@waiting_options
@with_service
@json_option
def submit(
    script: TextIO | None,
    prompt: str | None,
    prompts: list[TimedPrompt],
    seconds: float | None,
    landscape: bool,
    wait: bool,
    timeout: float,
    to: Path | None,
    service: Service,
    as_json: bool,
) -> None:
    if (script is None) == (prompt is None):
        raise click.UsageError("give a script's file, or --prompt")
    if script is not None and (prompts or seconds is not None):
        raise click.UsageError("--interact and --seconds go with --prompt; a script has its own")
    waits = wait or to is not None
    if not waits and service.emulated:
        raise click.UsageError("the emulator ends with the command: add --wait")
    work = _read_script(script) if script else _written(prompt or "", prompts, seconds or 6.0)
    screen = Screen(to_stderr=as_json)
    with service.client() as client:
        job = client.simulations.submit(portrait=not landscape, **work)
        screen.say(f"Submitted as {job.job_id}.")
        if waits:
            finish = Finish(client, service, timeout, to, screen)
            finish.run(job.job_id, as_json=as_json)
            return
    if as_json:
        print_json(job.to_dict())
    else:
        screen.say(f"To wait for it: odyssey simulate wait {copyable(job.job_id)}")


@simulate.command(
    "wait",
    help="""Wait until a job is rendered; exit code 1 if it fails or is cancelled.

    \b
    Examples:
      odyssey simulate wait JOB_ID
      odyssey simulate wait JOB_ID --download videos
    """,
)
@click.argument("job_id")
@waiting_options
@with_service
@json_option
def wait_for(job_id: str, timeout: float, to: Path | None, service: Service, as_json: bool) -> None:
    with service.client() as client:
        finish = Finish(client, service, timeout, to, Screen(to_stderr=as_json))
        finish.run(job_id, as_json=as_json)


@simulate.command(
    "status",
    help="""Show how a job stands.

    \b
    Examples:
      odyssey simulate status JOB_ID
      odyssey simulate status JOB_ID --json | jq -r .status
    """,
)
@click.argument("job_id")
@with_service
@json_option
def status(job_id: str, service: Service, as_json: bool) -> None:
    with service.client() as client:
        job = client.simulations.get(job_id)
    if as_json:
        print_json(job.to_dict())
        return
    streams = " ".join(stream.stream_id for stream in job.streams)
    for name, value in {**job.to_dict(), "streams": streams or None}.items():
        if value is not None:
            echo(f"{name:<22} {value}")


@simulate.command(
    "list",
    help="""List jobs, newest first.

    \b
    Examples:
      odyssey simulate list --active
      odyssey simulate list --status failed --json
    """,
)
@click.option("--status", "wanted", type=click.Choice(_STATUSES), help="Only those.")
@click.option("--active", is_flag=True, help="Only those that are not over.")
@click.option("--limit", type=click.IntRange(1, 100), help="The most to list; 20 if not given.")
@click.option("--offset", type=click.IntRange(0), help="How many of the newest to skip.")
@with_service
@json_option
def list_(
    wanted: str | None,
    active: bool,
    limit: int | None,
    offset: int | None,
    service: Service,
    as_json: bool,
) -> None:
    from odyssey.cli._output import print_table, short_time

    with service.client() as client:
        page = client.simulations.list(
            status=wanted, active=active or None, limit=limit, offset=offset
        )
    if as_json:
        print_json(page.to_dict())
        return
    rows = [
        (job.job_id, job.status or "-", short_time(job.created_at), job.error_message or "")
        for job in page.jobs
    ]
    print_table(("JOB", "STATUS", "CREATED", "ERROR"), rows)
    click.echo(f"{len(page.jobs)} of {page.total} job{'' if page.total == 1 else 's'}", err=True)


@simulate.command(
    "cancel",
    help="""Cancel a job that is not being rendered yet.

    \b
    Examples:
      odyssey simulate cancel JOB_ID
    """,
)
@click.argument("job_id")
@with_service
@json_option
def cancel(job_id: str, service: Service, as_json: bool) -> None:
    with service.client() as client:
        job = client.simulations.cancel(job_id)
    if as_json:
        print_json(job.to_dict())
    else:
        echo(f"{job.job_id} {job.status or '-'}")


def _read_script(file: TextIO) -> dict[str, Any]:
    """Reads the file's JSON as an argument of `client.simulations.submit`, which checks it."""
    name = "stdin" if file.name == "<stdin>" else file.name
    try:
        content = json.load(file)
    except json.JSONDecodeError as exc:
        raise Failed(
            f"{name} is no JSON: line {exc.lineno}, column {exc.colno}: {exc.msg}"
        ) from exc
    except (UnicodeDecodeError, RecursionError) as exc:
        raise Failed(f"{name} is no JSON: {exc}") from exc
    if isinstance(content, dict) and len(content) == 1 and {"script", "scripts"} & set(content):
        return content
    several = isinstance(content, list) and bool(content) and isinstance(content[0], list)
    return {"scripts" if several else "script": content}


def _written(prompt: str, prompts: list[TimedPrompt], seconds: float) -> dict[str, Any]:
    """Returns the script that the options describe."""
    steps = [
        {"timestamp_ms": round(step.seconds * 1000), "interact": {"prompt": step.prompt}}
        for step in in_order(prompts, seconds)
    ]
    start = {"timestamp_ms": 0, "start": {"prompt": prompt}}
    return {"script": [start, *steps, {"timestamp_ms": round(seconds * 1000), "end": {}}]}


@attrs.frozen
class Finish:
    """Waits for a job, fetches its videos, and prints it."""

    client: Odyssey
    service: Service
    timeout: float
    to: Path | None
    screen: Screen

    def run(self, job_id: str, *, as_json: bool) -> None:
        job = self._wait(job_id)
        streams = sorted(job.streams, key=lambda stream: stream.script_index or 0)
        downloads = [Download.planned(s, "video", self.to) for s in streams] if self.to else []
        failed = fetch_all(self.client, downloads, _JOBS, self.screen)
        if as_json:
            files = [download.as_json() for download in downloads]
            print_json({**job.to_dict(), "downloads": files})
        elif self.to is None and self.service.keeps:
            for stream in streams:
                command = self.service.command_to_download(stream.stream_id)
                self.screen.say(f"Rendered: {command}")
        if failed:
            raise Failed(f"{failed} of {len(downloads)} videos could not be fetched; see above")

    def _wait(self, job_id: str) -> SimulationJobDetail:
        began = time.monotonic()

        def on_update(job: SimulationJobDetail) -> None:
            seconds = time.monotonic() - began
            self.screen.say(f"  {job.status or '-':<11} {seconds:6.1f} s")

        try:
            return self.client.simulations.wait(job_id, self.timeout, 1.0, on_update)
        except KeyboardInterrupt:
            if self.service.keeps:
                self.screen.say(f"The job goes on: odyssey simulate wait {copyable(job_id)}")
            raise
