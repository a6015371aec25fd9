"""Makes clients in workers: a client can't be sent to another process."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import attrs

from odyssey._logging import shown_wrong_url
from odyssey.models import Recording, StreamRecordingInfo

if TYPE_CHECKING:
    from odyssey import Odyssey


def _shown(url: str | None) -> str:
    return "None" if url is None else shown_wrong_url(url)


@attrs.frozen
class ClientOptions:
    """The arguments of `Odyssey`, with the key, to be sent to workers. The key is in no repr.

    Without a key or an address a worker finds them in its own environment.
    """

    api_key: str | None = attrs.field(default=None, repr=False)
    api_url: str | None = attrs.field(default=None, repr=_shown)
    timeout: float | None = 30.0

    def client(self) -> Odyssey:
        """Makes a client; wrong options raise its `ValueError` or `TypeError`."""
        from odyssey import Odyssey

        return Odyssey(self.api_key, api_url=self.api_url, timeout=self.timeout)

    def check(self) -> None:
        """Raises for wrong options here rather than in a worker."""
        self.client().close()


def stream_ids(recordings: Iterable[Recording | StreamRecordingInfo | str]) -> list[str]:
    """The streams' ids: presigned URLs would have expired by the time a worker uses them."""
    if isinstance(recordings, str):
        raise TypeError("recordings must be a sequence of recordings or ids, not a str")
    return [given if isinstance(given, str) else given.stream_id for given in recordings]
