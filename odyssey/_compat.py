"""The asyncio client's flat names for recordings and simulations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from odyssey.models import (
    Recording,
    SimulationJobDetail,
    SimulationJobInfo,
    SimulationJobsList,
    SimulationJobStatus,
    StreamRecordingsList,
)
from odyssey.recordings.api import Recordings
from odyssey.simulations.api import Simulations
from odyssey.simulations.script import Script


class _HasApis(Protocol):
    """The APIs that the flat names delegate to."""

    @property
    def recordings(self) -> Recordings: ...
    @property
    def simulations(self) -> Simulations: ...


class FlatNames:
    """A mixin of `Odyssey`, so that scripts written for the asyncio client find their calls."""

    def get_recording(self: _HasApis, stream_id: str) -> Recording:
        """As `recordings.get`."""
        return self.recordings.get(stream_id)

    def list_stream_recordings(
        self: _HasApis, limit: int | None = None, offset: int | None = None
    ) -> StreamRecordingsList:
        """As `recordings.list`."""
        return self.recordings.list(limit, offset)

    def simulate(
        self: _HasApis,
        *,
        script: Script | None = None,
        scripts: Sequence[Script] | None = None,
        script_url: str | None = None,
        portrait: bool = True,
        bypass_prompt_expansion: bool | None = None,
    ) -> SimulationJobDetail:
        """As `simulations.submit`."""
        return self.simulations.submit(
            script=script,
            scripts=scripts,
            script_url=script_url,
            portrait=portrait,
            bypass_prompt_expansion=bypass_prompt_expansion,
        )

    def get_simulate_status(self: _HasApis, job_id: str) -> SimulationJobDetail:
        """As `simulations.get`."""
        return self.simulations.get(job_id)

    def list_simulations(
        self: _HasApis,
        *,
        status: SimulationJobStatus | str | None = None,
        active: bool | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> SimulationJobsList:
        """As `simulations.list`."""
        return self.simulations.list(status=status, active=active, limit=limit, offset=offset)

    def cancel_simulation(self: _HasApis, job_id: str) -> SimulationJobInfo:
        """As `simulations.cancel`."""
        return self.simulations.cancel(job_id)
