"""The viewer's server under many connections, of which some say or read nothing."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from odyssey import Odyssey, VideoFrame
from odyssey.viewer import Viewer, connections
from odyssey.viewer.live import _Parts
from tests.support.helpers import wait_until
from tests.viewer.conftest import entered

HALF = b"GET /live/state HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@contextlib.contextmanager
def half_requests(page: Viewer, count: int, text: bytes = HALF) -> Iterator[list[socket.socket]]:
    """Connections that begin a request and don't end it."""
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(count):
            half = stack.enter_context(socket.create_connection(("127.0.0.1", page.port), 10))
            half.sendall(text)
            opened.append(half)
        yield opened


def is_cut(connection: socket.socket) -> bool:
    """Whether the other side has closed it."""
    connection.settimeout(0.001)
    try:
        return connection.recv(4096) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def test_requests_that_never_end_keep_nobody_out(page: Viewer) -> None:
    """Fault: three hundred connections, each with half a request."""
    before = threading.active_count()
    with half_requests(page, 300) as half:
        most = before + connections.MOST_CONNECTIONS
        wait_until(lambda: threading.active_count() <= most)
        with entered(page.url) as inside:
            state = f"{page.url.partition('/?')[0]}/live/state"
            assert inside.get(state, timeout=10).json()["phase"] == "idle"
        assert is_cut(half[0])  # the oldest ones gave way
    wait_until(lambda: threading.active_count() <= before)


@pytest.mark.parametrize("text", [b"", b"G", HALF])
def test_a_request_has_to_arrive_in_time(
    page: Viewer, monkeypatch: pytest.MonkeyPatch, text: bytes
) -> None:
    """Fault: it comes byte by byte, each in time; a second one never begins."""
    monkeypatch.setattr(connections, "ARRIVAL_SECONDS", 0.3)
    with half_requests(page, 1, text) as (half,):

        def dribble() -> bool:
            with contextlib.suppress(ConnectionError):
                half.sendall(b"x")
            return is_cut(half)

        wait_until(dribble if text else lambda: is_cut(half))


def test_all_connections_are_in_use(
    page: Viewer, client: Odyssey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault: as many pages as there may be show a stream. One more is refused, until one goes."""
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 2)
    client.connect()
    client.start_stream("A cat")
    origin = page.url.partition("/?")[0]
    with entered(page.url) as inside, contextlib.ExitStack() as stack:
        videos = [inside.get(f"{origin}/live/video", stream=True, timeout=10) for _ in range(2)]
        for video in videos:
            stack.callback(video.close)
            assert video.raw.read(1)
        with pytest.raises(requests.ConnectionError):
            inside.get(f"{origin}/live/state", timeout=10)
        videos[0].close()

        def is_answered() -> bool:
            with contextlib.suppress(requests.ConnectionError):
                return inside.get(f"{origin}/live/state", timeout=10).ok
            return False

        wait_until(is_answered)


@pytest.mark.slow
def test_an_answer_that_nobody_reads_is_given_up(
    page: Viewer, client: Odyssey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault: pages that show the stream, and don't read it."""
    monkeypatch.setattr(connections._Handler, "timeout", 0.2)
    client.connect()
    client.start_stream("A cat")
    before = threading.active_count()
    with entered(page.url) as inside:
        cookie = "; ".join(f"{c.name}={c.value}" for c in inside.cookies)
    ask = f"GET /live/video HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\nCookie: {cookie}\r\n\r\n"
    with half_requests(page, 3, ask.encode()):
        wait_until(lambda: threading.active_count() >= before + 3)
        wait_until(lambda: threading.active_count() <= before, 30)


def test_the_end_of_the_viewer_ends_its_answers(client: Odyssey) -> None:
    client.connect()
    client.start_stream("A cat")
    before = threading.active_count()
    with Viewer(client) as page, entered(page.url) as inside:
        video = inside.get(f"{page.url.partition('/?')[0]}/live/video", stream=True, timeout=10)
        assert video.raw.read(1)
    wait_until(lambda: threading.active_count() <= before)
    video.close()


def test_pages_share_the_picture(
    page: Viewer, client: Odyssey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each page that is open costs the stream some of its frames."""
    made: Counter[int] = Counter()
    to_image = VideoFrame.to_image

    def counted(frame: VideoFrame) -> Any:
        made[frame.index] += 1
        return to_image(frame)

    monkeypatch.setattr(VideoFrame, "to_image", counted)
    client.connect()
    client.start_stream("A cat")
    with entered(page.url) as inside, contextlib.ExitStack() as stack:
        address = f"{page.url.partition('/?')[0]}/live/video"
        videos = [inside.get(address, stream=True, timeout=10) for _ in range(5)]
        for video in videos:
            stack.callback(video.close)

        def all_have_more() -> bool:
            return all(len(video.raw.read(50_000)) == 50_000 for video in videos)

        wait_until(lambda: all_have_more() and len(made) > 20)
    assert set(made.values()) == {1}


def test_a_page_that_comes_late_gets_the_newest_picture(client: Odyssey) -> None:
    client.connect()
    client.start_stream("A cat")
    first, second = client.frames.take(2)
    parts = _Parts()
    part = parts.of(first)
    assert parts.of(first) is part
    newer = parts.of(second)
    assert newer != part
    assert parts.of(first) is newer
