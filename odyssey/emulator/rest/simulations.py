"""The REST side of simulations."""

from __future__ import annotations

from typing import Any

import attrs
from aiohttp import web

from odyssey.emulator.faults import SimulationsForbidden
from odyssey.emulator.payloads import object_of
from odyssey.emulator.recordings.job_store import Page
from odyssey.emulator.recordings.rows import StoredJob
from odyssey.emulator.refusals import RefusedError, refused, usage_refusal
from odyssey.emulator.rest.api import Api, number_of
from odyssey.emulator.rest.dialect import answered
from odyssey.emulator.settings import Settings
from odyssey.emulator.simulations.jobs import Simulations
from odyssey.emulator.simulations.script import ScriptError, SimulationRequest

__all__ = ["SimulationApi"]

_STATUSES = ("pending", "dispatched", "processing", "completed", "failed", "cancelled")
_MOST_BODY = 64 * 1024 * 1024  # bytes: of scripts with pictures
_PRIORITY = "normal"
_REGION = "local"


@attrs.frozen(eq=False, kw_only=True)
class SimulationApi:
    """The handlers. Each raises RefusedError for what is not a success."""

    _settings: Settings
    _simulations: Simulations
    _api: Api

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.post("/simulation-jobs", self.submit),
            web.get("/simulation-jobs", self.list_jobs),
            web.get("/simulation-jobs/{job_id}", self.get),
            web.delete("/simulation-jobs/{job_id}", self.cancel),
        ]

    async def submit(self, request: web.Request) -> web.Response:
        account = self._api.account(request)
        if fault := self._settings.faults.take(SimulationsForbidden):
            raise refused(403, fault.detail)
        wanted = SimulationRequest.of_body(await object_of(request, _MOST_BODY))
        if wanted.bypass_expansion and not self._settings.bypass_expansion:
            raise refused(403, "the account may not bypass prompt expansion")
        try:
            await self._simulations.check(wanted)
        except ScriptError as exc:
            raise refused(400, str(exc)) from exc
        job = await self._simulations.submit(account, wanted)
        if job is None:
            raise self._too_many()
        minutes = await self._simulations.minutes_until(job.job_id)
        return answered(
            self._settings.faults,
            {
                "job_id": job.job_id,
                "status": job.status,
                "priority": _PRIORITY,
                "created_at": job.created_at,
                "estimated_wait_minutes": minutes,
            },
        )

    async def list_jobs(self, request: web.Request) -> web.Response:
        page = Page(
            account=self._api.account(request),
            status=_choice(request, "status", _STATUSES),
            active=_choice(request, "active", ("true", "false")) == "true",
            limit=number_of(request, "limit", 20, least=1, most=100),
            offset=number_of(request, "offset", 0, least=0, most=2**53),
        )
        jobs, total = await self._simulations.page(page)
        rows = [_row(job) for job in jobs]
        return answered(
            self._settings.faults,
            {"jobs": rows, "total": total, "limit": page.limit, "offset": page.offset},
        )

    async def get(self, request: web.Request) -> web.Response:
        job = await self._own_job(request)
        streams = [
            {**self._api.recording_fields(request, recording), "script_index": index}
            for index, recording in await self._simulations.streams(job.job_id)
        ]
        return answered(
            self._settings.faults,
            {
                **_row(job),
                "dispatched_at": job.dispatched_at,
                "started_at": job.started_at,
                "assigned_region": _REGION if job.dispatched_at else None,
                "retry_count": job.retry_count,
                "streams": streams,
            },
        )

    async def cancel(self, request: web.Request) -> web.Response:
        job = await self._own_job(request)
        if not await self._simulations.cancel(job.job_id):
            now = await self._simulations.get(job.job_id) or job
            raise refused(400, f"the job is {now.status}; only one that waits can be cancelled")
        return answered(self._settings.faults, {"job_id": job.job_id, "status": "cancelled"})

    async def _own_job(self, request: web.Request) -> StoredJob:
        account = self._api.account(request)
        job = await self._simulations.get(request.match_info["job_id"])
        if job is None:
            raise refused(404, "no such job")
        if job.account != account:
            raise refused(403, "the job belongs to another account")
        return job

    def _too_many(self) -> RefusedError:
        most = self._settings.limits.queued_simulations
        return usage_refusal(
            "CONCURRENT_LIMIT_REACHED",
            {"active_count": most, "limit": most},
            message="Too many simulations are queued",
            action="Wait until one begins, or cancel one",
        )


def _row(job: StoredJob) -> dict[str, Any]:
    return {
        "job_id": job.job_id,
        "status": job.status,
        "priority": _PRIORITY,
        "created_at": job.created_at,
        "completed_at": job.completed_at,
        "error_message": job.error_message,
    }


def _choice(request: web.Request, name: str, choices: tuple[str, ...]) -> str | None:
    value = request.query.get(name)
    if value is not None and value not in choices:
        raise refused(422, f"{name}: expected one of {', '.join(choices)}")
    return value
