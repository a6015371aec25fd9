"""One SDK streams, the other watches."""

from __future__ import annotations

import queue
import urllib.parse
from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest

from odyssey import BroadcastInfo, Odyssey, connect_to_stream
from odyssey.emulator import Emulator, read_frame_number
from tests.interop.page import Page, WebError
from tests.support.helpers import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timing]

_WATCH = """
window.watching = await odyssey.Odyssey.connectToStream(...args);
await play(watching.stream);
"""
_FETCH = "return await (await fetch(args[0])).text()"


def broadcast(client: Odyssey, prompt: str = "A sunny beach at noon") -> BroadcastInfo:
    """A stream of the Python client's, on air."""
    announced: queue.Queue[BroadcastInfo] = queue.Queue()
    client.connect(on_broadcast_ready=announced.put)
    client.start_stream(prompt, broadcast=True)
    return announced.get(timeout=10)


def spectators(emulator: Emulator) -> int:
    return sum(connection.spectators for connection in emulator.connections)


@pytest.mark.parametrize("codec", ["vp8", "h264"])
def test_python_streams_and_the_browser_watches(
    open_sdk: Callable[..., Page], codec: Literal["vp8", "h264"]
) -> None:
    with Emulator(codec=codec) as emulator:
        page = open_sdk(emulator, "")
        with Odyssey(emulator.api_key, api_url=emulator.url, timeout=15) as client:
            info = broadcast(client)
            page.run(_WATCH, info.webrtc_url, info.spectator_token)
            first = page.frame_number()
            wait_until(lambda: page.frame_number() > first)
            # Both see the same stream: their newest pictures are near one another.
            own = read_frame_number(client.frames.latest().data)
            assert own is not None
            assert abs(page.frame_number() - own) < 48
            page.run("watching.disconnect()")


def test_the_browser_sees_what_python_asks_for(client: Odyssey, page: Page) -> None:
    info = broadcast(client)
    page.run(_WATCH, info.webrtc_url, info.spectator_token)
    page.frame_number()
    before = page.picture().astype(int)
    client.interact("A dark forest at night")
    wait_until(lambda: np.abs(page.picture() - before).mean() > 25)
    page.run("watching.disconnect()")


def test_leaving_is_noticed(client: Odyssey, page: Page, emulator: Emulator) -> None:
    info = broadcast(client)
    page.run(_WATCH, info.webrtc_url, info.spectator_token)
    wait_until(lambda: spectators(emulator) == 1)
    page.run("watching.disconnect()")
    wait_until(lambda: spectators(emulator) == 0)


def test_the_streams_end_is_noticed(client: Odyssey, page: Page) -> None:
    info = broadcast(client)
    page.run(_WATCH, info.webrtc_url, info.spectator_token)
    page.frame_number()
    client.end_stream()
    # By then the video stands still; the browser itself needs its ICE timeouts to say so.
    state = "return watching.connectionState"
    wait_until(lambda: page.run(state) in ("disconnected", "failed", "closed"), 20)
    page.run("watching.close()")


def test_a_wrong_token_and_a_wrong_stream(client: Odyssey, page: Page) -> None:
    info = broadcast(client)
    with pytest.raises(WebError, match="Invalid spectator token"):
        page.run(_WATCH, info.webrtc_url, "wrong")
    with pytest.raises(WebError, match="Stream not found"):
        page.run(_WATCH, info.webrtc_url + "-of-nobody", info.spectator_token)


def test_the_browser_streams_and_python_watches(page: Page) -> None:
    page.connect()
    page.start("A sunny beach at noon", broadcast=True)
    info = page.wait_for_event("onBroadcastReady")[0]
    with connect_to_stream(info["webrtcUrl"], info["spectatorToken"], timeout=15) as watching:
        frames = watching.frames.take(5)
        before = frames[-1].data.astype(int)
        numbers = [read_frame_number(frame.data) for frame in frames]
        assert None not in numbers
        assert numbers == sorted(set(numbers), key=lambda n: n or 0)
        page.interact("A dark forest at night")
        wait_until(lambda: np.abs(watching.frames.latest().data - before).mean() > 25)
    page.run("client.disconnect()")


def test_both_watch_at_once(client: Odyssey, page: Page, emulator: Emulator) -> None:
    info = broadcast(client)
    page.run(_WATCH, info.webrtc_url, info.spectator_token)
    with connect_to_stream(info.webrtc_url, info.spectator_token, timeout=15) as watching:
        wait_until(lambda: spectators(emulator) == 2)
        assert read_frame_number(watching.frames.latest().data) is not None
        assert page.frame_number() >= 0
    page.run("watching.disconnect()")


def test_the_playlist_can_be_fetched_from_another_origin(client: Odyssey, page: Page) -> None:
    info = broadcast(client)
    assert info.hls_url is not None
    playlist = wait_until(lambda: _playlist(page, info.hls_url or ""), 20)
    address = urllib.parse.urljoin(info.hls_url, playlist[-1])
    size = page.run("return (await (await fetch(args[0])).arrayBuffer()).byteLength", address)
    assert size > 10_000


def _playlist(page: Page, url: str) -> list[str]:
    """The segments that the playlist names so far."""
    lines = str(page.run(_FETCH, url)).splitlines()
    assert lines[0] == "#EXTM3U"
    variants = [line for line in lines if line and not line.startswith("#")]
    if variants and variants[0].split("?")[0].endswith(".m3u8"):
        return _playlist(page, urllib.parse.urljoin(url, variants[0]))
    return variants
