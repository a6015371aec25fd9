"""`odyssey recordings`: what was recorded. Needs a key, no connection."""

from __future__ import annotations

import click

from odyssey.cli._output import json_option, print_json, printable


@click.group()
def recordings() -> None:
    """List recordings and look them up.

    \b
    Examples:
      odyssey recordings list --limit 10
      odyssey recordings get 5d84cb0c-f68d-4079-b7be-7b21e8b1e015 --json
    """  # noqa: D301 - click wants the character


@recordings.command("list")
@click.option("--limit", type=click.IntRange(1, 100), help="The most to list; 50 if not given.")
@click.option("--offset", type=click.IntRange(0), help="How many of the newest to skip.")
@json_option
def list_(limit: int | None, offset: int | None, as_json: bool) -> None:
    """List recordings, newest first."""
    import attrs

    from odyssey import Odyssey

    with Odyssey() as client:
        page = client.recordings.list(limit, offset)
    if as_json:
        print_json(attrs.asdict(page))
        return
    for info in page.recordings:
        seconds = "-" if info.duration_seconds is None else f"{info.duration_seconds:.1f} s"
        size = f"{info.width}x{info.height}"
        click.echo(printable(f"{info.stream_id}  {info.started_at}  {size:>9}  {seconds:>7}"))
    shown = len(page.recordings)
    click.echo(f"{shown} of {page.total} recording{'' if page.total == 1 else 's'}", err=True)


@recordings.command("get")
@click.argument("stream_id")
@json_option
def get(stream_id: str, as_json: bool) -> None:
    """Show one recording.

    Its addresses need no key and are valid for about an hour: whoever has one can fetch the file.
    """
    import attrs

    from odyssey import Odyssey

    with Odyssey() as client:
        recording = client.recordings.get(stream_id)
    fields = attrs.asdict(recording)
    if as_json:
        print_json(fields)
        return
    for name, value in fields.items():
        click.echo(printable(f"{name:<17} {'-' if value is None else value}"))
