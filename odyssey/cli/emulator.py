"""`odyssey emulator`: the whole service on this machine, until it is stopped."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from odyssey.cli._output import json_option, print_json, setting
from odyssey.cli._service import Codec, on_sigterm, serving, warn_if_exposed

if TYPE_CHECKING:
    from odyssey.emulator.faults import Faults, Value

SNIPPET = """\
from odyssey import Odyssey
with Odyssey().connect() as client, client.stream("A cat on a windowsill") as stream:
    stream.frames.latest().to_image().save("cat.png")"""
_INDENT = 2
_EXPOSED = (
    "The emulator is made for tests: who reaches it and learns the key uses it, and lets this "
    "machine fetch addresses for scripts."
)


@click.command(
    help="""Serve the whole service on this machine, until Ctrl-C.

    REST, signaling, real WebRTC with a scene painted from the prompt, and real recordings. Prints
    the address and the key that clients need; with --json one line: {"url": ..., "api_key": ...}.

    \b
    Examples:
      odyssey emulator
      odyssey emulator --port 8080 --data-dir recordings
      odyssey emulator --fault queue:n=3 --fault socket-cut:after=5
    """
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Default: a free one.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen on. With another, other machines reach the emulator, unencrypted.",
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder that keeps recordings over restarts. Without one they end with the emulator.",
)
@click.option(
    "--codec",
    type=click.Choice(["vp8", "h264"]),
    default="vp8",
    show_default=True,
    help="Of the live video.",
)
@click.option(
    "--api-key", help="ody_ and at least 16 letters, digits, _ or -. Default: a random one."
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="NAME[:PARAM=VALUE,...]",
    help="A fault to switch on; may be given several times.",
)
@click.option("--list-faults", is_flag=True, help="Print what --fault can name, and end.")
@json_option
def emulator(
    port: int,
    host: str,
    data_dir: Path | None,
    codec: Codec,
    api_key: str | None,
    faults: tuple[str, ...],
    list_faults: bool,
    as_json: bool,
) -> None:
    if list_faults:
        _list_faults(as_json=as_json)
        return
    wanted = _switched_on(faults)
    terminated = threading.Event()
    with (
        on_sigterm(terminated.set),
        serving(port, host, data_dir, codec, api_key, wanted) as server,
    ):
        warn_if_exposed(host, _EXPOSED)
        if as_json:
            print_json({"url": server.url, "api_key": server.api_key}, indent=None)
        else:
            click.echo(_how_to_use(server.url, server.api_key))
            if faults:
                click.echo(f"\nFaults that are on: {_described(wanted)}")
        # With a timeout, because on Windows Ctrl-C does not wake a wait that has none.
        while not terminated.wait(0.5):
            pass


def _how_to_use(url: str, api_key: str) -> str:
    lines = [
        "The emulator runs. Ctrl-C ends it. Clients need these two:",
        "",
        setting("ODYSSEY_API_URL", url),
        setting("ODYSSEY_API_KEY", api_key),
        "",
        "Then, in Python:",
        "",
        SNIPPET,
    ]
    return "\n".join(lines)


def _switched_on(texts: Sequence[str]) -> Faults:
    """Switches faults on that are written as `NAME[:param=value[,param=value]]`, switched on.

    Raises:
        click.UsageError: One makes no sense.
    """
    from odyssey.emulator.faults import Faults, named

    faults = Faults()
    for text in texts:
        name, _, rest = text.partition(":")
        try:
            faults.switch_on(name, **named(name).parse(_given(rest)))
        except ValueError as exc:
            raise click.UsageError(f"--fault {text}: {exc}") from exc
    return faults


def _given(text: str) -> dict[str, str]:
    given = {}
    for part in text.split(",") if text else ():
        name, equals, value = part.partition("=")
        if not equals:
            raise ValueError(f"expected parameter=value, got {part!r}")
        given[name.strip()] = value.strip()
    return given


def _described(faults: Faults) -> str:
    """Describes the faults that are on, in one line."""
    return "; ".join(
        " ".join([fault.name, *(assignment(n, v) for n, v in fault.parameters.items())])
        for fault in faults.switched_on
    )


def _list_faults(*, as_json: bool) -> None:
    """Prints all names with what they do, and below each its parameters with their defaults."""
    from odyssey.emulator.faults import CATALOGUE

    if as_json:
        print_json([fault.as_json() for fault in CATALOGUE.values()])
        return
    width = max(len(name) for name in CATALOGUE) + _INDENT
    for fault in CATALOGUE.values():
        click.echo(fault.name.ljust(width) + fault.description)
        if fault.parameters:
            assignments = (assignment(p.name, p.default) for p in fault.parameters)
            click.echo(" " * width + "  ".join(assignments))


def assignment(name: str, value: Value) -> str:
    """Returns a parameter and its value, as `--fault` takes them."""
    if value is None or isinstance(value, bool):
        return f"{name}={str(value).lower()}"
    return f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
