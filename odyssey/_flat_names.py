"""A client's recordings and simulations, also under the names that the service's own client has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from odyssey.recordings import Recordings

if TYPE_CHECKING:
    from odyssey._http import HttpClient
    from odyssey._live import Live
    from odyssey._scripts import Script
    from odyssey.config import Settings
    from odyssey.models import (
        Recording,
        SimulationJobDetail,
        SimulationJobInfo,
        SimulationJobsList,
        SimulationJobStatus,
        StreamRecordingsList,
    )
    from odyssey.simulations import Simulations


class FlatNames:
    """Scripts that were written for that client find their calls here."""

    _settings: Settings
    _http: HttpClient
    _live: Live

    @property
    def recordings(self) -> Recordings:
        """Recordings of the account; needs no connection."""
        return Recordings(self._http, self._settings.timeout, self._live.check_open)

    @property
    def simulations(self) -> Simulations:
        """Simulations of the account; needs no connection."""
        from odyssey.simulations import Simulations

        return Simulations(self._http, self._settings.timeout, self._live.check_open)

    def get_recording(self, stream_id: str) -> Recording:
        """As `recordings.get`."""
        return self.recordings.get(stream_id)

    def list_stream_recordings(
        self, limit: int | None = None, offset: int | None = None
    ) -> StreamRecordingsList:
        """As `recordings.list`."""
        return self.recordings.list(limit, offset)

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
        return self.simulations.submit(
            script=script,
            scripts=scripts,
            script_url=script_url,
            portrait=portrait,
            bypass_prompt_expansion=bypass_prompt_expansion,
        )

    def get_simulate_status(self, job_id: str) -> SimulationJobDetail:
        """As `simulations.get`."""
        return self.simulations.get(job_id)

    def list_simulations(
        self,
        *,
        status: SimulationJobStatus | str | None = None,
        active: bool | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> SimulationJobsList:
        """As `simulations.list`."""
        return self.simulations.list(status=status, active=active, limit=limit, offset=offset)

    def cancel_simulation(self, job_id: str) -> SimulationJobInfo:
        """As `simulations.cancel`."""
        return self.simulations.cancel(job_id)
