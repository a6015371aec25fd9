"""Where the frames of a queue come from."""

from __future__ import annotations

import enum


class Feed(enum.Enum):
    """Where the frames of a queue come from at the moment."""

    OFFLINE = "offline"  # the client has not been connected
    READY = "ready"  # connected, no stream yet
    LIVE = "live"  # a stream runs
    ENDED = "ended"  # the last stream ended; connected
    FAILED = "failed"  # the last stream or the connection failed
    GONE = "gone"  # disconnected cleanly
    CLOSED = "closed"  # this queue was closed
