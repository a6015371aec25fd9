"""The clock is set while the emulator runs: nothing lives shorter or longer for it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import requests

from odyssey import Odyssey
from odyssey.emulator import Emulator
from odyssey.emulator.live import archive
from odyssey.emulator.recordings.presigned import UrlSigner
from odyssey.emulator.tokens import SessionTokens
from tests.emulator.raw_client import Rest, connected
from tests.support.helpers import wait_until

YEAR = 366 * 86_400.0

Set = Callable[[float], None]


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Set:
    """Sets the clock forward by so many seconds, or back."""
    true = time.time

    def set_(seconds: float) -> None:
        monkeypatch.setattr(time, "time", lambda: true() + seconds)

    return set_


@pytest.mark.parametrize("shift", [YEAR, -YEAR])
def test_tokens_and_addresses_go_on(
    client: Odyssey, emulator: Emulator, set_clock: Set, shift: float
) -> None:
    """With our client: a bare peer of aiortc doesn't survive the clock being set."""
    credentials = client.create_client_credentials()
    set_clock(shift)
    client.connect_with_credentials(credentials)
    with client.stream("It is another day") as stream:
        stream.frames.take(3)
        set_clock(0)
        stream.frames.take(60)
    recording = client.recordings.wait(stream.id)
    set_clock(shift)
    assert recording.video_url is not None
    assert requests.get(recording.video_url, timeout=5).ok
    client.disconnect()
    wait_until(lambda: emulator.connections[0].client_disconnecting)


@pytest.mark.parametrize("shift", [YEAR, -YEAR])
def test_their_time_ends(monkeypatch: pytest.MonkeyPatch, set_clock: Set, shift: float) -> None:
    tokens, signer = SessionTokens(b"secret"), UrlSigner(b"secret")
    token = tokens.issue("one", 100)
    path, _, query = signer.sign("/files/one", 100).partition("?")
    expires, signature = (part.partition("=")[2] for part in query.split("&"))
    set_clock(shift)
    assert tokens.session_id(token) == "one"
    assert signer.is_valid(path, expires, signature)
    later = time.monotonic() + 101
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert tokens.session_id(token) is None
    assert not signer.is_valid(path, expires, signature)


async def test_recordings_are_listed_in_the_order_of_their_streams(
    rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(rest.provision()) as client:
        ids = []
        for year in (2026, 1970):
            monkeypatch.setattr(archive, "timestamp", lambda year=year: f"{year}-01-01T00:00:00")
            ids.append(await client.start("Another"))
            await client.more_frames(2)
            await client.end()
            rest.recording(ids[-1])
    rows = rest.get("/stream-recordings").json()["recordings"]
    assert [row["stream_id"] for row in rows] == ids[::-1]
