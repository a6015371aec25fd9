"""The REST side."""

from __future__ import annotations

import logging
from collections import deque
from typing import Any

import attrs
from aiohttp import web

from odyssey.emulator.live.archive import Archive
from odyssey.emulator.live.sessions import Sessions
from odyssey.emulator.payloads import object_of
from odyssey.emulator.recordings.presigned import UrlSigner
from odyssey.emulator.recordings.store import StoredRecording
from odyssey.emulator.refusals import next_month, refused, usage_refusal
from odyssey.emulator.rest.dialect import answered
from odyssey.emulator.settings import Settings
from odyssey.emulator.tokens import BearerTokens, SessionTokens

__all__ = ["Api", "number_of", "origin"]

logger = logging.getLogger(__name__)

# In bytes.
_MOST_BODY = 16 * 1024
_MOST_TELEMETRY = 512 * 1024

_ARTIFACTS = {
    "video_url": "video.mp4",
    "events_url": "events.jsonl",
    "thumbnail_url": "thumbnail.jpg",
    "preview_url": "preview.mp4",
}


@attrs.frozen(eq=False, kw_only=True)
class Api:
    """The handlers. Each raises RefusedError for what is not a success."""

    _settings: Settings
    _sessions: Sessions
    _archive: Archive
    _bearers: BearerTokens
    _session_tokens: SessionTokens
    _signer: UrlSigner
    _telemetry: deque[dict[str, Any]]

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.post("/auth/token", self.issue_token),
            web.get("/regions", self.list_regions),
            web.get("/ping", self.ping),
            web.post("/sessions/request", self.request_session),
            web.post("/sessions/token", self.issue_session_token),
            web.get("/recordings/{stream_id}", self.get_recording),
            web.get("/stream-recordings", self.list_recordings),
            web.post("/telemetry", self.take_telemetry),
        ]

    async def issue_token(self, request: web.Request) -> web.Response:
        key = (await object_of(request, _MOST_BODY)).get("api_key")
        keys = self._settings.keys
        if not isinstance(key, str) or not keys.is_well_formed(key):
            raise refused(422, "api_key: malformed")
        account = keys.account(key)
        if account is None:
            raise refused(401, "unknown API key")
        if reason := keys.refusal(key):
            raise refused(403, reason)
        seconds = self._settings.limits.bearer_token_seconds
        token = self._bearers.issue(account, seconds)
        return answered(
            self._settings.faults, {"access_token": token, "expires_in": max(1, int(seconds))}
        )

    async def list_regions(self, request: web.Request) -> web.Response:
        self.account(request)
        return answered(
            self._settings.faults,
            {"regions": [{"id": "local", "ping_url": f"{origin(request)}/ping"}]},
        )

    async def ping(self, _request: web.Request) -> web.Response:
        return web.Response(text="pong")

    async def request_session(self, request: web.Request) -> web.Response:
        account = self.account(request)
        await object_of(request, _MOST_BODY)
        await self._check_month(account)
        session = self._sessions.request(account)
        host = origin(request).partition("://")[2]
        return answered(
            self._settings.faults,
            {
                "session_id": session.id,
                "signalling_url": f"ws://{host}/streamers/{session.streamer_id}",
                "capabilities": {"image_to_video": self._settings.image_to_video},
                "streamer_id": session.streamer_id,
                "model": "emulator",
                "region": "local",
            },
        )

    async def issue_session_token(self, request: web.Request) -> web.Response:
        account = self.account(request)
        session = self._sessions.get(str((await object_of(request, _MOST_BODY)).get("session_id")))
        if session is None or session.account != account:
            raise refused(404, "no such session")
        self._sessions.renew(session)
        seconds = self._settings.limits.session_token_seconds
        token = self._session_tokens.issue(session.id, seconds)
        return answered(
            self._settings.faults, {"session_token": token, "expires_in": max(1, int(seconds))}
        )

    async def get_recording(self, request: web.Request) -> web.Response:
        account = self.account(request)
        recording = await self._archive.get(account, request.match_info["stream_id"])
        if recording is None:
            raise refused(404, "the recording is unknown or not ready")
        return answered(self._settings.faults, self.recording_fields(request, recording))

    async def list_recordings(self, request: web.Request) -> web.Response:
        account = self.account(request)
        limit = number_of(request, "limit", 50, least=1, most=100)
        offset = number_of(request, "offset", 0, least=0, most=2**53)
        page, total = await self._archive.page(account, limit, offset)
        rows = [
            {
                "stream_id": row.stream_id,
                "width": row.width,
                "height": row.height,
                "started_at": row.started_at,
                "ended_at": row.ended_at,
                "duration_seconds": row.duration_seconds,
            }
            for row in page
        ]
        return answered(
            self._settings.faults,
            {"recordings": rows, "total": total, "limit": limit, "offset": offset},
        )

    async def take_telemetry(self, request: web.Request) -> web.Response:
        self.account(request)
        events = (await object_of(request, _MOST_TELEMETRY)).get("events")
        if isinstance(events, list):
            self._telemetry.extend(event for event in events if isinstance(event, dict))
        return answered(self._settings.faults, {})

    def account(self, request: web.Request) -> str:
        """Returns the account whose token the request has.

        Raises:
            RefusedError: It has no valid one (401).
        """
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        account = self._bearers.account(token.strip()) if scheme.lower() == "bearer" else None
        if account is None:
            raise refused(401, "the access token is missing, unknown or has expired")
        return account

    async def _check_month(self, account: str) -> None:
        limit = self._settings.limits.monthly_hours
        if limit is None:
            return
        used = await self._archive.hours_this_month(account)
        if used >= limit:
            details = {"used_hours": used, "limit_hours": limit, "reset_date": next_month()}
            raise usage_refusal("MONTHLY_LIMIT_REACHED", details)

    def recording_fields(self, request: web.Request, recording: StoredRecording) -> dict[str, Any]:
        """Returns the recording as the API shows it, with URLs signed now."""
        return {
            "stream_id": recording.stream_id,
            **self._urls(request, recording),
            "frame_count": recording.frame_count,
            "duration_seconds": recording.duration_seconds,
        }

    def _urls(self, request: web.Request, recording: StoredRecording) -> dict[str, str | None]:
        folder = self._archive.folder_of(recording.stream_id)
        base, seconds = origin(request), self._settings.url_lifetime
        return {
            field: base + self._signer.sign(f"/files/{recording.stream_id}/{name}", seconds)
            if (folder / name).is_file()
            else None
            for field, name in _ARTIFACTS.items()
        }


def origin(request: web.Request) -> str:
    """Scheme, host and port as the client sees them, whatever address the emulator listens on."""
    return f"http://{request.host}"


def number_of(request: web.Request, name: str, default: int, *, least: int, most: int) -> int:
    """Reads a whole number from the query.

    Raises:
        RefusedError: It is none, or beyond the limits (422).
    """
    text = request.query.get(name)
    if text is None:
        return default
    try:
        value = int(text)
    except ValueError:
        raise refused(422, f"{name}: not a whole number") from None
    if not least <= value <= most:
        raise refused(422, f"{name}: expected {least} to {most}, got {value}")
    return value
