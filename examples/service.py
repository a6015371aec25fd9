"""What the examples talk to: the service if there is a key, else an emulator on this machine.

In a program of your own, `with Odyssey() as client:` is all.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from odyssey import Odyssey


@contextlib.contextmanager
def open_client(stream_seconds: float = 150.0) -> Iterator[Odyssey]:
    """A client, not connected. `stream_seconds` is the emulator's longest stream."""
    if os.environ.get("ODYSSEY_API_KEY"):
        with Odyssey() as client:
            yield client
        return
    from odyssey.emulator import Emulator, Limits

    with Emulator(limits=Limits(stream_seconds=stream_seconds)) as emulator:
        # Where worker processes look, too.
        os.environ.update(ODYSSEY_API_KEY=emulator.api_key, ODYSSEY_API_URL=emulator.url)
        with Odyssey() as client:
            yield client
