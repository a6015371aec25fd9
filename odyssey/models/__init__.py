"""Data of the service, as classes that read themselves from its JSON. Modules load on use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from odyssey._runtime.lazy import attributes_of

if TYPE_CHECKING:
    from odyssey.models.recordings import Recording, StreamRecordingInfo, StreamRecordingsList
    from odyssey.models.sessions import (
        BroadcastInfo,
        ClientCredentials,
        ConnectionStatus,
        StreamerCapabilities,
    )
    from odyssey.models.simulations import (
        SimulationJobDetail,
        SimulationJobInfo,
        SimulationJobsList,
        SimulationJobStatus,
        SimulationStream,
    )
else:
    __getattr__ = attributes_of(
        __name__,
        {
            "recordings": ("Recording", "StreamRecordingInfo", "StreamRecordingsList"),
            "sessions": (
                "BroadcastInfo",
                "ClientCredentials",
                "ConnectionStatus",
                "StreamerCapabilities",
            ),
            "simulations": (
                "SimulationJobDetail",
                "SimulationJobInfo",
                "SimulationJobsList",
                "SimulationJobStatus",
                "SimulationStream",
            ),
        },
    )

__all__ = [
    "BroadcastInfo",
    "ClientCredentials",
    "ConnectionStatus",
    "Recording",
    "SimulationJobDetail",
    "SimulationJobInfo",
    "SimulationJobStatus",
    "SimulationJobsList",
    "SimulationStream",
    "StreamRecordingInfo",
    "StreamRecordingsList",
    "StreamerCapabilities",
]


def __dir__() -> list[str]:
    """Also the names that load on first use."""
    return sorted({*globals(), *__all__})
