"""Whatever the service sends is read, or refused with the documented error, and nothing else."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from odyssey import ClientCredentials, OdysseyError, OdysseyServerError, models
from odyssey._live.provisioning import IceServer, _ice_server, as_http, as_websocket
from odyssey._protocol import messages
from odyssey._protocol.messages import MalformedMessage
from odyssey._rest.answer import Answer, raise_for_status
from odyssey._rest.origins import resolved
from odyssey._rtc.peer import DEFAULT_MESSAGE_SIZE, max_message_size, usable_servers
from odyssey.errors import OdysseyConnectionError, OdysseyUsageError, error_from_stream_reason
from odyssey.models.fields import Fields
from odyssey.models.model import Model
from odyssey.recordings.events import parse_events
from tests.models.test_models import session_token
from tests.support.strategies import (
    BINARY,
    JSON,
    RETRY_AFTER,
    TEXT,
    TEXTS,
    TOKENS,
    object_texts,
    spoilt_lines,
)

NUMBERS = st.integers(0, 10**6) | st.floats(0, 1e6)
URLS = st.just("https://b.example/v.mp4?sig=1")
STATUSES = st.sampled_from([status.value for status in models.SimulationJobStatus])
FieldValues = dict[str, st.SearchStrategy[Any]]

RECORDING: FieldValues = {
    "stream_id": TEXT,
    **{f"{name}_url": URLS for name in ("video", "events", "thumbnail", "preview")},
    "frame_count": NUMBERS,
    "duration_seconds": NUMBERS,
}
INFO: FieldValues = {
    **dict.fromkeys(("stream_id", "started_at", "ended_at"), TEXT),
    **{name: st.integers() for name in ("width", "height")},
    "duration_seconds": NUMBERS,
}
PAGE: FieldValues = {name: st.integers() for name in ("total", "limit", "offset")}
JOB: FieldValues = {
    "job_id": TEXT,
    "status": STATUSES,
    **dict.fromkeys(("priority", "created_at", "completed_at", "error_message"), TEXT),
}
DETAIL: FieldValues = {
    **JOB,
    **dict.fromkeys(("dispatched_at", "started_at", "assigned_region"), TEXT),
    "retry_count": st.integers(),
    "streams": st.lists(st.fixed_dictionaries({**RECORDING, "script_index": st.integers()})),
    "estimated_wait_minutes": NUMBERS,
}
ICE: FieldValues = {
    "urls": TOKENS.map("stun:{}".format) | st.lists(TOKENS.map("turn:host:{}".format), max_size=3),
    "username": TEXT,
    "credential": TEXT,
}
USAGE: FieldValues = {
    "code": st.sampled_from(["RATE_LIMITED", "ACCOUNT_SUSPENDED", "MONTHLY_LIMIT_REACHED"]),
    **dict.fromkeys(("error", "message", "action", "action_url"), TEXT),
    "details": st.dictionaries(TEXT, NUMBERS, max_size=2)
    | st.fixed_dictionaries({"retry_after_seconds": NUMBERS}),
}


def answered(read: Callable[[object], object]) -> Callable[[bytes], object]:
    """Reads the body of an answer."""
    return lambda body: read(Answer(200, {}, body).json("it"))


def items(name: str, fields: FieldValues) -> FieldValues:
    return {**PAGE, name: st.lists(st.fixed_dictionaries(fields), max_size=2)}


READERS: dict[str, tuple[Callable[[bytes], object], FieldValues]] = {
    "Recording": (answered(models.Recording.from_json), RECORDING),
    "StreamRecordingInfo": (answered(models.StreamRecordingInfo.from_json), INFO),
    "StreamRecordingsList": (
        answered(models.StreamRecordingsList.from_json),
        items("recordings", INFO),
    ),
    "SimulationJobInfo": (answered(models.SimulationJobInfo.from_json), JOB),
    "SimulationJobDetail": (answered(models.SimulationJobDetail.from_json), DETAIL),
    "SimulationStream": (
        answered(models.SimulationStream.from_json),
        {**RECORDING, "script_index": st.integers()},
    ),
    "SimulationJobsList": (answered(models.SimulationJobsList.from_json), items("jobs", JOB)),
    "StreamerCapabilities": (
        answered(models.StreamerCapabilities.from_json),
        {"image_to_video": st.booleans()},
    ),
    "IceServer": (answered(_ice_server), ICE),
    "events": (
        lambda body: parse_events(body, "the events"),
        {"timestamp_ms": st.integers(), "type": TEXT, "prompt": TEXT, "frame": st.integers()},
    ),
}


@pytest.mark.parametrize(("read", "fields"), READERS.values(), ids=READERS)
def test_any_answer_is_read_or_an_answer_that_is_not_what_it_should_be(
    read: Callable[[bytes], object], fields: FieldValues
) -> None:
    @given(object_texts(fields) | object_texts(fields, whole=False) | TEXTS | BINARY)
    def check(body: str | bytes) -> None:
        data = body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
        try:
            value = read(data)
        except OdysseyServerError as exc:
            assert len(str(exc)) < 300
        else:
            assert repr(value)
            if attrs.has(type(value)):
                assert attrs.asdict(value)  # type: ignore[arg-type]
            if isinstance(value, Model):
                assert json.loads(json.dumps(value.to_dict(), allow_nan=False))
                assert pickle.loads(pickle.dumps(value)) == value
                assert hash(copy.deepcopy(value)) == hash(value)

    check()


MESSAGES: FieldValues = {
    "type": st.sampled_from(
        [
            *("stream_started", "update_acknowledged", "stream_ended", "broadcast_ready"),
            *("interactive_stream_error", "offer", "ice_candidate", "error"),
        ]
    ),
    **dict.fromkeys(("stream_id", "applied_prompt", "prompt", "reason", "message"), TEXT),
    **dict.fromkeys(("broadcast_url", "webrtc_url", "spectator_token"), TEXT),
    **dict.fromkeys(("sdp", "candidate", "sdpMid"), TEXT),
    "sdpMLineIndex": st.integers(),
}


@given(object_texts(MESSAGES) | object_texts(MESSAGES, whole=False) | TEXTS | BINARY)
def test_anything_is_a_message_nothing_or_malformed(data: str | bytes) -> None:
    for read, classes in (
        (messages.read_streamer_message, messages.StreamerMessage),
        (messages.read_server_message, messages.ServerMessage),
    ):
        try:
            message = read(data)
        except MalformedMessage as exc:
            assert len(str(exc)) < 100
            continue
        assert message is None or isinstance(message, classes)
        assert repr(message)


@given(st.integers(300, 999), object_texts(USAGE, whole=False) | BINARY, RETRY_AFTER)
def test_any_refusal_is_an_error_of_ours(status: int, body: str | bytes, retry_after: str) -> None:
    data = body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
    for sent in (data, b'{"detail": ' + data + b"}", b'{"detail": [{"msg": ' + data + b"}]}"):
        with pytest.raises(OdysseyError) as caught:
            raise_for_status(Answer(status, {"Retry-After": retry_after}, sent), "tried")
        assert str(caught.value).startswith("tried: ")
        assert isinstance(caught.value, OdysseyUsageError) == (status == 429)
        seconds = getattr(caught.value, "retry_after", None)
        assert seconds is None or 0 <= seconds < float("inf")


@given(RETRY_AFTER | spoilt_lines("Sun, 06 Nov 1994 08:49:37 +0100", " "))
def test_any_retry_after_is_seconds_or_nothing(value: str) -> None:
    asked = Answer(503, {"Retry-After": value}, b"").retry_after()
    assert asked is None or 0 <= asked < float("inf")


@given(st.sampled_from(["session_timeout", "lease_denied"]) | TEXT, TEXT)
def test_any_reason_of_a_stream_is_an_error_of_ours(reason: str, message: str) -> None:
    assert isinstance(error_from_stream_reason(reason, message, "tried"), OdysseyError)


CREDENTIALS = {
    "signaling_url": TEXT | st.just("wss://s.example/x"),
    "session_token": TEXT | JSON.map(session_token) | TOKENS.map("a.{}.c".format),
    "expires_in": JSON,
    "capabilities": JSON,
}


@given(
    st.fixed_dictionaries(CREDENTIALS)
    | st.fixed_dictionaries({}, optional=CREDENTIALS)
    | st.fixed_dictionaries(dict.fromkeys(CREDENTIALS, JSON))
    | JSON
)
def test_any_json_is_credentials_or_a_documented_error(data: Any) -> None:
    try:
        read = ClientCredentials.from_dict(data)
    except TypeError:
        assert not isinstance(data, Mapping)
    except KeyError:
        assert set(data) < set(CREDENTIALS) or not set(data) >= set(CREDENTIALS)
    except ValueError:
        assert isinstance(data, Mapping)
    else:
        assert ClientCredentials.from_dict(json.loads(json.dumps(read.to_dict()))) == read
        assert str(data["session_token"]) not in repr(read)


# Addresses that the service names.


@given(TEXT | TOKENS.map("ws://host:{}/x".format) | TOKENS.map("https://{}/x?token=1#y".format))
def test_any_signaling_address_is_one_or_refused(url: str) -> None:
    for turn, scheme in ((as_http, "http"), (as_websocket, "ws")):
        try:
            address = turn(url)
        except OdysseyConnectionError as exc:
            assert "token=1" not in str(exc)
        else:
            assert address.startswith((scheme + "://", scheme + "s://"))
            assert "?" not in address


@given(TEXT | TOKENS.map("http://{}/whep/1".format) | TOKENS.map("//{}".format))
def test_any_location_is_an_address_or_none(location: str) -> None:
    url = resolved("http://host.example/broadcasts/s/whep?token=t", location)
    assert url is None or url.startswith(("http://", "https://"))
    url = resolved("https://host.example/broadcasts/s/whep?token=t", location)
    assert url is None or url.startswith("https://")


@given(st.builds("{}:{}{}".format, st.sampled_from(["stun", "turns", "x"]), TOKENS, TOKENS))
def test_an_ice_server_that_cannot_be_used_is_left_out(url: str) -> None:
    server = IceServer((url, "stun:host.example:3478"), "name", "secret")
    assert "secret" not in repr(server)
    (usable,) = usable_servers([server])
    assert usable.urls[-1] == "stun:host.example:3478"


@given(spoilt_lines("v=0\r\nm=application 9 DTLS/SCTP 5000\r\na=max-message-size:262144") | TEXT)
def test_any_sdp_has_a_message_size(sdp: str) -> None:
    assert max_message_size(sdp) > 0


def test_an_sdp_without_a_message_size_has_the_usual_one() -> None:
    assert max_message_size("v=0") == DEFAULT_MESSAGE_SIZE
    assert Fields.read({}, "it").optional_text("x") is None
