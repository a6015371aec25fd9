"""The emulator: a thread with an event loop that serves the whole service."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import attrs

from odyssey.emulator.faults import Faults
from odyssey.emulator.faults.switchboard import RunningEmulator
from odyssey.emulator.limits import Limits
from odyssey.emulator.live.client_connection import ConnectionSnapshot
from odyssey.emulator.recordings.folder import DataFolder
from odyssey.emulator.recordings.store import Store
from odyssey.emulator.service import Service
from odyssey.emulator.settings import Codec, Settings
from odyssey.emulator.tokens import Keys, new_api_key
from odyssey.emulator.workers import Workers

__all__ = ["Emulator"]

logger = logging.getLogger(__name__)

_CALL_SECONDS = 5.0
_CLOSE_SECONDS = 3.0

T = TypeVar("T")


class Emulator:
    """The service on this machine. Nothing runs before `start`.

    Args:
        data_dir: A folder that keeps recordings and simulations across restarts; by default a
            temporary one, which `close` removes. One emulator at a time can use a folder. What it
            keeps there is readable by its owner only.
        port: The port to listen on; 0 for a free one.
        host: The address to listen on. With another than a loopback address, other machines reach
            the emulator, unencrypted; it is made for development and tests.
        codec: The codec of the live video.
        api_key: The key to accept: `ody_` and at least 16 letters, digits, `_` or `-`. By default
            a random one.
        limits: The limits, which may be changed at run time.
        faults: The faults, which may be changed at run time.
        url_lifetime: Seconds for which the URLs of recordings are valid.
        rewrite_prompts: Whether prompts are rewritten before they are applied.
        trickle: Whether ICE candidates are sent in messages of their own, not in the offer.
        image_to_video: Whether streams may start from a picture.
        bypass_expansion: Whether the account has the privilege to have prompts applied as they
            are. Without it, a start that asks for that gets the reason `forbidden`, and a
            simulation gets 403.
        bitrate: The bitrate of the live video, in bit/s.

    Raises:
        ValueError: An argument is out of its range.
        TypeError: An argument has a wrong type.

    Example:
        ```python
        with Emulator() as emulator:
            print(emulator.url, emulator.api_key)
        ```
    """

    def __init__(
        self,
        data_dir: str | PathLike[str] | None = None,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        codec: Codec = "vp8",
        api_key: str | None = None,
        limits: Limits | None = None,
        faults: Faults | None = None,
        url_lifetime: float = 3600.0,
        rewrite_prompts: bool = False,
        trickle: bool = False,
        image_to_video: bool = True,
        bypass_expansion: bool = True,
        bitrate: int = 3_000_000,
    ) -> None:
        self._data_dir = None if data_dir is None else Path(data_dir)
        self._host = host
        self._wanted_port = port
        self._settings = Settings(
            limits=Limits() if limits is None else limits,
            faults=Faults() if faults is None else faults,
            keys=Keys(new_api_key() if api_key is None else api_key),
            codec=codec,
            bitrate=bitrate,
            url_lifetime=url_lifetime,
            rewrite_prompts=rewrite_prompts,
            trickle=trickle,
            image_to_video=image_to_video,
            bypass_expansion=bypass_expansion,
        )
        self._starting = threading.Lock()  # one start or close at a time
        self._thread: threading.Thread | None = None
        self._running: _Running | None = None
        self._process = 0  # the id of the process that started it
        self._port = 0
        self._last_snapshots: list[ConnectionSnapshot] = []
        self._last_telemetry: list[dict[str, Any]] = []

    def __enter__(self) -> Emulator:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Starts the emulator; returns when it serves. Does nothing if it runs already.

        Raises:
            OSError: The port is taken.
            RuntimeError: Another emulator uses `data_dir`, the index there is broken, or a link is
                where it would write.
        """
        with self._starting:
            if self._thread is not None:
                return
            ready: Future[None] = Future()
            thread = threading.Thread(
                target=self._run, args=(ready,), name="odyssey-emulator", daemon=True
            )
            thread.start()
            try:
                ready.result()
            except BaseException:
                # After an interrupt the thread may go on starting; it ends when it sees this.
                if not ready.cancel():
                    self._stop()
                thread.join()
                raise
            self._thread = thread
            self._process = os.getpid()
            atexit.register(self._close_at_exit)

    def close(self) -> None:
        """Stops the emulator: ends all streams, writes their recordings, frees everything.

        Returns within about three seconds. Does nothing if it isn't running. The emulator can be
        started again. At the end of the program it is closed automatically.
        """
        atexit.unregister(self._close_at_exit)
        with self._starting:
            thread, self._thread = self._thread, None
            if thread is None:
                return
            self._stop()
            thread.join(_CLOSE_SECONDS)
            if thread.is_alive():
                logger.error("the emulator did not end within %g s", _CLOSE_SECONDS)

    @property
    def url(self) -> str:
        """The base URL.

        Raises:
            RuntimeError: The emulator is not running.
        """
        if self._thread is None:
            raise RuntimeError("the emulator is not running: call start() or use `with`")
        # An emulator that listens on all addresses is reached on the loopback.
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self._host, self._host)  # noqa: S104
        return f"http://[{host}]:{self._port}" if ":" in host else f"http://{host}:{self._port}"

    @property
    def api_key(self) -> str:
        """The key of the account that owns the recordings in `data_dir`."""
        return self._settings.keys.primary

    @property
    def limits(self) -> Limits:
        """The limits; their fields can be set, and the whole replaced, at any time."""
        return self._settings.limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._settings.limits = limits

    @property
    def faults(self) -> Faults:
        """The faults that are on, and how to switch them."""
        return self._settings.faults

    @property
    def connections(self) -> list[ConnectionSnapshot]:
        """The connections of clients, oldest first, including ended ones."""
        if self._thread is None:
            return list(self._last_snapshots)
        return self._call(lambda service: service.snapshots())

    @property
    def telemetry(self) -> list[dict[str, Any]]:
        """The last thousand events that clients with `enable_telemetry` sent, oldest first."""
        if self._thread is None:
            return list(self._last_telemetry)
        return self._call(lambda service: list(service.telemetry))

    def add_key(self, api_key: str | None = None) -> str:
        """Accepts another key, a random one by default, with its own account; returns the key."""
        return self._settings.keys.add(api_key)

    def refuse_key(self, api_key: str, detail: str = "the key has no access") -> None:
        """Refuses a key with 403 and `detail` from now on."""
        self._settings.keys.refuse(api_key, detail)

    def _close_at_exit(self) -> None:
        if os.getpid() == self._process:  # a forked child has a copy, its parent the emulator
            self.close()

    def _stop(self) -> None:
        running = self._running
        if running is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed already
                running.loop.call_soon_threadsafe(running.stop.set)

    def _call(self, work: Callable[[Service], T]) -> T:
        """Runs `work` on the loop and returns its result."""
        running, result = self._running, Future[T]()
        if running is None:
            raise RuntimeError("the emulator is not running")

        def run() -> None:
            try:
                result.set_result(work(running.service))
            except BaseException as exc:
                result.set_exception(exc)

        if threading.current_thread() is self._thread:
            run()
        else:
            running.loop.call_soon_threadsafe(run)
        return result.result(_CALL_SECONDS)

    def _run(self, ready: Future[None]) -> None:
        """Runs the loop of the emulator's thread."""
        try:
            with DataFolder(self._data_dir) as folder:
                loop = asyncio.new_event_loop()
                files = Workers(4, "odyssey-files")
                loop.set_default_executor(files)
                try:
                    loop.run_until_complete(self._serve(folder, ready))
                    loop.run_until_complete(_end_tasks())
                finally:
                    self._running = None
                    files.shutdown()
                    loop.close()
        except BaseException as exc:
            if ready.done():
                logger.exception("the emulator failed")
            else:
                ready.set_exception(exc)

    async def _serve(self, folder: Path, ready: Future[None]) -> None:
        service = Service(self._settings, Store(folder))
        self._running = running = _Running(asyncio.get_running_loop(), service)
        try:
            self._port = await service.start(self._host, self._wanted_port)
            self.faults.bind(self._strike)
            try:
                if ready.set_running_or_notify_cancel():
                    ready.set_result(None)
                    await running.stop.wait()
            finally:
                self.faults.bind(None)
        finally:
            await service.close()
            self._last_snapshots = service.snapshots()
            self._last_telemetry = list(service.telemetry)

    def _strike(self, action: Callable[[RunningEmulator], None]) -> None:
        self._call(action)


@attrs.define(eq=False)
class _Running:
    loop: asyncio.AbstractEventLoop
    service: Service
    stop: asyncio.Event = attrs.field(factory=asyncio.Event)


async def _end_tasks() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=0.5)
