"""`odyssey demo`: the main job once, from connecting to the recording, with everything measured."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

from odyssey.cli._options import finite, not_empty
from odyssey.cli._output import Failed, Screen, json_option, print_json
from odyssey.cli._service import Codec, serving

if TYPE_CHECKING:
    from odyssey import Odyssey, Recording
    from odyssey.cli.demo.report import Report
    from odyssey.cli.demo.show import NumberReader, Show

PROMPT = "A fox in a forest at dawn, mist between the trees"
INTERACT = ("The fox runs, autumn leaves in the wind", "Night falls, and fireflies come out")


@attrs.frozen
class Options:
    """The options of the command."""

    prompt: str
    interact: tuple[str, ...]
    landscape: bool
    seconds: float
    to: Path
    live: bool
    codec: Codec


@click.command(
    help="""Stream, steer and record once, on this machine.

    Starts an emulator of the service, connects to it over WebRTC, sends prompts while the video
    plays, and leaves the recording and a contact sheet of the live frames in a folder. Needs no key
    and no network. With --live the same against the service, which counts as usage.

    \b
    Examples:
      odyssey demo
      odyssey demo --prompt "A boat at sunset" --interact "A storm comes up" --landscape
    """
)
@click.option("--prompt", default=PROMPT, callback=not_empty, help="What to begin with.")
@click.option(
    "--interact",
    multiple=True,
    default=INTERACT,
    callback=not_empty,
    help="A prompt to send while it plays; may be given several times. Default: two.",
)
@click.option("--landscape", is_flag=True, help="1280x704 instead of 704x1280.")
@click.option(
    "--seconds",
    type=click.FloatRange(1, 140),
    default=9.0,
    callback=finite,
    show_default=True,
    help="Length of the stream.",
)
@click.option(
    "--to",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("odyssey-demo"),
    show_default=True,
    help="The folder for the files. If something is in it already, a new folder in it.",
)
@click.option("--live", is_flag=True, help="The real service, with ODYSSEY_API_KEY.")
@click.option(
    "--codec",
    type=click.Choice(["vp8", "h264"]),
    help="Of the emulator's live video. Default: vp8.",
)
@json_option
def demo(
    prompt: str,
    interact: tuple[str, ...],
    landscape: bool,
    seconds: float,
    to: Path,
    live: bool,
    codec: Codec | None,
    as_json: bool,
) -> None:
    if live and codec:
        raise click.UsageError("--codec is the emulator's; the service chooses its own.")
    if live and not os.environ.get("ODYSSEY_API_KEY"):
        raise Failed(
            "--live needs an API key in the environment variable ODYSSEY_API_KEY. "
            "Without --live the demo needs none: it runs on the emulator."
        )
    options = Options(prompt, interact, landscape, seconds, to, live, codec or "vp8")
    screen = Screen(to_stderr=as_json)
    report = _run(options, screen)
    screen.say()
    screen.say("Summary")
    for line in report.lines():
        screen.say(line)
    screen.say()
    screen.say(f"Files in {report.folder}")
    for line in report.file_lines():
        screen.say(line)
    if as_json:
        print_json(report.as_json())


def _run(options: Options, screen: Screen) -> Report:
    from odyssey.cli.demo.files import new_folder

    with (
        new_folder(options.to) as folder,
        # Outside the client: closing that wakes a prompt that still waits here.
        ThreadPoolExecutor(1, thread_name_prefix="odyssey-demo") as executor,
        _client(options, screen) as (client, service, read_number),
    ):
        return _perform(client, service, read_number, folder, options, screen, executor)


@contextlib.contextmanager
def _client(options: Options, screen: Screen) -> Iterator[tuple[Odyssey, str, NumberReader | None]]:
    """A client, the name of its service, and what reads the numbers in the service's frames."""
    from odyssey import Odyssey

    if options.live:
        with Odyssey() as client:
            yield client, "live", None
        return
    with serving(codec=options.codec) as emulator:
        from odyssey.emulator import read_frame_number

        screen.say(f"The emulator serves at {emulator.url}, on this machine only.")
        with Odyssey(emulator.api_key, api_url=emulator.url) as client:
            yield client, "emulator", read_frame_number


def _perform(
    client: Odyssey,
    service: str,
    read_number: NumberReader | None,
    folder: Path,
    options: Options,
    screen: Screen,
    executor: ThreadPoolExecutor,
) -> Report:
    from odyssey.cli.demo.files import fetch_files
    from odyssey.cli.demo.report import Report
    from odyssey.cli.demo.show import Show, Tally

    connecting = time.monotonic()
    client.connect()
    connect_ms = _ms_since(connecting)
    screen.say(f"Connected over WebRTC in {connect_ms:.0f} ms.")
    screen.say(f"> {options.prompt}")
    show = Show.plan(
        options.prompt, list(options.interact), options.seconds, Tally(read_number), screen
    )
    starting = time.monotonic()
    with client.stream(options.prompt, portrait=not options.landscape) as stream:
        start_ms = _ms_since(starting)
        screen.say(f"  started after {start_ms:.0f} ms")
        show.play(stream, executor)
        stats = client.stats
    screen.say(show.tally.line())
    # Meanwhile, and whatever comes of the recording.
    sheet = executor.submit(_save_sheet, show, folder, is_live=options.live)
    recording, ready_s = _wait_for_recording(client, stream.id, screen, is_live=options.live)
    files = {**fetch_files(client, recording, folder), "contact_sheet": sheet.result()}
    report = Report(
        service, show, folder, connect_ms, start_ms, stream.id, stats, recording, ready_s, files
    )
    report.match_frames()
    return report


def _wait_for_recording(
    client: Odyssey, stream_id: str, screen: Screen, *, is_live: bool
) -> tuple[Recording, float]:
    """Waits for the recording of the stream; returns it and the seconds that it took."""
    from odyssey.cli.demo.files import wait_for_recording

    ended = time.monotonic()
    screen.say("Ended. Waiting for the recording.")
    recording = wait_for_recording(client, stream_id, seconds=120 if is_live else 20)
    return recording, time.monotonic() - ended


def _save_sheet(show: Show, folder: Path, *, is_live: bool) -> Path:
    from odyssey.cli.demo.contact_sheet import contact_sheet

    source = "the service" if is_live else "the emulator"
    tally, count = show.tally, 1 + len(show.steerings)
    title = "One live stream" + (f", {count} prompts" if count > 1 else "")
    subtitle = (
        f"Frames as they came from {source} over WebRTC: {len(tally.arrivals)} of "
        f"{tally.size[0]}x{tally.size[1]} at {tally.rate:.1f} a second"
    )
    path = folder / "contact-sheet.png"
    with path.open("xb") as file:  # never through a link that somebody put there
        contact_sheet(show.tiles, title, subtitle).save(file, "PNG", optimize=True)
    return path


def _ms_since(moment: float) -> float:
    return (time.monotonic() - moment) * 1000
