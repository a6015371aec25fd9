"""The parts put together behind one HTTP port. Everything here runs on the emulator's loop."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any

from aiohttp import WSCloseCode, web

from odyssey.emulator.broadcast.broadcasts import Broadcaster, Broadcasts
from odyssey.emulator.faults import SocketRefused
from odyssey.emulator.live.archive import Archive
from odyssey.emulator.live.client_connection import ClientConnection, ConnectionSnapshot
from odyssey.emulator.live.sessions import Sessions
from odyssey.emulator.recordings.presigned import FileServer, UrlSigner
from odyssey.emulator.recordings.store import Store
from odyssey.emulator.refusals import refused
from odyssey.emulator.rest.api import Api, origin
from odyssey.emulator.rest.faults import FaultApi
from odyssey.emulator.rest.ice_servers import IceServerList
from odyssey.emulator.rest.middleware import guard
from odyssey.emulator.rest.simulations import SimulationApi
from odyssey.emulator.settings import Settings
from odyssey.emulator.simulations.jobs import Simulations
from odyssey.emulator.tokens import BearerTokens, SessionTokens

__all__ = ["Service"]

logger = logging.getLogger(__name__)

_MOST_CONNECTIONS_KEPT = 200
_MOST_TELEMETRY_KEPT = 1000
_STREAMS_SECONDS = 1.2
_RECORDINGS_SECONDS = 1.0


class Service:
    """The running emulator, a `RunningEmulator` for the faults that strike at once."""

    def __init__(self, settings: Settings, store: Store) -> None:
        secret = store.secret()
        self.telemetry: deque[dict[str, Any]] = deque(maxlen=_MOST_TELEMETRY_KEPT)
        self._settings = settings
        self._archive = Archive(store, settings.faults)
        self._sessions = Sessions(settings)
        self._simulations = Simulations(settings, self._archive)
        self._broadcasts = Broadcasts(settings)
        self._bearers = BearerTokens(settings.faults)
        self._session_tokens = SessionTokens(secret)
        self._signer = UrlSigner(secret)
        self._ice_servers = IceServerList(settings.faults)
        self._connections: list[ClientConnection | ConnectionSnapshot] = []
        self._tasks: set[asyncio.Future[Any]] = set()
        self._runner = web.AppRunner(
            self._application(), access_log=None, handle_signals=False, shutdown_timeout=0.2
        )

    async def start(self, host: str, port: int) -> int:
        """Listens; returns the port.

        Raises:
            OSError: The port is taken.
        """
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self._simulations.start()
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Ends all connections and writes their recordings, in bounded time."""
        self._own(asyncio.ensure_future(self._simulations.close()))
        live = self._live()
        for connection in live:
            self._own(asyncio.ensure_future(connection.close(WSCloseCode.GOING_AWAY)))
            self._own(asyncio.ensure_future(connection.ended.wait()))
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_STREAMS_SECONDS)
            for task in late:
                task.cancel()
        await self._broadcasts.close()
        await self._runner.cleanup()
        self._ice_servers.close()
        await self._archive.close(_RECORDINGS_SECONDS)

    def snapshots(self) -> list[ConnectionSnapshot]:
        return [c.snapshot() if isinstance(c, ClientConnection) else c for c in self._connections]

    # What strikes at once

    def revoke_tokens(self) -> None:
        self._bearers.revoke_all()

    def cut_sockets(self, code: int | None, keep_media: bool) -> None:
        for connection in self._live():
            if task := connection.cut(code, keep_media=keep_media):
                self._own(task)

    def kill_peers(self) -> None:
        for connection in self._live():
            connection.kill_peer()

    def fail_streams(self, reason: str, message: str) -> None:
        for connection in self._live():
            connection.fail_stream(reason, message)

    def send_junk(self) -> None:
        for connection in self._live():
            self._own(asyncio.ensure_future(connection.send_junk()))

    # Handlers

    async def _signal(self, request: web.Request) -> web.StreamResponse:
        if fault := self._settings.faults.take(SocketRefused):
            raise refused(fault.status, "injected")
        session_id = request.match_info["session_id"]
        if self._session_tokens.session_id(request.query.get("token", "")) != session_id:
            raise refused(401, "the session token is missing, wrong or has expired")
        session = self._sessions.get(session_id)
        if session is None or session.streamer_id != request.match_info["streamer_id"]:
            raise refused(404, "no such session")
        if session.attached:
            raise refused(409, "the session is connected already")
        broadcaster = Broadcaster(self._broadcasts, self._settings.faults, origin(request))
        connection = ClientConnection(
            session, self._settings, self._sessions, self._archive, broadcaster
        )
        self._connections.append(connection)
        try:
            return await connection.run(request)
        finally:
            self._remember(connection)

    async def _ice_config(self, _request: web.Request) -> web.Response:
        return web.json_response({"iceServers": self._ice_servers.listed()})

    def _application(self) -> web.Application:
        settings = self._settings
        api = Api(
            settings=settings,
            sessions=self._sessions,
            archive=self._archive,
            bearers=self._bearers,
            session_tokens=self._session_tokens,
            signer=self._signer,
            telemetry=self.telemetry,
        )
        files = FileServer(self._archive.files, self._signer, settings.faults)
        application = web.Application(middlewares=[guard(settings.faults)])
        application.on_response_prepare.append(_allow_browsers)
        application.add_routes(api.routes())
        application.add_routes(self._broadcasts.routes())
        simulations = SimulationApi(settings=settings, simulations=self._simulations, api=api)
        application.add_routes(simulations.routes())
        application.add_routes(FaultApi(settings.keys, settings.faults).routes())
        application.add_routes(
            [
                web.get("/files/{stream_id}/{name}", files.get),
                web.get("/config", self._ice_config),
                web.get("/streamers/{streamer_id}/config", self._ice_config),
                web.get("/streamers/{streamer_id}/client/{session_id}", self._signal),
            ]
        )
        return application

    def _live(self) -> list[ClientConnection]:
        return [c for c in self._connections if isinstance(c, ClientConnection)]

    def _remember(self, ended: ClientConnection) -> None:
        """Keeps what is to be known of a connection that has ended, and frees the rest."""
        self._connections[self._connections.index(ended)] = ended.snapshot()
        past = [c for c in self._connections if isinstance(c, ConnectionSnapshot)]
        for old in past[:-_MOST_CONNECTIONS_KEPT]:
            self._connections.remove(old)

    def _own(self, task: asyncio.Future[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._disown)

    def _disown(self, task: asyncio.Future[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.debug("a socket was lost under way: %r", task.exception())


async def _allow_browsers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(
        {
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Methods": "GET, HEAD, POST, DELETE, OPTIONS",
            "Access-Control-Allow-Headers": "Authorization, Content-Type, Range, If-Range",
            "Access-Control-Expose-Headers": (
                "Accept-Ranges, Content-Length, Content-Range, ETag, Location, Retry-After"
            ),
            "Access-Control-Max-Age": "600",
        }
    )
