"""The signaling socket: opening, keepalive, messages, closing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import ssl
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import attrs
import certifi
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidStatus,
    InvalidURI,
    WebSocketException,
)
from websockets.frames import Frame

from odyssey._logging import LibraryFilter, Secret, scrub, shown_url
from odyssey._protocol import messages
from odyssey._rest.origins import is_loopback
from odyssey.errors import OdysseyAuthError, OdysseyConnectionError, OdysseyError

logger = logging.getLogger(__name__)

KEEPALIVE_INTERVAL = 10.0
LONGEST_MESSAGE = 64 * 1024 * 1024
#: Characters of a message that is read: reading 64 MB of JSON takes half a second, in which nothing
#: else happens on the loop.
LONGEST_READ = 1024 * 1024
#: Seconds that a session that is given back waits for its offer.
RELEASE_GRACE = 1.0
CLEAN_CODES = frozenset({1000, 1001})


class _WithoutMessages(LibraryFilter):
    """websockets logs the request line, and so the token, and every message: an offer has the
    password of ICE in it. Of a message the kind and the length are left.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple) and record.args and isinstance(record.args[0], Frame):
            frame = record.args[0]
            record.args = (f"{frame.opcode.name} [{len(frame.data)} bytes]",)
        return super().filter(record)


_socket_logger = logging.getLogger(__name__ + ".socket")
_socket_logger.addFilter(_WithoutMessages())


class _RedirectedError(Exception):
    """The handshake was answered with a redirect."""


class _Socket(ClientConnection):
    """A connection whose handshake is not redirected: its address has the session token."""

    async def handshake(self, *args: Any, **kwargs: Any) -> None:
        try:
            await super().handshake(*args, **kwargs)
        except InvalidStatus as exc:
            if not 300 <= exc.response.status_code < 400:
                raise
            raise _RedirectedError(_redirected(exc)) from None


@attrs.frozen
class Refused:
    """The reason why a connection failed.

    Attributes:
        final: Trying again can't help.
    """

    error: OdysseyError
    final: bool


@attrs.frozen
class TooLarge:
    """A message that was not read.

    Attributes:
        size: Its length.
    """

    size: int


class Signaling:
    """An open signaling socket. Used on the media thread only.

    Attributes:
        said_goodbye: Whether the service was told that its session is free again.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self.said_goodbye = False
        self._socket = socket

    @classmethod
    async def open(
        cls, base_url: str, session_id: str, token: Secret, seconds: float
    ) -> Signaling | Refused:
        """Connects to `{base_url}/client/{session_id}` within `seconds`."""
        address = f"{base_url}/client/{quote(session_id, safe='')}"
        try:
            socket = await _socket(address, token, seconds)
        except _RedirectedError as exc:
            return _refused(OdysseyConnectionError(str(exc)), exc, final=True)
        except InvalidStatus as exc:
            return _refused_with(exc.response.status_code, exc)
        except (InvalidURI, ValueError) as exc:
            error = OdysseyConnectionError("the signaling address is not a valid one")
            return _refused(error, exc, final=True)
        except ImportError as exc:
            error = OdysseyConnectionError(
                "the environment names a SOCKS proxy, and websockets needs python-socks for that: "
                'pip install "python-socks[asyncio]"'
            )
            return _refused(error, exc, final=True)
        except (OSError, WebSocketException, EOFError) as exc:
            # TimeoutError is an OSError too: nobody answered the handshake.
            said = getattr(exc, "strerror", None) or type(exc).__name__
            error = OdysseyConnectionError(f"the signaling socket could not be opened ({said})")
            return _refused(error, exc, final=False)
        return cls(socket)

    async def messages(self) -> AsyncIterator[messages.ServerMessage | TooLarge]:
        """Yields the server's messages until the socket closes; logs those that can't be read."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                data = await self._socket.recv()
                if len(data) > LONGEST_READ:
                    yield TooLarge(len(data))
                    continue
                try:
                    message = messages.read_server_message(data)
                except messages.MalformedMessage as exc:
                    logger.warning("ignored on the signaling socket: %s", exc)
                    continue
                if message is None:
                    logger.debug("ignored on the signaling socket: a message of unknown type")
                    continue
                yield message

    @property
    def close_code(self) -> int | None:
        """The code it was closed with; 1006 where the connection broke."""
        return self._socket.close_code

    async def send(self, text: str) -> None:
        """Raises `OdysseyConnectionError` if the socket is closed."""
        try:
            await self._socket.send(text)
        except ConnectionClosed:
            raise OdysseyConnectionError(
                f"the signaling socket is closed (code {self.close_code})"
            ) from None

    async def keep_alive(self) -> None:
        """Sends a keepalive every 10 s, until cancelled or closed."""
        with contextlib.suppress(OdysseyConnectionError):
            while True:
                await asyncio.sleep(KEEPALIVE_INTERVAL)
                await self.send(messages.keepalive())

    async def close(self, *, say_goodbye: bool) -> None:
        """Closes it, with `client_disconnecting` first. A server that doesn't read can hold this
        up; the caller bounds it.
        """
        try:
            if say_goodbye and self.close_code is None:
                with contextlib.suppress(OdysseyConnectionError):
                    await self.send(messages.client_disconnecting())
                    self.said_goodbye = True
            await self._socket.close()
        finally:
            # After a cancelled closing the transport would linger until its peer reacts.
            self._socket.transport.abort()


