"""Blocking Python SDK for Odyssey: live generated video, steered by prompts, as numpy arrays.

```python
from odyssey import Odyssey

with Odyssey() as client:
    client.connect()
    with client.stream("A cat on a windowsill") as stream:
        clip = stream.frames.stack(48)                  # (48, 1280, 704, 3) uint8
        stream.interact("The cat stretches and yawns")
```

Importing this loads next to nothing: a module comes when one of its names is first used, and
aiortc and av with the first `connect`.
"""

from typing import TYPE_CHECKING

from odyssey._runtime.lazy import attributes_of
from odyssey._version import __version__
from odyssey.errors import (
    AccountSuspendedError,
    ConcurrentLimitReachedError,
    MonthlyLimitReachedError,
    OdysseyAPIError,
    OdysseyAuthError,
    OdysseyConnectionError,
    OdysseyError,
    OdysseyNotFoundError,
    OdysseyRequestError,
    OdysseyServerError,
    OdysseyStreamError,
    OdysseyTimeoutError,
    OdysseyUsageError,
    RateLimitError,
    SimulationFailedError,
    StreamDurationExceededError,
    raise_for_usage_error,
)

if TYPE_CHECKING:
    from odyssey._live.callbacks import (
        BroadcastReadyCallback,
        ConnectedCallback,
        DisconnectedCallback,
        ErrorCallback,
        InteractAcknowledgedCallback,
        OdysseyEventHandlers,
        StatusChangeCallback,
        StreamEndedCallback,
        StreamErrorCallback,
        StreamStartedCallback,
        VideoFrameCallback,
    )
    from odyssey._live.spectator import SpectatorConnection, connect_to_stream
    from odyssey._live.stream import Stream
    from odyssey.client import Odyssey
    from odyssey.config import AdvancedConfig, ClientConfig
    from odyssey.frames.frame import VideoFrame
    from odyssey.frames.queue import FrameQueue
    from odyssey.frames.stats import ClientStats, QueueStats
    from odyssey.models import (
        BroadcastInfo,
        ClientCredentials,
        ConnectionStatus,
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
    from odyssey.recordings.events import RecordingEvent
else:
    __getattr__ = attributes_of(
        __name__,
        {
            "_live.callbacks": (
                "BroadcastReadyCallback",
                "ConnectedCallback",
                "DisconnectedCallback",
                "ErrorCallback",
                "InteractAcknowledgedCallback",
                "OdysseyEventHandlers",
                "StatusChangeCallback",
                "StreamEndedCallback",
                "StreamErrorCallback",
                "StreamStartedCallback",
                "VideoFrameCallback",
            ),
            "client": ("Odyssey",),
            "recordings.events": ("RecordingEvent",),
            "config": ("AdvancedConfig", "ClientConfig"),
            "frames.queue": ("FrameQueue",),
            "frames.frame": ("VideoFrame",),
            "models": (
                "BroadcastInfo",
                "ClientCredentials",
                "ConnectionStatus",
                "Recording",
                "SimulationJobDetail",
                "SimulationJobInfo",
                "SimulationJobsList",
                "SimulationJobStatus",
                "SimulationStream",
                "StreamerCapabilities",
                "StreamRecordingInfo",
                "StreamRecordingsList",
            ),
            "_live.spectator": (
                "SpectatorConnection",
                "connect_to_stream",
            ),
            "frames.stats": ("ClientStats", "QueueStats"),
            "_live.stream": ("Stream",),
        },
    )

__all__ = [
    "AccountSuspendedError",
    "AdvancedConfig",
    "BroadcastInfo",
    "BroadcastReadyCallback",
    "ClientConfig",
    "ClientCredentials",
    "ClientStats",
    "ConcurrentLimitReachedError",
    "ConnectedCallback",
    "ConnectionStatus",
    "DisconnectedCallback",
    "ErrorCallback",
    "FrameQueue",
    "InteractAcknowledgedCallback",
    "MonthlyLimitReachedError",
    "Odyssey",
    "OdysseyAPIError",
    "OdysseyAuthError",
    "OdysseyConnectionError",
    "OdysseyError",
    "OdysseyEventHandlers",
    "OdysseyNotFoundError",
    "OdysseyRequestError",
    "OdysseyServerError",
    "OdysseyStreamError",
    "OdysseyTimeoutError",
    "OdysseyUsageError",
    "QueueStats",
    "RateLimitError",
    "Recording",
    "RecordingEvent",
    "SimulationFailedError",
    "SimulationJobDetail",
    "SimulationJobInfo",
    "SimulationJobStatus",
    "SimulationJobsList",
    "SimulationStream",
    "SpectatorConnection",
    "StatusChangeCallback",
    "Stream",
    "StreamDurationExceededError",
    "StreamEndedCallback",
    "StreamErrorCallback",
    "StreamRecordingInfo",
    "StreamRecordingsList",
    "StreamStartedCallback",
    "StreamerCapabilities",
    "VideoFrame",
    "VideoFrameCallback",
    "__version__",
    "connect_to_stream",
    "raise_for_usage_error",
]


def __dir__() -> list[str]:
    """Also the names that load on first use."""
    return sorted({*globals(), *__all__})
