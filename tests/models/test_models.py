from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from odyssey import (
    BroadcastInfo,
    ClientCredentials,
    ConnectionStatus,
    OdysseyServerError,
    Recording,
    SimulationJobDetail,
    SimulationJobInfo,
    SimulationJobsList,
    SimulationStream,
    StreamerCapabilities,
    StreamRecordingInfo,
    StreamRecordingsList,
)

SIGNED = "https://bucket.example/a/video.mp4?X-Amz-Signature=deadbeef&X-Amz-Expires=3600"


def session_token(payload: object = None) -> str:
    """A JWT whose signature nobody checks."""
    payload = {"session_id": "session-1"} if payload is None else payload
    parts = [json.dumps({"alg": "HS256"}).encode(), json.dumps(payload).encode(), b"signature"]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


RECORDING: dict[str, Any] = {
    "stream_id": "s1",
    "video_url": SIGNED,
    "events_url": "https://b/events",
    "thumbnail_url": "https://b/thumbnail",
    "preview_url": "https://b/preview",
    "frame_count": 48,
    "duration_seconds": 2.0,
}
INFO: dict[str, Any] = {
    "stream_id": "s1",
    "width": 704,
    "height": 1280,
    "started_at": "2026-01-01T00:00:00Z",
    "ended_at": "2026-01-01T00:00:02Z",
    "duration_seconds": 2,
}
PAGE: dict[str, Any] = {"recordings": [INFO], "total": 5, "limit": 1, "offset": 2}
READERS = (Recording.from_json, StreamRecordingInfo.from_json, StreamRecordingsList.from_json)


# Reading JSON.


def test_a_recording() -> None:
    assert attrs.asdict(Recording.from_json({**RECORDING, "new": "field"})) == RECORDING


@pytest.mark.parametrize("absent", [{}, dict.fromkeys(list(RECORDING)[1:])])
def test_all_but_the_id_of_a_recording_may_be_missing_or_null(absent: dict[str, None]) -> None:
    assert Recording.from_json({"stream_id": "s1", **absent}) == Recording("s1")


def test_a_page() -> None:
    page = StreamRecordingsList.from_json(PAGE)
    assert attrs.asdict(page) == PAGE
    assert page.recordings == [StreamRecordingInfo(**INFO)]


def test_an_empty_page() -> None:
    assert StreamRecordingsList.from_json({"recordings": []}) == StreamRecordingsList([], 0, 0, 0)


@pytest.mark.parametrize(
    ("read", "good", "field"),
    [
        *((Recording.from_json, RECORDING, field) for field in RECORDING),
        *((StreamRecordingInfo.from_json, INFO, field) for field in INFO),
        *((StreamRecordingsList.from_json, PAGE, field) for field in PAGE),
    ],
)
def test_a_wrong_type_names_the_field_but_not_the_value(
    read: Callable[[object], object], good: dict[str, Any], field: str
) -> None:
    with pytest.raises(OdysseyServerError, match=f"'{field}' should be") as caught:
        read({**good, field: {"secret": "value"}})
    assert "got a dict" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("read", "good", "field"),
    [
        (Recording.from_json, RECORDING, "stream_id"),
        (StreamRecordingInfo.from_json, INFO, "stream_id"),
        (SimulationJobInfo.from_json, {"status": "pending"}, "job_id"),
        (SimulationJobDetail.from_json, {"status": "pending"}, "job_id"),
        (SimulationStream.from_json, RECORDING, "stream_id"),
    ],
)
def test_a_missing_id_is_named(
    read: Callable[[object], object], good: dict[str, Any], field: str
) -> None:
    for broken in ({**good, field: None}, {k: v for k, v in good.items() if k != field}):
        with pytest.raises(OdysseyServerError, match=f"'{field}' is missing"):
            read(broken)


@pytest.mark.parametrize("value", [True, 1.5, "48", float("nan"), float("inf"), 10**400])
def test_a_count_is_a_whole_number(value: object) -> None:
    with pytest.raises(OdysseyServerError, match="'frame_count' should be a"):
        Recording.from_json({**RECORDING, "frame_count": value})


def test_a_whole_number_may_come_with_a_point() -> None:
    recording = Recording.from_json({**RECORDING, "frame_count": 48.0})
    assert recording.frame_count == 48
    assert type(recording.frame_count) is int


@pytest.mark.parametrize("value", [None, [], "text", 5])
def test_what_is_no_object_is_refused(value: object) -> None:
    for read in (
        Recording.from_json,
        StreamRecordingInfo.from_json,
        StreamRecordingsList.from_json,
    ):
        with pytest.raises(OdysseyServerError, match="expected a JSON object, got"):
            read(value)


