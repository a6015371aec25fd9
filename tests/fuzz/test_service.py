"""A service that answers anything at all: every call ends, with a value or an `OdysseyError`."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from odyssey import AdvancedConfig, Odyssey, OdysseyError, OdysseyServerError, Recording
from odyssey.models import SimulationJobStatus
from tests.fuzz.test_readers import DETAIL, ICE, PAGE, RECORDING, USAGE, FieldValues
from tests.support.servers import Reply, Request, TinyServer, raw_server, short_pauses  # noqa: F401
from tests.support.strategies import BINARY, RAW_VALUES, RETRY_AFTER, TOKENS, examples, object_texts

KEY = "ody_0123456789abcdef"


@pytest.fixture
def service() -> Iterator[tuple[TinyServer, list[Reply]]]:
    """Says what is in the list, in turn and over again."""
    replies: list[Reply] = []
    turn = iter(range(10**9))

    def answer(request: Request) -> Reply | None:
        if request.path == "/auth/token":
            return None
        return replies[next(turn) % len(replies)]

    with TinyServer(answer) as server:
        yield server, replies


def calls(client: Odyssey) -> tuple[Callable[[], object], ...]:
    return (
        lambda: client.recordings.get("s1"),
        client.recordings.list,
        lambda: client.recordings.wait("s1", timeout=0.05, interval=0.01),
        lambda: client.recordings.events("s1"),
        lambda: client.simulations.get("j1"),
        client.simulations.list,
        lambda: client.simulations.cancel("j1"),
        lambda: client.simulations.submit(script_url="http://127.0.0.1/x.json"),
        lambda: client.simulations.wait("j1", timeout=0.05, interval=0.01),
        client.create_client_credentials,
        client.connect,
    )


SESSION: FieldValues = {
    "session_id": TOKENS,
    "session_token": TOKENS,
    "signalling_url": TOKENS.map("ws://127.0.0.1:1/{}".format) | TOKENS,
    "expires_in": st.integers(),
    "regions": st.lists(st.fixed_dictionaries({"id": TOKENS, "ping_url": TOKENS}), max_size=2),
    "iceServers": st.lists(st.fixed_dictionaries(ICE), max_size=2),
    "recordings": st.lists(st.fixed_dictionaries(RECORDING), max_size=2),
}
BODIES = (
    object_texts({**SESSION, **PAGE, **DETAIL, **RECORDING}, whole=False)
    | object_texts(SESSION)
    | object_texts(USAGE)
    | BINARY
    | RAW_VALUES
).map(lambda body: body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass"))
STATUSES = st.sampled_from([200] * 6 + [201, 204, 301, 304, 307, 400, 401, 403, 404, 409, 410])
LATER = st.sampled_from([418, 422, 429, 500, 501, 502, 503, 504, 599, 799])
HEADER = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30)
REPLIES = st.builds(
    Reply,
    BODIES,
    STATUSES | LATER,
    st.fixed_dictionaries(
        {},
        optional={
            "Retry-After": RETRY_AFTER | st.just("0"),
            "Location": HEADER | st.just("http://[::1"),
            "Content-Type": HEADER,
            "Content-Encoding": st.sampled_from(["gzip", "deflate", "identity", "x", "gzip, br"]),
            "Set-Cookie": HEADER,
        },
    ),
)


@pytest.mark.slow
def test_whatever_it_answers_each_call_ends_as_documented(
    service: tuple[TinyServer, list[Reply]],
) -> None:
    server, replies = service
    once = AdvancedConfig(max_retries=0)

    @examples(12)
    @given(st.lists(REPLIES, min_size=1, max_size=4))
    def check(script: list[Reply]) -> None:
        replies[:] = script
        with Odyssey(
            KEY, api_url=server.url, timeout=0.25, queue_timeout=0, advanced=once
        ) as client:
            for call in calls(client):
                with contextlib.suppress(OdysseyError):
                    call()

    check()


def test_whatever_the_token_is(service: tuple[TinyServer, list[Reply]]) -> None:
    fields: FieldValues = {"access_token": TOKENS, "expires_in": st.integers() | st.floats()}
    script: list[Reply] = []
    with TinyServer(lambda request: script[0] if "token" in request.path else Reply({})) as server:

        @examples(25)
        @given(object_texts(fields), STATUSES)
        def check(body: str, status: int) -> None:
            script[:] = [Reply(body.encode("utf-8", "surrogatepass"), status)]
            with Odyssey(KEY, api_url=server.url, timeout=0.5) as client:
                with contextlib.suppress(OdysseyError):
                    client.recordings.list()

        check()


@pytest.mark.slow
def test_iterating_over_pages_that_lie_ends(service: tuple[TinyServer, list[Reply]]) -> None:
    server, replies = service
    infos = [
        {"stream_id": "s", "width": 1, "height": 1, "started_at": "t"},
        {"stream_id": "r", "width": 1, "height": 1, "started_at": "t"},
    ]
    jobs = [{"job_id": "j", "status": SimulationJobStatus.PENDING.value}]
    sizes = st.integers(-3, 5)

    @examples(25)
    @given(
        st.lists(
            st.builds(
                lambda n, total, limit: Reply(
                    {"recordings": infos[:n], "jobs": jobs[:n], "total": total, "limit": limit}
                ),
                *(sizes, sizes, sizes),
            ),
            min_size=1,
            max_size=4,
        )
    )
    def check(script: list[Reply]) -> None:
        replies[:] = script
        with Odyssey(KEY, api_url=server.url, timeout=5) as client:
            for every, most in ((client.recordings.iterate, 2), (client.simulations.iterate, 1)):
                with contextlib.suppress(OdysseyServerError):
                    assert len(list(every())) <= most

    check()


# A storage that says anything of what it sends.


@attrs.frozen
class Sent:
    """An answer: its head as it is written, and a body."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def data(self) -> bytes:
        lines = [
            f"HTTP/1.1 {self.status} OK",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + self.body


CONTENT = b"0123456789" * 3
LENGTHS = st.sampled_from(["30", "30", "29", "31", "0", "-1", "30, 30", "30, 31", "9" * 5000, ""])
POSITIONS = st.sampled_from([0, 0, 1, 29, 30, 31, 10**30])
RANGES = (
    st.builds("bytes {}-{}/{}".format, POSITIONS, POSITIONS, POSITIONS | st.just("*"))
    | st.builds("{} {}-{}/{}".format, TOKENS, TOKENS, TOKENS, TOKENS)
    | st.just("bytes */30")
    | st.just(f"bytes {'9' * 5000}-0/30")
)
SENT = st.builds(
    Sent,
    st.sampled_from([200] * 4 + [206] * 4 + [203, 204, 304, 403, 404, 416, 500, 503]),
    st.lists(
        st.tuples(st.just("Content-Length"), LENGTHS)
        | st.tuples(st.just("Content-Range"), RANGES)
        | st.tuples(st.just("ETag"), st.sampled_from(['"1"', '"2"', 'W/"1"', "", "1"]))
        | st.tuples(st.just("Content-Encoding"), st.sampled_from(["gzip", "identity", "x"]))
        | st.tuples(st.just("Transfer-Encoding"), st.sampled_from(["chunked", "x", "identity"]))
        | st.tuples(st.just("Retry-After"), st.just("0"))
        | st.tuples(HEADER.map(lambda text: text.replace(":", "")), HEADER),
        max_size=4,
    ),
    st.sampled_from(
        [CONTENT, CONTENT, CONTENT[:10], b"", CONTENT * 2, b"1e\r\n" + CONTENT + b"\r\n0\r\n\r\n"]
    ),
)


def test_whatever_a_storage_says_a_download_is_whole_or_not_there(tmp_path: Path) -> None:
    script: list[Sent] = []
    told: list[int] = []

    def serve(connection: socket.socket) -> None:
        while not (request := connection.recv(65536)).endswith(b"\r\n\r\n"):
            if not request:
                return
        told.append(1)
        connection.sendall(script[(len(told) - 1) % len(script)].data())

    @examples(60)
    @example([Sent(416, [("Content-Length", "0")], b"")])
    @example([Sent(206, [("Content-Length", "30")], CONTENT)])
    @example([Sent(206, [("Content-Range", f"bytes {'9' * 5000}-0/30")], CONTENT)])
    @example([Sent(200, [("Content-Length", "30, 31")], CONTENT)])
    @given(st.lists(SENT, min_size=1, max_size=3))
    def check(answers: list[Sent]) -> None:
        script[:] = answers
        told.clear()
        recording = Recording("s1", video_url=url + "/v?sig=1")
        target = tmp_path / "v.mp4"
        with Odyssey(KEY, api_url=url, timeout=1) as client:
            try:
                client.recordings.download(recording, target)
            except OdysseyError:
                assert list(tmp_path.iterdir()) == []
            else:
                assert list(tmp_path.iterdir()) == [target]
                target.unlink()

    with raw_server(serve) as url:
        check()
