"""The viewer's server."""

from __future__ import annotations

import threading
from types import TracebackType

from odyssey.client import Odyssey
from odyssey.viewer.app import make_app
from odyssey.viewer.connections import Server
from odyssey.viewer.guard import Guard
from odyssey.viewer.live import ViewerStream


class Viewer:
    """Serves the page on a thread of its own while its `with` block runs.

    Args:
        client: Has a key and is not connected; the caller closes it.
        port: 0 for a free one.
        host: The address to listen on. With another than a loopback address, whoever can reach it
            and knows `url` uses the client's key; what is sent is not encrypted.

    Attributes:
        port: What it listens on.
        url: The page's address, with the secret that lets a browser in: for the caller's eyes only.

    Raises:
        OSError: The address is taken, or not this machine's.

    Example:
        ```python
        with Odyssey() as client, Viewer(client) as viewer:
            print(viewer.url)
            input()
        ```
    """

    def __init__(self, client: Odyssey, port: int = 0, host: str = "127.0.0.1") -> None:
        self._live = ViewerStream(client)
        self._server = Server(host, port)
        self.port: int = self._server.server_port
        self._guard = Guard(host, self.port)
        self._server.app = make_app(client, self._live, self._guard)
        # What listens on all addresses is reached on the loopback.
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104
        self._origin = (
            f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"
        )
        self.url = f"{self._origin}/?token={self._guard.secret}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.2,), name="odyssey-viewer", daemon=True
        )

    def browser_url(self) -> str:
        """An address to start a browser with: it works once, within a minute, for this user.

        Other users of the machine can see the arguments of programs, and so not `url`.
        """
        return f"{self._origin}/?token={self._guard.invite()}"

    def __enter__(self) -> Viewer:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stops taking requests, and ends open answers; closing the client ends the stream."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
