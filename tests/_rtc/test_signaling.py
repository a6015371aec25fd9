"""The signaling socket against a real server: certificates, refusals, secrets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve

from odyssey._logging import Secret
from odyssey._rtc.signaling import Refused, Signaling
from odyssey.errors import OdysseyConnectionError
from tests.support.certificates import self_signed
from tests.support.servers import Reply, TinyServer, free_port, raw_server

TOKEN = "eyJhbGciOi.very-secret-token.signature"


@contextlib.asynccontextmanager
async def server(pem: Path | None = None) -> AsyncIterator[str]:
    """Its address; it echoes and never says anything by itself."""
    context = None
    if pem is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)

    async def talk(connection: ServerConnection) -> None:
        async for _ in connection:
            pass

    async with serve(talk, "127.0.0.1", 0, ssl=context) as running:
        port = running.sockets[0].getsockname()[1]
        yield f"{'ws' if pem is None else 'wss'}://127.0.0.1:{port}/signaling"


async def opened(url: str) -> Signaling:
    signaling = await Signaling.open(url, "s", Secret(TOKEN), 5)
    assert isinstance(signaling, Signaling)
    return signaling


def test_certificates_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = self_signed(tmp_path)

    async def scenario() -> None:
        async with server(pem) as url:
            assert isinstance(await Signaling.open(url, "s", Secret(TOKEN), 5), Refused)
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
            signaling = await opened(url)
            await signaling.close(say_goodbye=True)
            assert signaling.close_code == 1000

    asyncio.run(scenario())


def redirecting(to: str, status: int) -> Callable[[socket.socket], object]:
    def serve(connection: socket.socket) -> None:
        path = connection.recv(65536).split()[1]
        head = f"HTTP/1.1 {status} Moved\r\nLocation: {to}".encode() + path
        connection.sendall(head + b"\r\nLocation: again\r\nContent-Length: 0\r\n\r\n")

    return serve


@pytest.mark.parametrize("status", range(300, 309))
def test_a_handshake_is_not_redirected(status: int) -> None:
    """The address of the socket has the token in it."""
    with TinyServer(lambda _: Reply()) as elsewhere:
        for to in (elsewhere.url, elsewhere.url.replace("http", "ws"), ""):
            with raw_server(redirecting(to, status)) as url:
                refused = asyncio.run(
                    Signaling.open(url.replace("http", "ws"), "s", Secret(TOKEN), 5)
                )
            assert isinstance(refused, Refused)
            assert refused.final
            assert f"redirects to '{to}/client/s?…' (HTTP {status})" in str(refused.error)
            assert TOKEN not in repr(refused.error.__cause__)
        assert elsewhere.requests == []


@pytest.mark.parametrize("name", ["http_proxy", "HTTPS_PROXY"])
@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_loopback_is_reached_without_a_proxy(
    monkeypatch: pytest.MonkeyPatch, name: str, scheme: str
) -> None:
    monkeypatch.setenv(name, f"{scheme}://127.0.0.1:{free_port()}")
    for no_proxy in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(no_proxy, raising=False)

    async def scenario() -> None:
        async with server() as url:
            for host in ("127.0.0.1", "localhost"):
                signaling = await opened(url.replace("127.0.0.1", host))
                await signaling.close(say_goodbye=True)

    asyncio.run(scenario())


def test_no_secret_in_logs_and_errors(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def scenario() -> list[Refused]:
        refused = []
        async with server() as url:
            signaling = await opened(url)
            await signaling.close(say_goodbye=True)
        for bad in (url, "ws://[broken"):
            result = await Signaling.open(bad, "s", Secret(TOKEN), 5)
            assert isinstance(result, Refused)
            refused.append(result)
        return refused

    refused = asyncio.run(scenario())
    assert len(refused) == 2
    for each in refused:
        assert isinstance(each.error, OdysseyConnectionError)
        assert TOKEN not in f"{each} {each.error} {each.error.__cause__!r}"
    ours = [r.getMessage() for r in caplog.records if r.name.startswith("odyssey")]
    assert any(line.startswith("> TEXT [") for line in ours)
    assert not any(TOKEN in line for line in ours)


def test_sending_on_a_closed_socket() -> None:
    async def scenario() -> None:
        async with server() as url:
            signaling = await opened(url)
            await signaling.close(say_goodbye=False)
            with pytest.raises(OdysseyConnectionError, match="closed"):
                await signaling.send("{}")
            await signaling.keep_alive()

    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setattr("odyssey._rtc.signaling.KEEPALIVE_INTERVAL", 0.01)
        asyncio.run(scenario())
