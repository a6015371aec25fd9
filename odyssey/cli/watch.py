"""`odyssey watch`: somebody's broadcast. Needs no key."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import click

from odyssey._logging import Secret, hidden
from odyssey.cli._counting import Count
from odyssey.cli._options import finite
from odyssey.cli._output import Screen, json_option, print_json
from odyssey.cli.stream import save_option, saved_as_json, saved_lines


@click.command(
    help="""Watch a stream that somebody broadcasts, and save what comes.

    URL and token are what `odyssey stream --broadcast` prints. No key is needed. Without a
    broadcast to watch, one can be made on this machine, on the emulator: the first example.

    \b
    Examples:
      odyssey stream "A cat" --broadcast --emulator      in one terminal
      odyssey watch URL --seconds 8 --save cat.mp4       in another
      pass show spectator | odyssey watch URL --token -
    """
)
@click.argument("url")
@click.option(
    "--token",
    envvar="ODYSSEY_SPECTATOR_TOKEN",
    callback=lambda _context, _option, value: hidden(value),
    help="The spectator token; - reads it from stdin. Default: ODYSSEY_SPECTATOR_TOKEN, which "
    "doesn't show in the list of processes.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    callback=finite,
    help="Leave after that much of the video. Default: at its end, or on Ctrl-C.",
)
@save_option
@json_option
def watch(
    url: str, token: Secret | None, seconds: float | None, save: Path | None, as_json: bool
) -> None:
    from odyssey import connect_to_stream
    from odyssey._video.writing.saver import Saver

    if token == Secret("-"):
        token = Secret(sys.stdin.readline().strip())
    if token is None or token == Secret(""):
        raise click.UsageError(
            "the broadcast's token is missing: set ODYSSEY_SPECTATOR_TOKEN, or give --token"
        )
    screen = Screen(to_stderr=as_json)
    saver, count = Saver(save), Count()
    try:
        with saver, connect_to_stream(url, token.reveal()) as watching:
            screen.say("Connected.")
            for frame in watching.frames:
                if count.add(frame) >= (math.inf if seconds is None else seconds):
                    break
                saver.add(frame)
                screen.progress(count.line())
    finally:
        if count.frames:
            screen.say(count.line())
        for line in saved_lines(saver):
            screen.say(line)
        if as_json and count.frames:
            print_json({**count.as_json(), **saved_as_json(saver)})
