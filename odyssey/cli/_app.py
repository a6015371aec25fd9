"""The group that holds the commands, and how any of them ends."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

import click

from odyssey._version import __version__
from odyssey.cli._output import echo
from odyssey.cli._service import on_sigterm
from odyssey.cli.demo.command import demo
from odyssey.cli.doctor.command import doctor
from odyssey.cli.emulator import emulator
from odyssey.cli.recordings import recordings
from odyssey.cli.simulate import simulate
from odyssey.cli.stream import stream
from odyssey.cli.viewer import viewer
from odyssey.cli.watch import watch
from odyssey.errors import OdysseyError

FAILED, INTERRUPTED, TERMINATED = 1, 130, 143


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="""Live generated video, steered by prompts.

    \b
    Examples:
      odyssey demo                                  the whole thing on this machine, no key needed
      odyssey doctor                                what works here, and what doesn't
      odyssey stream "A cat" --save cat.mp4         a stream, until Ctrl-C
      odyssey recordings download --all --to DIR    what was recorded
      odyssey simulate submit script.json --wait    a video from a script of prompts
      odyssey viewer                                recordings and a stream in the browser
      odyssey emulator --port 8080                  the service on this machine, until Ctrl-C

    Without a key, add --emulator: the command runs on an emulator of the service.

    \b
    Environment:
      ODYSSEY_API_KEY   the key
      ODYSSEY_API_URL   another address of the service: an emulator's, for example

    Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
    """,
)
@click.version_option(__version__, prog_name="odyssey")
def app() -> None:
    pass


app.add_command(demo)
app.add_command(doctor)
app.add_command(emulator)
app.add_command(recordings)
app.add_command(simulate)
app.add_command(stream)
app.add_command(viewer)
app.add_command(watch)


def run(args: Sequence[str] | None) -> int:
    """Runs the command in `args` and turns its end into an exit code."""
    for output in (sys.stdout, sys.stderr):
        # A terminal that can't show a character of a prompt gets a question mark, not a traceback.
        if isinstance(output, io.TextIOWrapper):
            output.reconfigure(errors="replace")
    try:
        with on_sigterm(_terminate):  # sessions are released, folders tidied
            code = app.main(
                args=None if args is None else list(args),
                prog_name="odyssey",
                standalone_mode=False,
            )
    except click.ClickException as exc:
        exc.show()
        return exc.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except (OdysseyError, ValueError, OSError) as exc:
        # The client's refusals of arguments are ValueErrors; its texts say what to do.
        echo(f"Error: {' '.join(str(exc).split()) or type(exc).__name__}", err=True)
        return FAILED
    return code if isinstance(code, int) else 0


def _terminate() -> None:
    raise SystemExit(TERMINATED)
