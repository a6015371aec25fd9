"""Answers of a service that has gone on: nulls, unknown statuses and fields; and the way back."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from odyssey import (
    BroadcastInfo,
    Recording,
    SimulationJobDetail,
    SimulationJobInfo,
    SimulationJobsList,
    SimulationJobStatus,
    SimulationStream,
    StreamerCapabilities,
    StreamRecordingInfo,
    StreamRecordingsList,
)
from odyssey._protocol.messages import BroadcastReady, read_streamer_message
from odyssey.models.model import Model
from odyssey.models.raw import DEEPEST
from tests.models.test_models import INFO, PAGE, RECORDING, SIGNED

NEW: dict[str, Any] = {"new": {"deep": [1, {"x": None}]}, "fps": 24.5, "tags": ["a", "b"]}
STREAM = {**RECORDING, "script_index": 1, "status": "completed", "error_message": None}
JOB: dict[str, Any] = {
    "job_id": "j1",
    "status": "processing",
    "priority": "normal",
    "created_at": "2026-01-01T00:00:00Z",
    "completed_at": None,
    "error_message": None,
}
DETAIL: dict[str, Any] = {
    **JOB,
    "dispatched_at": "2026-01-01T00:00:01Z",
    "started_at": "2026-01-01T00:00:02+02:00",
    "assigned_region": "local",
    "retry_count": 0,
    "streams": [STREAM],
    "estimated_wait_minutes": 0.5,
}
BROADCAST = {
    "broadcast_url": "https://h.example/x.m3u8",
    "webrtc_url": "https://w.example/x",
    "spectator_token": "hidden-token",
}
JOBS = {"jobs": [JOB], "total": 1, "limit": 20, "offset": 0}
MODELS: dict[type[Model], dict[str, Any]] = {
    Recording: RECORDING,
    StreamRecordingInfo: INFO,
    StreamRecordingsList: PAGE,
    SimulationStream: STREAM,
    SimulationJobInfo: JOB,
    SimulationJobDetail: DETAIL,
    SimulationJobsList: JOBS,
    StreamerCapabilities: {"image_to_video": True},
    BroadcastInfo: BROADCAST,
}
each_model = pytest.mark.parametrize(("cls", "data"), MODELS.items(), ids=lambda v: str(v)[:40])


# Nulls.


@pytest.mark.parametrize(
    ("cls", "id_"),
    [
        (Recording, "stream_id"),
        (StreamRecordingInfo, "stream_id"),
        (SimulationStream, "stream_id"),
        (SimulationJobInfo, "job_id"),
        (SimulationJobDetail, "job_id"),
    ],
)
@pytest.mark.parametrize("missing", [True, False])
def test_what_is_null_or_missing_is_none_but_for_the_id(
    cls: type[Model], id_: str, missing: bool
) -> None:
    names = [field.name for field in attrs.fields(cls)]  # type: ignore[arg-type]
    nulls = {} if missing else dict.fromkeys(names)
    model = cls.from_json({**nulls, id_: "the id"})
    values = {name: getattr(model, name) for name in names}
    assert values.pop(id_) == "the id"
    assert values.pop("streams", []) == []
    assert set(values.values()) == {None}
    assert repr(model)


def test_one_entry_with_nulls_costs_no_other() -> None:
    page = StreamRecordingsList.from_json(
        {"recordings": [{**INFO, "width": None, "started_at": None}, INFO], "total": None}
    )
    assert [info.width for info in page.recordings] == [None, 704]
    assert page.total == 2


# Statuses.


@pytest.mark.parametrize("text", ["paused", "RUNNING", "", "two words", "é"])
def test_an_unknown_status_is_kept(text: str) -> None:
    page = SimulationJobsList.from_json({"jobs": [{**JOB, "status": text}, JOB]})
    status, known = (job.status for job in page.jobs)
    assert known is SimulationJobStatus.PROCESSING
    assert isinstance(status, SimulationJobStatus)
    assert status == text
    assert status not in list(SimulationJobStatus)
    assert not status.is_final
    assert (str(status), f"{status}", status.value, json.dumps(status)) == (
        *(text, text, text),
        json.dumps(text),
    )
    assert text in repr(status)
    assert hash(status) == hash(text)
    for again in (pickle.loads(pickle.dumps(status)), copy.deepcopy(status)):
        assert again == status
        assert type(again) is SimulationJobStatus
    with pytest.raises(ValueError, match="is not a valid SimulationJobStatus"):
        SimulationJobStatus(text)


def test_running_is_processing() -> None:
    job = SimulationJobDetail.from_json({**DETAIL, "status": "running"})
    assert job.status is SimulationJobStatus.PROCESSING
    assert job.raw["status"] == "running"
    assert job.to_dict()["status"] == "processing"


def test_known_statuses_stay_themselves() -> None:
    for status in SimulationJobStatus:
        assert SimulationJobStatus.read(status.value) is status
        assert pickle.loads(pickle.dumps(status)) is status


def test_a_stream_says_how_it_is() -> None:
    failed = {**STREAM, "status": "failed", "error_message": "see https://x/y?sig=hidden"}
    (stream,) = SimulationJobDetail.from_json({**DETAIL, "streams": [failed]}).streams
    assert stream.status == "failed"
    assert stream.error_message == failed["error_message"]
    assert "hidden" not in repr(stream)


# What came, and the way back.


@each_model
def test_raw_is_what_came_and_to_dict_has_it_all(cls: type[Model], data: dict[str, Any]) -> None:
    came = {**data, **NEW}
    model = cls.from_json(came)
    assert model.raw == came
    assert json.loads(json.dumps(model.raw)) == came
    shown = model.to_dict()
    assert json.loads(json.dumps(shown, allow_nan=False)) == shown
    assert {name: shown[name] for name in came} == came
    assert set(shown) >= {field.name for field in attrs.fields(cls)}  # type: ignore[arg-type]
    if cls is not BroadcastInfo:  # which has another name for one of the service's fields
        assert set(shown) == set(came)


@each_model
def test_nothing_changes_a_model(cls: type[Model], data: dict[str, Any]) -> None:
    came = copy.deepcopy({**data, **NEW})
    model = cls.from_json(came)
    came["new"]["deep"].append("later")
    came.clear()
    shown = model.to_dict()
    shown["new"]["deep"].clear()
    for change in (
        lambda raw: raw.__setitem__("stream_id", "other"),
        lambda raw: raw.pop("new"),
        lambda raw: raw.update(x=1),
        lambda raw: raw.setdefault("x", 1),
        lambda raw: raw["new"].clear(),
        lambda raw: raw["new"]["deep"].append(2),
        lambda raw: raw["new"]["deep"][1].__delitem__("x"),
        lambda raw: raw["tags"].sort(),
    ):
        with pytest.raises(TypeError, match="read-only"):
            change(model.raw)  # type: ignore[no-untyped-call]
    with pytest.raises(AttributeError):
        model.raw = {}  # type: ignore[misc]
    raw: Any = model.raw
    with pytest.raises(TypeError):
        raw |= {"x": 1}
    with pytest.raises(TypeError):
        raw["tags"] += ["c"]
    assert model.raw == {**data, **NEW}
    assert hash(model) == hash(cls.from_json({**data, **NEW}))


@each_model
def test_what_came_is_neither_compared_nor_shown(cls: type[Model], data: dict[str, Any]) -> None:
    new = {**data, "new": "a-new-value"}
    model, other = cls.from_json(data), cls.from_json(new)
    assert model == other
    assert hash(model) == hash(other)
    assert repr(model) == repr(other)
    assert "a-new-value" not in repr(attrs.asdict(other))  # type: ignore[arg-type]


def _copies(model: Model) -> list[Model]:
    return [
        copy.copy(model),
        copy.deepcopy(model),
        *(pickle.loads(pickle.dumps(model, protocol)) for protocol in range(6)),
    ]


@each_model
def test_copies_keep_what_came(cls: type[Model], data: dict[str, Any]) -> None:
    model = cls.from_json({**data, **NEW})
    for again in _copies(model):
        assert type(again) is cls
        assert again == model
        assert again.raw == model.raw
        assert again.to_dict() == model.to_dict()
        with pytest.raises(TypeError, match="read-only"):
            again.raw["new"]["deep"].append(2)


def test_one_made_by_hand_has_nothing_that_came() -> None:
    recording = Recording("s1", frame_count=3)
    assert recording.raw == {}
    assert recording.to_dict() == {**dict.fromkeys(RECORDING), "stream_id": "s1", "frame_count": 3}
    for again in _copies(recording):
        assert again == recording


def test_pages_hold_what_their_entries_do() -> None:
    page = SimulationJobsList.from_json(JOBS)
    assert page.raw["jobs"][0] is page.jobs[0].raw


def test_what_came_shows_no_signature_and_no_token() -> None:
    recording = Recording.from_json({**RECORDING, "clips": [{"url": SIGNED}]})
    assert recording.raw["clips"][0]["url"] == SIGNED
    capabilities = StreamerCapabilities.from_json({"spectator_token": "hidden-token"})
    for value in (recording.raw, recording.raw["clips"], capabilities.raw):
        for text in (repr(value), str(value), f"{value}"):
            assert "deadbeef" not in text
            assert "hidden" not in text


def test_what_lies_too_deep_is_left_out() -> None:
    """The parser takes deeper JSON than copying, pickling and writing do."""
    text = '{"stream_id": "s1", "new": ' + "[" * 400 + "]" * 400 + "}"
    recording = Recording.from_json(json.loads(text))
    assert json.dumps(recording.to_dict())
    assert all(again == recording for again in _copies(recording))
    inner: Any = recording.raw["new"]
    for _ in range(DEEPEST - 1):
        (inner,) = inner
    assert inner == [None]


def test_numbers_that_json_does_not_have_are_null_on_the_way_back() -> None:
    recording = Recording.from_json(json.loads('{"stream_id": "s", "a": [NaN, 1e999], "b": 1.5}'))
    assert json.loads(json.dumps(recording.to_dict(), allow_nan=False))["a"] == [None, None]


def test_a_broadcast_has_its_message() -> None:
    message = {"type": "broadcast_ready", **BROADCAST, **NEW}
    ready = read_streamer_message(json.dumps(message))
    assert isinstance(ready, BroadcastReady)
    assert ready.raw == message
    assert "hidden-token" not in repr(ready)


@pytest.mark.parametrize(
    "data", [{"image_to_video": True, "model": "m"}, {}, {"image_to_video": 1}]
)
def test_capabilities_as_a_dict(data: Mapping[str, Any]) -> None:
    capabilities = StreamerCapabilities.from_dict(data)
    assert StreamerCapabilities.from_dict(capabilities.to_dict()) == capabilities
    assert capabilities.image_to_video is (data.get("image_to_video") is True)
    assert StreamerCapabilities(image_to_video=True).to_dict() == {"image_to_video": True}


# Times.

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-01T12:00:00Z", NOON),
        ("2026-01-01T12:00:00", NOON),
        ("2026-01-01 12:00:00", NOON),
        ("2026-01-01T12:00:00.000000000Z", NOON),
        ("2026-01-01T14:00:00+02:00", NOON),
        ("20260101T120000Z", NOON),
        ("0001-01-01T00:00:00+14:00", datetime.fromisoformat("0001-01-01T00:00:00+14:00")),
        (None, None),
        *(
            (text, None)
            for text in ("", "soon", "2026", "2026-13-01T00:00:00Z", "\ud800", "9" * 99)
        ),
        *((text, None) for text in ("10000-01-01T00:00:00Z", "2026-01-01T25:00:00", "1767268800")),
    ],
)
def test_times(text: str | None, expected: datetime | None) -> None:
    info = StreamRecordingInfo.from_json({"stream_id": "s", "started_at": text, "ended_at": text})
    data = {"job_id": "j", "created_at": text, "started_at": text, "completed_at": text}
    job, detail = SimulationJobInfo.from_json(data), SimulationJobDetail.from_json(data)
    times = (info.started, info.ended, job.created, job.completed)
    for time in (*times, detail.created, detail.started, detail.completed):
        assert time == expected
        assert time is None or time.tzinfo is not None
    assert info.started_at == text


def test_a_time_keeps_its_zone() -> None:
    started = SimulationJobDetail.from_json(DETAIL).started
    assert started is not None
    assert started.utcoffset() == timedelta(hours=2)


@pytest.mark.parametrize("cls", [Recording, StreamRecordingInfo, StreamerCapabilities])
def test_one_that_was_read_equals_one_made_by_hand(cls: type[Model]) -> None:
    make: Callable[..., Model] = cls
    assert cls.from_json(MODELS[cls]) == make(**MODELS[cls])
