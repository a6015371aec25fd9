"""Steer with the keys 1 to 4 while the stream runs; Q ends it.

    python examples/keyboard_control.py

Uses ODYSSEY_API_KEY, or an emulator on this machine if that isn't set. Needs a terminal, and
click, which the extra `cli` has.
"""

from __future__ import annotations

import threading
import time

import click
from service import open_client

from odyssey import Odyssey, OdysseyError, Stream

PROMPTS = {
    "1": "The sun rises",
    "2": "Rain sets in",
    "3": "Night falls, and stars come out",
    "4": "Snow covers everything",
}


def show_status(client: Odyssey, ended: threading.Event) -> None:
    """A line that is written over and over, beside the thread that waits for keys."""
    last, since = 0, time.monotonic()
    while not ended.wait(0.5):
        received, now = client.stats.frames.received, time.monotonic()
        rate = (received - last) / (now - since)
        last, since = received, now
        click.echo(f"\r{rate:4.1f} frames/s  {client.last_applied_prompt or '':<40.40}", nl=False)


def steer(stream: Stream) -> None:
    """Until Q, Ctrl-C, or the stream's end."""
    while True:
        for key in click.getchar():  # several, if they were pressed while a prompt was on its way
            if key in "qQ" or not stream.is_active:
                return
            if key in PROMPTS:
                try:
                    click.echo(f"\r> {stream.interact(PROMPTS[key]):<58}")
                except OdysseyError as exc:
                    click.echo(f"\r! {exc}")


def main() -> None:
    for key, prompt in PROMPTS.items():
        click.echo(f"{key}  {prompt}")
    click.echo("Q  end")
    ended = threading.Event()
    with open_client() as client:
        client.connect()
        with client.stream("A village in the mountains", portrait=False) as stream:
            status = threading.Thread(target=show_status, args=(client, ended))
            status.start()
            try:
                steer(stream)
            except KeyboardInterrupt:
                pass
            finally:
                ended.set()
                status.join()
        click.echo(f"\r{client.stats.frames.received} frames in all{'':<40}")


if __name__ == "__main__":
    main()