def test_capabilities() -> None:
    assert StreamerCapabilities.from_json({"image_to_video": True, "more": 1}).image_to_video
    assert not StreamerCapabilities.from_json({"image_to_video": 1}).image_to_video
    assert not StreamerCapabilities().image_to_video


# Credentials.


def credentials(**changed: Any) -> dict[str, Any]:
    return {
        "session_id": "session-1",
        "signaling_url": "wss://signaling.example/s",
        "session_token": session_token(),
        "expires_in": 600,
        **changed,
    }


@pytest.mark.parametrize("capabilities", [None, True, False])
def test_credentials_survive_json(capabilities: bool | None) -> None:
    data = credentials()
    if capabilities is not None:
        data["capabilities"] = {"image_to_video": capabilities}
    read = ClientCredentials.from_dict(json.loads(json.dumps(data)))
    assert read.to_dict() == data
    assert ClientCredentials.from_dict(read.to_dict()) == read
    known = None if capabilities is None else StreamerCapabilities(capabilities)
    assert read.capabilities == known


def test_the_session_is_the_tokens() -> None:
    read = ClientCredentials.from_dict(credentials(session_id="another"))
    assert read.session_id == "session-1"


def test_a_null_for_capabilities_is_none() -> None:
    assert ClientCredentials.from_dict(credentials(capabilities=None)).capabilities is None


@pytest.mark.parametrize("field", ["signaling_url", "session_token", "expires_in"])
def test_credentials_without_a_field(field: str) -> None:
    data = credentials()
    del data[field]
    with pytest.raises(KeyError, match=field):
        ClientCredentials.from_dict(data)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("signaling_url", ""),
        ("signaling_url", " "),
        ("signaling_url", None),
        ("session_token", None),
        ("session_token", ""),
        ("session_token", "a.b"),
        ("session_token", "a.b.c"),
        ("session_token", "ü.ü.ü"),
        ("session_token", session_token([])),
        ("session_token", session_token({})),
        ("session_token", session_token({"session_id": 5})),
        ("session_token", session_token({"session_id": ""})),
        ("expires_in", None),
        ("expires_in", "soon"),
        ("expires_in", []),
        ("expires_in", float("inf")),
        ("expires_in", float("nan")),
    ],
)
def test_credentials_that_are_none(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field) as caught:
        ClientCredentials.from_dict(credentials(**{field: value}))
    assert not isinstance(value, str) or len(value) < 6 or value not in str(caught.value)


@pytest.mark.parametrize("value", ["text", None, [1], 5])
def test_credentials_must_be_a_mapping(value: object) -> None:
    with pytest.raises(TypeError, match="credentials must be a mapping"):
        ClientCredentials.from_dict(value)  # type: ignore[arg-type]


# What is shown.


def test_no_repr_shows_a_token_or_a_query() -> None:
    token = session_token()
    shown = [
        ClientCredentials("wss://s.example/x?token=hidden", token, 600),
        BroadcastInfo(
            "https://h.example/x.m3u8?sig=hidden", "https://w.example/x?sig=hidden", "hidden-token"
        ),
        Recording.from_json(
            {"stream_id": "s1", **{k: f"https://x/{k}?sig=hidden" for k in list(RECORDING)[1:5]}}
        ),
    ]
    for value in shown:
        for text in (repr(value), str(value), f"{value}"):
            assert "hidden" not in text
            assert token not in text
            assert token.split(".")[1] not in text
    assert "https://x/video_url?…" in repr(shown[2])
    assert "frame_count=None" in repr(shown[2])


def test_a_recording_keeps_its_addresses_whole() -> None:
    assert Recording.from_json(RECORDING).video_url == SIGNED


def test_statuses_compare_as_text() -> None:
    status: str = ConnectionStatus.CONNECTED
    assert status == "connected"
    assert {status.value for status in ConnectionStatus} == {
        "authenticating",
        "connecting",
        "reconnecting",
        "connected",
        "disconnected",
        "failed",
    }


def test_models_are_immutable() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Recording("s1").stream_id = "s2"  # type: ignore[misc]


def test_models_are_hashable() -> None:
    """Equal ones count once in a set, those with lists too."""
    page = {"recordings": [{"stream_id": "s", "width": 1, "height": 1, "started_at": "t"}]}
    job = {"job_id": "j", "status": "completed", "streams": [RECORDING]}
    for cls, value in (
        (Recording, RECORDING),
        (StreamRecordingsList, page),
        (SimulationJobDetail, job),
        (SimulationJobsList, {"jobs": [job]}),
    ):
        assert len({cls.from_json(value), cls.from_json(value)}) == 1
