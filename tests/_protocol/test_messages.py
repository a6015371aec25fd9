from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odyssey._protocol import messages
from odyssey._protocol.messages import (
    BroadcastIncomplete,
    BroadcastReady,
    MalformedMessage,
    Offer,
    RemoteCandidate,
    SignalingError,
    StreamEnded,
    StreamError,
    StreamStarted,
    UpdateAcknowledged,
    read_server_message,
    read_streamer_message,
)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "nul",
        "{",
        "[" * 100_000,
        "9" * 5000,
        b"\xff\xfe\x00",
        b"\x00" * 50,
        '"text"',
        "[]",
        "5",
        "null",
        "\ud800",
    ],
)
def test_junk_is_malformed_and_not_shown(data: str | bytes) -> None:
    for read in (read_streamer_message, read_server_message):
        with pytest.raises(MalformedMessage) as caught:
            read(data)
        assert len(str(caught.value)) < 80


def test_an_error_says_nothing_of_the_content() -> None:
    with pytest.raises(MalformedMessage) as caught:
        read_streamer_message('{"spectator_token": "secret"')
    assert "secret" not in str(caught.value)
    with pytest.raises(MalformedMessage, match="stream_started without a text 'stream_id'"):
        read_streamer_message('{"type": "stream_started", "stream_id": 5}')


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"type": "stream_started", "stream_id": "s"}, StreamStarted("s", None)),
        (
            {"type": "stream_started", "stream_id": "s", "applied_prompt": "p", "new": 1},
            StreamStarted("s", "p"),
        ),
        (
            {"type": "stream_started", "stream_id": "s", "applied_prompt": 5},
            StreamStarted("s", None),
        ),
        ({"type": "update_acknowledged", "prompt": ""}, UpdateAcknowledged("")),
        ({"type": "stream_ended"}, StreamEnded()),
        (
            {"type": "broadcast_ready", "webrtc_url": "w", "spectator_token": "t"},
            BroadcastReady(None, "w", "t"),
        ),
        (
            {
                "type": "broadcast_ready",
                "broadcast_url": "h",
                "webrtc_url": "w",
                "spectator_token": "t",
            },
            BroadcastReady("h", "w", "t"),
        ),
        ({"type": "broadcast_ready", "webrtc_url": "w"}, BroadcastIncomplete()),
        ({"type": "broadcast_ready", "spectator_token": "t"}, BroadcastIncomplete()),
        (
            {"type": "broadcast_ready", "webrtc_url": "", "spectator_token": "t"},
            BroadcastIncomplete(),
        ),
        (
            {"type": "interactive_stream_error", "reason": "r", "message": "m"},
            StreamError("r", "m"),
        ),
        ({"type": "interactive_stream_error"}, StreamError("unknown", "")),
        ({"type": "interactive_stream_error", "reason": ""}, StreamError("unknown", "")),
        ({"type": "something_new", "stream_id": "s"}, None),
        ({"type": ["stream_ended"]}, None),
        ({}, None),
    ],
)
def test_messages_of_the_streamer(fields: object, message: object) -> None:
    assert read_streamer_message(json.dumps(fields)) == message
    assert read_streamer_message(json.dumps(fields).encode()) == message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"type": "offer", "sdp": "v=0"}, Offer("v=0")),
        (
            {"type": "ice_candidate", "candidate": "c", "sdpMid": "0", "sdpMLineIndex": 0},
            RemoteCandidate("c", "0", 0),
        ),
        ({"type": "ice_candidate", "candidate": None}, RemoteCandidate("", None, None)),
        (
            {"type": "ice_candidate", "candidate": "c", "sdpMid": 0, "sdpMLineIndex": True},
            RemoteCandidate("c", None, None),
        ),
        (
            {"type": "error", "reason": "streamer_disconnected"},
            SignalingError("streamer_disconnected"),
        ),
        ({"type": "error"}, SignalingError("unknown")),
        ({"type": "stream_ended"}, None),
    ],
)
def test_messages_of_the_server(fields: object, message: object) -> None:
    assert read_server_message(json.dumps(fields)) == message


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "stream_started"},
        {"type": "update_acknowledged"},
        {"type": "update_acknowledged", "prompt": None},
    ],
)
def test_messages_without_what_they_are_about(fields: object) -> None:
    with pytest.raises(MalformedMessage, match="without a text"):
        read_streamer_message(json.dumps(fields))
    with pytest.raises(MalformedMessage, match="without a text 'sdp'"):
        read_server_message('{"type": "offer"}')


def test_no_repr_shows_a_token() -> None:
    assert "secret" not in repr(BroadcastReady("h", "w", "secret"))


# What is sent: the fields of the protocol and no others.


@given(st.text(), st.booleans(), st.booleans(), st.none() | st.just("data:image/jpeg;base64,AA"))
def test_start(prompt: str, portrait: bool, broadcast: bool, image: str | None) -> None:
    for bypass in (None, False, True):
        text = messages.interactive_stream_start(
            prompt,
            portrait=portrait,
            image=image,
            broadcast=broadcast,
            bypass_prompt_expansion=bypass,
        )
        expected: dict[str, object] = {
            "type": "interactive_stream_start",
            "prompt": prompt,
            "portrait": portrait,
            "input_image_base64": image,
            "broadcast": broadcast,
        }
        assert json.loads(text) == {
            **expected,
            **({} if bypass is None else {"bypass_vlm_expansion": bypass}),
        }
        text.encode()  # whatever the prompt is


@given(st.text(st.characters()))
def test_update(prompt: str) -> None:
    text = messages.update(prompt)
    assert json.loads(text) == {"type": "update", "prompt": prompt}
    text.encode()


def test_the_others() -> None:
    written = [
        messages.interactive_stream_end(),
        messages.keepalive(),
        messages.client_disconnecting(),
        messages.answer("v=0"),
    ]
    assert [json.loads(text) for text in written] == [
        {"type": "interactive_stream_end"},
        {"type": "keepalive"},
        {"type": "client_disconnecting"},
        {"type": "answer", "sdp": "v=0"},
    ]