async def _socket(address: str, token: Secret, seconds: float) -> ClientConnection:
    # The one frame of ours that has the token in clear; `scrub` empties it with those below it.
    return await connect(
        f"{address}?token={quote(token.reveal(), safe='')}",
        max_size=LONGEST_MESSAGE,
        open_timeout=seconds,
        close_timeout=0.5,
        compression=None,
        create_connection=_Socket,
        proxy=None if is_loopback(address) else True,
        ssl=tls_context() if address.startswith("wss:") else None,
        logger=_socket_logger,
    )


async def release(base_url: str, session_id: str, token: Secret, seconds: float) -> None:
    """Gives a session back that nobody is connected to.

    Raises:
        OdysseyAuthError, OdysseyConnectionError: The signaling server did not let us in.
    """
    signaling = await Signaling.open(base_url, session_id, token, seconds)
    if isinstance(signaling, Refused):
        raise signaling.error
    # The server may read only after its offer, and see nothing of a goodbye before that.
    with contextlib.suppress(TimeoutError, StopAsyncIteration):
        await asyncio.wait_for(anext(signaling.messages()), RELEASE_GRACE)
    await signaling.close(say_goodbye=True)


def _redirected(exc: InvalidStatus) -> str:
    status = exc.response.status_code
    to = "".join(f" to {shown_url(at)}" for at in exc.response.headers.get_all("Location")[:1])
    return f"the signaling server redirects{to} (HTTP {status}), and that is not followed"


def _refused(error: OdysseyError, cause: BaseException, *, final: bool) -> Refused:
    error.__cause__ = scrub(cause)
    return Refused(error, final)


def _refused_with(status: int, cause: BaseException) -> Refused:
    """Returns the refusal for a handshake that was answered with this HTTP status."""
    if status in (401, 403):
        error: OdysseyError = OdysseyAuthError(
            f"the signaling server refused the session token (HTTP {status}); it may have expired: "
            "a token lets one connect once, within about ten minutes",
            status=status,
        )
        return _refused(error, cause, final=True)
    error = OdysseyConnectionError(f"the signaling server refused the connection (HTTP {status})")
    final = 400 <= status < 500 and status not in (408, 425, 429)
    return _refused(error, cause, final=final)


def tls_context() -> ssl.SSLContext:
    """Trusts the system's certificates and those of `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`, or
    certifi: some Pythons come without the system's.

    Raises:
        OSError: The bundle that the environment names can't be read.
    """
    context = ssl.create_default_context()
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    if bundle and os.path.isdir(bundle):
        context.load_verify_locations(capath=bundle)
    else:
        context.load_verify_locations(cafile=bundle or certifi.where())
    return context
