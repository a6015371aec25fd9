"""The names under which the service's own client has recordings and simulations."""

from __future__ import annotations

from collections.abc import Sequence

from odyssey._scripts import Script
from odyssey.models import (
    Recording,
    SimulationJobDetail,
    SimulationJobInfo,
    SimulationJobsList,
    SimulationJobStatus,
    StreamRecordingsList,
)
from odyssey.recordings import Recordings
from odyssey.simulations import Simulations


class FlatNames:
    """Scripts that were written for that client find their calls here."""

    _recordings: Recordings
    _simulations: Simulations

    def get_recording(self, stream_id: str) -> Recording:
        """As `recordings.get`."""
        return self._recordings.get(stream_id)

    def list_stream_recordings(
        self, limit: int | None = None, offset: int | None = None
    ) -> StreamRecordingsList:
        """As `recordings.list`."""
        return self._recordings.list(limit, offset)

    def simulate(
        self,
        *,
        script: Script | None = None,
        scripts: Sequence[Script] | None = None,
        script_url: str | None = None,
        portrait: bool = True,
        bypass_prompt_expansion: bool | None = None,
    ) -> SimulationJobDetail:
        """As `simulations.submit`."""
        return self._simulations.submit(
            script=script,
            scripts=scripts,
            script_url=script_url,
            portrait=portrait,
            bypass_prompt_expansion=bypass_prompt_expansion,
        )

    def get_simulate_status(self, job_id: str) -> SimulationJobDetail:
        """As `simulations.get`."""
        return self._simulations.get(job_id)

    def list_simulations(
        self,
        *,
        status: SimulationJobStatus | str | None = None,
        active: bool | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> SimulationJobsList:
        """As `simulations.list`."""
        return self._simulations.list(status=status, active=active, limit=limit, offset=offset)

    def cancel_simulation(self, job_id: str) -> SimulationJobInfo:
        """As `simulations.cancel`."""
        return self._simulations.cancel(job_id)
