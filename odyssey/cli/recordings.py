"""`odyssey recordings`: what was recorded. Needs no connection."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from odyssey.cli._downloads import Download, download_options, fetch_all
from odyssey.cli._output import Failed, Screen, echo, json_option, print_json
from odyssey.cli._service import Service, with_service

if TYPE_CHECKING:
    from odyssey import Odyssey, StreamRecordingInfo


@click.group(
    help="""List recordings, look them up, and fetch them.

    \b
    Examples:
      odyssey recordings list --limit 10
      odyssey recordings get 5d84cb0c-f68d-4079-b7be-7b21e8b1e015 --json
      odyssey recordings download --all --to recordings
      odyssey recordings events 5d84cb0c-f68d-4079-b7be-7b21e8b1e015
    """
)
def recordings() -> None:
    pass


@recordings.command(
    "list",
    help="""List recordings, newest first.

    \b
    Examples:
      odyssey recordings list
      odyssey recordings list --limit 100 --offset 100
      odyssey recordings list --json | jq -r '.recordings[].stream_id'
    """,
)
@click.option("--limit", type=click.IntRange(1, 100), help="The most to list; 50 if not given.")
@click.option("--offset", type=click.IntRange(0), help="How many of the newest to skip.")
@with_service
@json_option
def list_(limit: int | None, offset: int | None, service: Service, as_json: bool) -> None:
    from odyssey.cli._output import print_table

    with service.client() as client:
        page = client.recordings.list(limit, offset)
    if as_json:
        print_json(page.to_dict())
        return
    headings = ("STREAM", "LENGTH", "SIZE", "STARTED")
    print_table(headings, [_row(info) for info in page.recordings])
    shown = len(page.recordings)
    click.echo(f"{shown} of {page.total} recording{'' if page.total == 1 else 's'}", err=True)


@recordings.command(
    "get",
    help="""Show one recording.

    Its addresses need no key and are valid for about an hour: whoever has one can fetch the file.

    \b
    Examples:
      odyssey recordings get 5d84cb0c-f68d-4079-b7be-7b21e8b1e015
      odyssey recordings get 5d84cb0c-f68d-4079-b7be-7b21e8b1e015 --json | jq -r .video_url
    """,
)
@click.argument("stream_id")
@with_service
@json_option
def get(stream_id: str, service: Service, as_json: bool) -> None:
    with service.client() as client:
        recording = client.recordings.get(stream_id)
    fields = recording.to_dict()
    if as_json:
        print_json(fields)
        return
    for name, value in fields.items():
        echo(f"{name:<17} {'-' if value is None else value}")


@recordings.command(
    "download",
    help="""Fetch recordings, several at a time.

    Files are named by their stream, as in STREAM_ID.mp4. One that is there already is left as it
    is: a file gets its name only when it is whole, so that the command can simply be run again.
    One that fails stops no other.

    \b
    Examples:
      odyssey recordings download 5d84cb0c-f68d-4079-b7be-7b21e8b1e015
      odyssey recordings download --all --to recordings
      odyssey recordings download --all --to recordings --artifact video --artifact events
    """,
)
@click.argument("stream_ids", metavar="[STREAM_ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every recording of the account.")
@click.option(
    "--to",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="The folder; made if there is none. Default: this one.",
)
@download_options
@with_service
@json_option
def download(
    stream_ids: tuple[str, ...],
    everything: bool,
    to: Path,
    artifacts: tuple[str, ...],
    jobs: int,
    service: Service,
    as_json: bool,
) -> None:
    if everything == bool(stream_ids):
        raise click.UsageError("give the ids of streams, or --all")
    screen = Screen(to_stderr=as_json)
    with service.client() as client:
        wanted = _finished(client, screen) if everything else dict.fromkeys(stream_ids)
        downloads = [
            Download.planned(stream_id, artifact, to)
            for stream_id in wanted
            for artifact in dict.fromkeys(artifacts)
        ]
        failed = fetch_all(client, downloads, jobs, screen)
    if as_json:
        print_json([download.as_json() for download in downloads])
    elif not downloads:
        screen.say("There are no recordings.")
    if failed:
        raise Failed(f"{failed} of {len(downloads)} files could not be fetched; see above")


@recordings.command(
    "events",
    help="""Show what was asked for in a recording, and when.

    \b
    Examples:
      odyssey recordings events 5d84cb0c-f68d-4079-b7be-7b21e8b1e015
      odyssey recordings events 5d84cb0c-f68d-4079-b7be-7b21e8b1e015 --json
    """,
)
@click.argument("stream_id")
@with_service
@json_option
def events(stream_id: str, service: Service, as_json: bool) -> None:
    with service.client() as client:
        log = client.recordings.events(stream_id)
    if as_json:
        print_json(log)
        return
    for event in log:
        time = event.get("timestamp_ms")
        seconds = f"{time / 1000:8.1f} s" if isinstance(time, (int, float)) else " " * 10
        text = event.get("prompt") or event.get("reason") or ""
        echo(f"{seconds}  {event.get('type', '?'):<8}  {text}")


def _finished(client: Odyssey, screen: Screen) -> list[str]:
    """Returns the ids of all recordings of streams that are over."""
    found = list(client.recordings.iterate())
    running = [info for info in found if info.ended_at is None]
    if running:
        screen.say(f"{len(running)} left out: the stream still runs")
    return [info.stream_id for info in found if info.ended_at is not None]


def _row(info: StreamRecordingInfo) -> tuple[str, ...]:
    from odyssey.cli._output import short_time

    seconds = "running" if info.ended_at is None else "-"
    if info.duration_seconds is not None:
        seconds = f"{info.duration_seconds:.1f} s"
    size = "-" if None in (info.width, info.height) else f"{info.width}x{info.height}"
    return info.stream_id, seconds, size, short_time(info.started_at)
