"""The viewer's server."""

from __future__ import annotations

import threading
from types import TracebackType

from werkzeug.serving import WSGIRequestHandler, make_server

from odyssey.client import Odyssey
from odyssey.viewer.app import make_app
from odyssey.viewer.guard import Guard
from odyssey.viewer.live import ViewerStream


class _Quiet(WSGIRequestHandler):
    """Logs no requests."""

    def log(self, type: str, message: str, *args: object) -> None:
        pass


class Viewer:
    """Serves the page on a thread of its own while its `with` block runs.

    Args:
        client: Has a key and is not connected; the caller closes it.
        port: 0 for a free one.
        host: The address to listen on. Whoever can reach it uses the client's key.

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
        self._server = make_server(host, port, lambda *_: [], threaded=True, request_handler=_Quiet)
        self.port: int = self._server.server_port
        self._server.app = make_app(client, self._live, Guard(host, self.port))
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self.port}/"
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="odyssey-viewer", daemon=True
        )

    def __enter__(self) -> Viewer:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stops taking requests; closing the client then ends the stream and open answers."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
