"""The state of one stream, shared by its frames, its readers and the connection."""

from __future__ import annotations

import attrs

from odyssey.errors import OdysseyStreamError


@attrs.define(eq=False)
class LiveStream:
    """The state of one stream, while it runs and afterwards.

    Written by the connection, under the lock of the queues. Any thread may read it, as each
    attribute is replaced as a whole.

    Attributes:
        id: The stream's id; None for a spectator, who doesn't get it.
        prompt: The last acknowledged prompt, as the service applied it.
        since: When it started, in `time.monotonic()` seconds.
        failure: The error that ended it; None if it ended cleanly.
    """

    id: str | None = None
    prompt: str | None = None
    since: float = 0.0
    failure: Exception | None = None

    def over(self) -> OdysseyStreamError:
        """Returns the error for a call on this stream after its end."""
        return OdysseyStreamError(
            f"stream {self.id} is over; start another one", reason="stream_ended"
        )
