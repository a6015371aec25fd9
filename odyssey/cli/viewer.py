"""`odyssey viewer`: recordings and a live stream in the browser."""

from __future__ import annotations

import sys
import threading
import webbrowser

import click

from odyssey.cli._output import Failed, json_option, print_json
from odyssey.cli._service import Service, on_sigterm, warn_if_exposed, with_service

_EXPOSED = (
    "Whoever has the address below sees your recordings and streams with your key, and who "
    "listens in on the network learns it."
)


@click.command(
    help="""Look at recordings and steer a stream in the browser, until Ctrl-C.

    Prints the page's address; with --json one line: {"url": ...}. The address has a secret that
    lets a browser in: keep it to yourself. The key stays in this process.

    \b
    Examples:
      odyssey viewer
      odyssey viewer --emulator
      odyssey viewer --data-dir recordings --port 8090 --no-open
    """
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Default: a free one.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen on. With another, other machines reach the viewer, unencrypted.",
)
@click.option("--no-open", is_flag=True, help="Don't open a browser.")
@with_service
@json_option
def viewer(port: int, host: str, no_open: bool, service: Service, as_json: bool) -> None:
    try:
        from odyssey.viewer import Viewer
    except ModuleNotFoundError as exc:
        if exc.name != "flask":
            raise
        raise Failed('the viewer needs Flask: pip install "odyssey-sync[viewer]"') from exc
    terminated = threading.Event()
    with on_sigterm(terminated.set), service.client() as client:
        try:
            page = Viewer(client, port, host)
        except (OSError, SystemExit) as exc:
            raise Failed(f"can't listen on {host}:{port}; choose another --port") from exc
        with page:
            warn_if_exposed(host, _EXPOSED)
            if as_json:
                print_json({"url": page.url}, indent=None)
            else:
                click.echo(f"The viewer serves at {page.url}  Ctrl-C ends it.")
                if not no_open and sys.stdout.isatty():
                    webbrowser.open(page.browser_url())
            # With a timeout, because on Windows Ctrl-C does not wake a wait that has none.
            while not terminated.wait(0.5):
                pass
