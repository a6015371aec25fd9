"""PyTorch data sets, with workers of both kinds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from odyssey import Odyssey, OdysseyAuthError, OdysseyNotFoundError, VideoFrame
from odyssey.emulator import Emulator, read_frame_number
from tests.support.helpers import wait_until

torch = pytest.importorskip("torch")

from torch.utils.data import DataLoader  # noqa: E402

from odyssey.integrations.torch import LiveFrames, RecordingFrames, to_tensor  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timing,
    pytest.mark.timeout(240),  # each spawned worker imports torch
]

WORKERS = [(0, None), (2, "fork"), (2, "spawn")]


def facts(frame: VideoFrame) -> dict[str, Any]:
    """A sample that says which frame it is."""
    number = read_frame_number(frame.data)
    return {
        "picture": to_tensor(frame),
        "index": frame.index,
        "number": -1 if number is None else number,
    }


def released(emulator: Emulator) -> bool:
    """Whether every session was closed with a word."""
    return all(c.client_disconnecting and c.state == "closed" for c in emulator.connections)


def loader(dataset: Any, workers: int, context: str | None, **more: Any) -> Any:
    return DataLoader(
        dataset,
        num_workers=workers,
        multiprocessing_context=context,
        timeout=60 if workers else 0,
        **more,
    )


def test_a_tensor_is_a_view_of_the_frame() -> None:
    data = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)
    frame = VideoFrame(data, 4, 2, 0, 0, 0.0)
    tensor = to_tensor(frame)
    assert (tensor.dtype, tuple(tensor.shape)) == (torch.uint8, (3, 2, 4))
    assert tensor.data_ptr() == frame.data.ctypes.data
    assert np.array_equal(tensor.permute(1, 2, 0).numpy(), data)


@pytest.mark.parametrize(("workers", "context"), WORKERS)
def test_recordings_are_shared_out(
    stream_ids: list[str], workers: int, context: str | None
) -> None:
    dataset = RecordingFrames(stream_ids, step=4, sample=facts)
    samples = list(loader(dataset, workers, context, batch_size=None))
    assert all(s["picture"].shape == (3, 1280, 704) for s in samples)
    assert all(s["index"] == s["number"] for s in samples)
    assert sorted(s["index"] for s in samples) == sorted([0, 4, 8] * 3)


def test_batches(stream_ids: list[str]) -> None:
    (batch,) = loader(RecordingFrames(stream_ids, stop=2), 0, None, batch_size=6)
    assert (batch.dtype, tuple(batch.shape)) == (torch.uint8, (6, 3, 1280, 704))


@pytest.mark.parametrize(("workers", "context"), WORKERS)
def test_live_frames(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, workers: int, context: str | None
) -> None:
    monkeypatch.setenv("ODYSSEY_API_KEY", emulator.api_key)
    monkeypatch.setenv("ODYSSEY_API_URL", emulator.url)
    dataset = LiveFrames(["A fox", "A boat"], frames=3)
    samples = list(loader(dataset, workers, context, batch_size=None))
    assert [tuple(s.shape) for s in samples] == [(3, 1280, 704)] * 6
    wait_until(lambda: released(emulator), 20, "the sessions were not released")
    assert len(emulator.connections) == max(workers, 1)


@pytest.mark.parametrize(("workers", "context"), WORKERS[:2])
def test_a_loop_that_is_left_ends_its_stream(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, workers: int, context: str | None
) -> None:
    monkeypatch.setenv("ODYSSEY_API_KEY", emulator.api_key)
    monkeypatch.setenv("ODYSSEY_API_URL", emulator.url)
    samples = iter(loader(LiveFrames("A fox"), workers, context, batch_size=None))
    assert next(samples).dtype == torch.uint8
    assert not released(emulator)
    del samples
    wait_until(lambda: released(emulator), 20, "the session was not released")


@pytest.mark.parametrize(("workers", "context"), WORKERS[:2])
def test_an_error_keeps_its_class(stream_ids: list[str], workers: int, context: str | None) -> None:
    with pytest.raises(OdysseyNotFoundError, match="no-such-recording"):
        list(loader(RecordingFrames(["no-such-recording"]), workers, context, batch_size=None))
    wrong = RecordingFrames(stream_ids, api_key="ody_0123456789abcdef")
    with pytest.raises(OdysseyAuthError):
        list(loader(wrong, workers, context, batch_size=None))


def test_the_key_does_not_show(stream_ids: list[str], emulator: Emulator) -> None:
    dataset = RecordingFrames(stream_ids, api_key=emulator.api_key, api_url=emulator.url)
    assert emulator.api_key not in repr(dataset) + repr(vars(dataset))


def test_wrong_arguments(emulator: Emulator) -> None:
    with pytest.raises(TypeError, match="not a str"):
        RecordingFrames("id")
    with pytest.raises(ValueError, match="start"):
        RecordingFrames(["id"], start=-1)
    with pytest.raises(ValueError, match="frames"):
        LiveFrames("A cat", frames=0)
    with pytest.raises(ValueError, match="white space"):
        LiveFrames("A cat", api_key="a b")


def test_entries_of_lists_name_recordings(stream_ids: list[str]) -> None:
    with Odyssey() as client:
        recording = client.recordings.get(stream_ids[0])
    assert len(list(RecordingFrames([recording], stop=2))) == 2
