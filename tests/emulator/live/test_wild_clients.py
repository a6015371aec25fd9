"""Clients that send anything at all: a 4xx or a reply, no crash, and the next one is served."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from PIL import EpsImagePlugin, Image
from websockets.exceptions import ConnectionClosed

from odyssey.emulator import Emulator, faults
from odyssey.emulator.live.messages import picture_of
from tests.emulator.conftest import Complaints
from tests.emulator.raw_client import Client, Rest, connected, signaling
from tests.fuzz.test_arguments import spoilt_pictures
from tests.simulations.test_scripts import END, START
from tests.support.hostile_pictures import HOSTILE_PICTURES, TOO_LARGE
from tests.support.strategies import (
    BINARY,
    JSON,
    RAW_VALUES,
    TEXT,
    TEXTS,
    TOKENS,
    examples,
    object_texts,
    spoilt_lines,
)

FieldValues = dict[str, st.SearchStrategy[Any]]
PICTURES = st.sampled_from(
    [
        *("data:image/png;base64,", "data:image/png;base64,AAAA", "data:image/png;base64,é", "x"),
        "data:image/bmp;base64,Qk3///////8AAAAAKAAAAP///3////9/AQAYAAAAAAA=",
        "data:image/gif;base64,R0lGODlhAQABAAAAACw=",
        "data:image/webp;base64,UklGRgAAAABXRUJQVlA4IA==",
    ]
)
ENTRIES = (
    st.fixed_dictionaries(
        {"timestamp_ms": st.integers(0, 2000) | JSON, "start": st.just({"prompt": "A cat"}) | JSON}
    )
    | st.builds(lambda url: {"timestamp_ms": 0, "start": {"prompt": "x", "image": url}}, PICTURES)
    | st.sampled_from([START, END])
    | st.fixed_dictionaries({}, optional={"timestamp_ms": JSON, "interact": JSON, "end": JSON})
)
SCRIPTS = st.lists(ENTRIES | JSON, max_size=3) | JSON | st.just([START, END])
BODIES: dict[str, FieldValues] = {
    "/auth/token": {"api_key": TEXT | st.just("ody_" + "k" * 20)},
    "/sessions/request": {"region_latencies": st.dictionaries(TEXT, JSON, max_size=2)},
    "/sessions/token": {"session_id": TEXT},
    "/telemetry": {"events": st.lists(JSON, max_size=3)},
    "/simulation-jobs": {
        "script": SCRIPTS,
        "scripts": st.lists(SCRIPTS, max_size=2),
        "script_url": st.sampled_from(
            ["http://127.0.0.1:1/x", "http://[::1", "http://", "http:// "]
        )
        | TOKENS.map("http://127.0.0.1:{}".format),
        "portrait": st.booleans() | JSON,
        "bypass_vlm_expansion": st.booleans() | JSON,
    },
}


def one_of_the_bodies() -> st.SearchStrategy[tuple[str, str | bytes]]:
    return st.sampled_from(list(BODIES)).flatmap(
        lambda path: st.tuples(
            st.just(path),
            object_texts(BODIES[path])
            | object_texts(BODIES[path], whole=False)
            | st.sampled_from(list(BODIES[path])).flatmap(
                lambda name: object_texts({name: BODIES[path][name]})
            )
            | RAW_VALUES
            | BINARY,
        )
    )


@pytest.mark.slow
def test_any_body_is_answered(emulator: Emulator, rest: Rest) -> None:
    emulator.faults.inject(faults.SimulationStuck(state="pending"))

    @examples(200)
    @example(("/simulation-jobs", "[" * 100_000))
    @given(one_of_the_bodies())
    def check(wanted: tuple[str, str | bytes]) -> None:
        path, body = wanted
        data = body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
        answer = rest.request("POST", path, data=data)
        assert answer.status_code < 500, answer.text
        assert isinstance(answer.json(), dict)

    check()
    assert rest.request("POST", "/sessions/token", json={"session_id": "x"}).status_code == 404


PATHS = st.sampled_from(
    [
        *("/recordings/{}", "/simulation-jobs/{}", "/files/{}/video.mp4", "/files/{}/{}"),
        *("/broadcasts/{}/whep/x", "/broadcasts/{}/hls/{}", "/streamers/x/client/{}"),
        *("/streamers/{}/config", "/stream-recordings", "/simulation-jobs", "/regions", "/{}"),
    ]
)
WORDS = st.sampled_from(["..", ".", "", "a/b", "\0", "%00", "..\\..", "x" * 2000]) | TOKENS
QUERIES = st.dictionaries(
    st.sampled_from(["limit", "offset", "status", "active", "token", "expires", "signature"])
    | TEXT,
    TOKENS | st.sampled_from(["pending", "true", "a.b.c", "..", "1e3", "\u0661", "1_0"]),
    max_size=3,
)


def quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def test_any_address_is_answered(rest: Rest) -> None:
    @examples(150)
    @given(st.sampled_from(["GET", "DELETE", "POST"]), PATHS, WORDS, QUERIES, st.booleans())
    def check(method: str, path: str, word: str, query: dict[str, str], token: bool) -> None:
        path = path.replace("{}", quoted(word))
        pairs = "&".join(f"{quoted(name)}={quoted(value)}" for name, value in query.items())
        assume(len(path) + len(pairs) < 8000)  # a longer line is refused before anybody reads it
        answer = rest.request(method, f"{path}?{pairs}", token=token)
        assert answer.status_code < 500, answer.text

    check()


def test_any_header_of_authorization_is_answered(rest: Rest) -> None:
    header = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"))

    @examples(40)
    @given(header | header.map("Bearer {}".format))
    def check(value: str) -> None:
        answer = rest.session.get(
            rest.url + "/recordings/x", headers={"Authorization": value.strip().encode("latin-1")}
        )
        assert answer.status_code in (400, 401)

    check()


@examples(100)
@given(spoilt_pictures())
def test_any_picture_is_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert picture_of("data:image/x;base64," + base64.b64encode(data).decode()).mode == "RGB"


@pytest.mark.parametrize("name", list(HOSTILE_PICTURES))
def test_a_hostile_picture_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)  # an application may have done so
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", None)  # it must not come so far
    data = base64.b64encode(HOSTILE_PICTURES[name]).decode()
    with pytest.raises(ValueError, match="the picture") as caught:
        picture_of(f"data:image/png;base64,{data}")
    assert ("too many pixels" in str(caught.value)) == (name in TOO_LARGE)


# Sockets and data channels.

MESSAGES: FieldValues = {
    "type": st.sampled_from(
        [
            *("answer", "ice_candidate", "keepalive", "interactive_stream_start", "update"),
            *("interactive_stream_end", "client_disconnecting"),
        ]
    ),
    "sdp": TEXT,
    "candidate": spoilt_lines("candidate:1 1 udp 2130706431 127.0.0.1 9 typ host", " ", (".",)),
    "sdpMid": st.just("0") | TEXT,
    "sdpMLineIndex": st.integers(-1, 2),
    "prompt": TEXT | st.sampled_from(["\0", "\ud800", "x" * 5000, "\u202e\U0001f600"]),
    "portrait": st.booleans(),
    "input_image_base64": st.none() | PICTURES,
    "broadcast": st.booleans(),
    "bypass_vlm_expansion": st.booleans(),
}
SAID = (
    object_texts(MESSAGES)
    | object_texts(MESSAGES, whole=False)
    | st.just('{"type": []}')
    | RAW_VALUES
    | BINARY
    | TEXTS
)


def sendable(said: str | bytes) -> str | bytes:
    """A text of a WebSocket or a data channel is UTF-8."""
    return said.encode("utf-8", "replace").decode() if isinstance(said, str) else said


def run(work: Any) -> None:
    asyncio.run(asyncio.wait_for(work, 60))


def test_any_message_on_the_socket(rest: Rest, emulator: Emulator, complaints: Complaints) -> None:
    complaints.expected += ["the answer can't be used"]

    async def say(said: list[str | bytes]) -> None:
        async with signaling(rest.provision()) as socket:
            await socket.receive("offer")
            with contextlib.suppress(ConnectionClosed):
                for one in said:
                    await socket.socket.send(sendable(one))
                # What was sent before was read.
                await socket.send(type="client_disconnecting")
            code, _ = await socket.closed()
            assert code == 1000

    @examples(25)
    @given(st.lists(SAID, max_size=8))
    def check(said: list[str | bytes]) -> None:
        run(say(said))

    check()


@pytest.mark.slow
def test_any_message_on_the_channel(rest: Rest, complaints: Complaints) -> None:
    async def talk(client: Client, said: list[str | bytes]) -> None:
        for one in said:
            data = sendable(one)
            if len(data) < 60_000:
                client.channels["clientToStreamer"].send(data)
        before = len(client.messages)
        client.tell("interactive_stream_end")
        ends = ("stream_ended", "invalid_state")
        await client.until(
            lambda: any(m.get("reason", m["type"]) in ends for m in client.messages[before:]), 20
        )

    async def scenario(script: list[list[str | bytes]]) -> None:
        async with connected(rest.provision()) as client:
            for said in script:
                await talk(client, said)
            await client.start()
            await client.more_frames(1)
            await client.end()
            assert not any(m.get("reason") == "internal_error" for m in client.messages)

    @examples(6)
    @given(st.lists(st.lists(SAID, max_size=6), min_size=1, max_size=6))
    def check(script: list[list[str | bytes]]) -> None:
        run(scenario(script))

    check()


def test_any_offer_of_a_spectator(rest: Rest, complaints: Complaints) -> None:
    async def scenario() -> None:
        async with connected(rest.provision()) as client:
            await client.start(broadcast=True)
            await client.until(lambda: client.of_type("broadcast_ready"))
            (ready,) = client.of_type("broadcast_ready")
            offer = client.offer_sdp.replace("sendonly", "recvonly")

            def join(sdp: str) -> None:
                answer = rest.session.post(
                    f"{ready['webrtc_url']}/whep",
                    params={"token": ready["spectator_token"]},
                    data=sdp.encode("utf-8", "surrogatepass"),
                    headers={"Content-Type": "application/sdp"},
                    timeout=10,
                )
                assert answer.status_code in (201, 400), answer.text

            @examples(25)
            @given(spoilt_lines(offer) | TEXT)
            def check(sdp: str) -> None:
                join(sdp)

            await asyncio.to_thread(check)
            await client.end()

    run(scenario())


@pytest.mark.parametrize("text", ["[" * 100_000, '{"type": []}', '{"type": {"a": 1}}', "9" * 5000])
def test_a_message_that_no_handler_can_look_up(rest: Rest, text: str) -> None:
    async def scenario() -> None:
        async with connected(rest.provision()) as client:
            client.channels["clientToStreamer"].send(text)
            await client.socket.send(text)
            await client.start()
            await client.end()
            assert json.loads(json.dumps(client.messages))

    run(scenario())
