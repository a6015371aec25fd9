"""The signaling socket against a real server: certificates, refusals, secrets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve

from odyssey._logging import Secret
from odyssey._rtc.signaling import Refused, Signaling
from odyssey.errors import OdysseyConnectionError
from tests.support.certificates import self_signed

TOKEN = "eyJhbGciOi.very-secret-token.signature"


@contextlib.asynccontextmanager
async def server(pem: Path | None = None) -> AsyncIterator[str]:
    """Its address; it echoes and never says anything by itself."""
    context = None
    if pem is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)

    async def talk(socket: ServerConnection) -> None:
        async for _ in socket:
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
