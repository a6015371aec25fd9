"""One stream of a connection, as its frames, its readers and its owner know it."""

from __future__ import annotations

import attrs

from odyssey.errors import OdysseyStreamError


@attrs.define(eq=False)
class LiveStream:
    """What is known of one stream, while it runs and afterwards.

    Written by the connection and under the lock of the queues; any thread may read it: an attribute
    is one value, replaced as a whole.

    Attributes:
        id: None for what a spectator sees, who is not told.
        prompt: The prompt last acknowledged, as the service applied it.
        since: When it started, `time.monotonic()`.
        failure: What ended it, unless it ended in good order.
    """

    id: str | None = None
    prompt: str | None = None
    since: float = 0.0
    failure: Exception | None = None

    def over(self) -> OdysseyStreamError:
        """What a call gets that was meant for this stream and came after its end."""
        return OdysseyStreamError(
            f"stream {self.id} is over; start another one", reason="stream_ended"
        )
