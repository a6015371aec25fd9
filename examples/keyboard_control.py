"""Steer with the keys 1 to 4 while the stream runs; Q ends it.

    python examples/keyboard_control.py

Uses ODYSSEY_API_KEY, or an emulator on this machine if that isn't set. Needs a terminal.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service import open_client

from odyssey import Odyssey, OdysseyError, Stream

PROMPTS = {
    "1": "The sun rises",
    "2": "Rain sets in",
    "3": "Night falls, and stars come out",
    "4": "Snow covers everything",
}


if sys.platform == "win32":
    from msvcrt import getwch

    @contextmanager
    def read_keys() -> Iterator[Callable[[], str]]:
        yield getwch

else:
    import termios
    import tty

    @contextmanager
    def read_keys() -> Iterator[Callable[[], str]]:
        """Waits for keys, and not for Enter.

        The terminal stays so until the end: one that is switched for each key loses what is
        pressed in between, while a prompt is on its way.
        """
        terminal = sys.stdin.fileno()
        before = termios.tcgetattr(terminal)
        tty.setcbreak(terminal, termios.TCSANOW)
        try:
            yield lambda: os.read(terminal, 32).decode(errors="ignore") or "q"
        finally:
            termios.tcsetattr(terminal, termios.TCSANOW, before)


def show_status(client: Odyssey, ended: threading.Event) -> None:
    """A line that is written over and over, beside the thread that waits for keys."""
    last, since = 0, time.monotonic()
    while not ended.wait(0.5):
        received, now = client.stats.frames.received, time.monotonic()
        rate = (received - last) / (now - since)
        last, since = received, now
        prompt = client.last_applied_prompt or ""
        print(f"\r{rate:4.1f} frames/s  {prompt:<40.40}", end="", flush=True)


def steer(stream: Stream, next_keys: Callable[[], str]) -> None:
    """Until Q, Ctrl-C, or the stream's end."""
    while True:
        for key in next_keys():  # several, if they were pressed while a prompt was on its way
            if key in "qQ" or not stream.is_active:
                return
            if key in PROMPTS:
                try:
                    print(f"\r> {stream.interact(PROMPTS[key]):<58}")
                except OdysseyError as exc:
                    print(f"\r! {exc}")


def main() -> None:
    for key, prompt in PROMPTS.items():
        print(f"{key}  {prompt}")
    print("Q  end")
    ended = threading.Event()
    with open_client() as client:
        client.connect()
        landscape = client.stream("A village in the mountains", portrait=False)
        with landscape as stream, read_keys() as next_keys:
            status = threading.Thread(target=show_status, args=(client, ended))
            status.start()
            try:
                steer(stream, next_keys)
            except KeyboardInterrupt:
                pass
            finally:
                ended.set()
                status.join()
        print(f"\r{client.stats.frames.received} frames in all{'':<40}")


if __name__ == "__main__":
    main()
