"""Live frames and recordings as PyTorch data sets; needs the extra `torch`.

```python
from torch.utils.data import DataLoader

from odyssey.integrations.torch import RecordingFrames

frames = RecordingFrames(stream_ids, step=12)
for batch in DataLoader(frames, batch_size=16, num_workers=2):
    print(batch.shape)      # (16, 3, 1280, 704), uint8
```
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from odyssey._checks import check_count, check_text
from odyssey._logging import without_locals
from odyssey.frames.frame import VideoFrame
from odyssey.integrations._workers import ClientOptions, stream_ids
from odyssey.models import Recording, StreamRecordingInfo

try:
    import torch
    from torch.utils.data import IterableDataset, get_worker_info
except ImportError as exc:
    raise ImportError(
        'odyssey.integrations.torch needs PyTorch: pip install "odyssey-sync[torch]"'
    ) from exc

__all__ = ["LiveFrames", "RecordingFrames", "to_tensor"]


def to_tensor(frame: VideoFrame) -> torch.Tensor:
    """A frame's picture as uint8, (3, height, width), RGB. A view of `frame.data`: nothing is
    copied, and so it is not contiguous; its memory is that of `channels_last`.

    Example:
        ```python
        tensor = to_tensor(client.frames.get())
        tensor.shape        # torch.Size([3, 1280, 704])
        ```
    """
    return torch.from_numpy(frame.data).permute(2, 0, 1)


class RecordingFrames(IterableDataset[Any]):
    """The frames of recordings, in order, one recording after another.

    In a `DataLoader` with workers one of them reads each recording. Each worker makes a client of
    its own, so both `fork` and `spawn` are safe. Nothing is downloaded before it is needed. Wrong
    options are refused at once; errors of the service come with the iteration.

    Args:
        recordings: Recordings, entries of a list of them, or stream ids.
        start, stop, step: Which frames of each, as `client.recordings.frames`.
        sample: Turns each `VideoFrame` into a sample; by default into a uint8 tensor of shape
            (3, height, width).
        api_key, api_url, timeout: Of the workers' clients; the environment's by default.

    Raises:
        ValueError, TypeError: An argument is wrong.
        OdysseyNotFoundError, OdysseyAuthError, OdysseyConnectionError: As
            `client.recordings.frames`. A worker's error reaches the loop over the `DataLoader` with
            its class.

    Example:
        ```python
        dataset = RecordingFrames([stream_id], stop=24)
        next(iter(dataset)).shape       # torch.Size([3, 1280, 704])
        ```
    """

    @without_locals
    def __init__(
        self,
        recordings: Iterable[Recording | StreamRecordingInfo | str],
        start: int = 0,
        stop: int | None = None,
        step: int = 1,
        *,
        sample: Callable[[VideoFrame], Any] = to_tensor,
        api_key: str | None = None,
        api_url: str | None = None,
        timeout: float | None = 30.0,
    ) -> None:
        self._stream_ids = stream_ids(recordings)
        self._start = check_count(start, "start", 0)
        self._stop = None if stop is None else check_count(stop, "stop", 0)
        self._step = check_count(step, "step", 1)
        self._sample = sample
        self._options = ClientOptions(api_key, api_url, timeout)
        self._options.check()

    def __iter__(self) -> Iterator[Any]:
        with self._options.client() as client:
            for stream_id in _shard(self._stream_ids):
                frames = client.recordings.frames(stream_id, self._start, self._stop, self._step)
                yield from map(self._sample, frames)


class LiveFrames(IterableDataset[Any]):
    """Frames of live streams, one stream for each prompt.

    In a `DataLoader` the workers share the prompts out: each has a connection of its own, and
    streams run side by side, within the account's limit. Connections begin and end with the
    iteration, also when it is left early.

    Args:
        prompts: One prompt, or several.
        frames: How many frames of each stream.
        portrait: As `client.stream`.
        sample, api_key, api_url, timeout: As `RecordingFrames`.

    Raises:
        ValueError, TypeError: An argument is wrong.
        OdysseyError: As `client.connect`, `client.stream` and `client.frames.get`: a stream that
            ends before it has given all its frames is an error.

    Example:
        ```python
        dataset = LiveFrames(["A cat", "A dog"], frames=48)
        for tensor in dataset:
            tensor.shape                # torch.Size([3, 1280, 704])
        ```
    """

    @without_locals
    def __init__(
        self,
        prompts: str | Sequence[str],
        frames: int = 240,
        portrait: bool = True,
        *,
        sample: Callable[[VideoFrame], Any] = to_tensor,
        api_key: str | None = None,
        api_url: str | None = None,
        timeout: float | None = 30.0,
    ) -> None:
        several = [prompts] if isinstance(prompts, str) else list(prompts)
        self._prompts = [check_text(prompt, "prompts") for prompt in several]
        self._frames = check_count(frames, "frames", 1)
        self._portrait = portrait
        self._sample = sample
        self._options = ClientOptions(api_key, api_url, timeout)
        self._options.check()

    def __iter__(self) -> Iterator[Any]:
        prompts = _shard(self._prompts)
        if not prompts:
            return
        with self._options.client() as client:
            client.connect()
            for prompt in prompts:
                with client.stream(prompt, self._portrait) as stream:
                    for _ in range(self._frames):
                        yield self._sample(stream.frames.get())


def _shard(items: Sequence[str]) -> Sequence[str]:
    """Returns this worker's share of the items; all of them without workers."""
    worker = get_worker_info()
    return items if worker is None else items[worker.id :: worker.num_workers]
