"""How a client stands: what its properties say, each a snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from odyssey._exit import close_dropped
from odyssey._live import Live
from odyssey.models import ConnectionStatus

if TYPE_CHECKING:
    from odyssey.frame_queue import FrameQueue
    from odyssey.models import StreamerCapabilities
    from odyssey.stats import ClientStats


class State:
    """The read-only side of a client. Reading never blocks.

    Example:
        ```python
        if client.is_connected and client.capabilities.image_to_video:
            client.start_stream(image="cat.jpg")
        print(client.current_status.value, client.stats.frames.dropped)
        ```
    """

    _live: Live

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "an Odyssey client can't be pickled, as it has a connection and threads: make one in "
            "each process; create_client_credentials() lets another one connect"
        )

    def __del__(self) -> None:
        live = getattr(self, "_live", None)  # there is none where the construction was refused
        if live is not None and live.is_open:
            close_dropped(live.close, repr(self) if self.is_connected else None, self)

    @property
    def is_connected(self) -> bool:
        """Whether the connection is ready."""
        return self._live.status is ConnectionStatus.CONNECTED

    @property
    def current_status(self) -> ConnectionStatus:
        """Where the connection stands."""
        return self._live.status

    @property
    def current_session_id(self) -> str | None:
        """The session's id while connected."""
        return self._live.session_id

    @property
    def last_applied_prompt(self) -> str | None:
        """The prompt last acknowledged on the present or last connection, as it was applied."""
        return self._live.applied_prompt

    @property
    def capabilities(self) -> StreamerCapabilities:
        """What the streamer can do; before connecting, that it can do nothing special."""
        from odyssey.models import StreamerCapabilities

        return self._live.capabilities or StreamerCapabilities()

    @property
    def frames(self) -> FrameQueue:
        """The frames of the running stream."""
        return self._live.fanout.main

    @property
    def stats(self) -> ClientStats:
        """Counters, as of now."""
        return self._live.stats
