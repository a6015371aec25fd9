"""How a worker makes a client of its own: clients can't be sent to another process."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import attrs

from odyssey.models import Recording, StreamRecordingInfo

if TYPE_CHECKING:
    from odyssey import Odyssey


@attrs.frozen
class ClientOptions:
    """What `Odyssey` is made with. Sent to workers with the key in it; never shown.

    Without a key or an address a worker finds them in its own environment.
    """

    api_key: str | None = attrs.field(default=None, repr=False)
    api_url: str | None = None
    timeout: float | None = 30.0

    def client(self) -> Odyssey:
        """A new client; wrong options are its `ValueError` or `TypeError`."""
        from odyssey import Odyssey

        return Odyssey(self.api_key, api_url=self.api_url, timeout=self.timeout)

    def check(self) -> None:
        """Refuses wrong options where they are given, rather than in a worker."""
        self.client().close()


def stream_ids(recordings: Iterable[Recording | StreamRecordingInfo | str]) -> list[str]:
    """The ids alone: presigned addresses would be old by the time a worker comes to them."""
    if isinstance(recordings, str):
        raise TypeError("recordings must be a sequence of recordings or ids, not a str")
    return [given if isinstance(given, str) else given.stream_id for given in recordings]
