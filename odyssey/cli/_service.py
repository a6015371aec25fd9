"""Which service a command talks to: the real one, with a key, or an emulator for that command."""

from __future__ import annotations

import contextlib
import errno
import functools
import ipaddress
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import attrs
import click

from odyssey.cli._output import Failed, copyable
from odyssey.errors import printable

if TYPE_CHECKING:
    from odyssey import Odyssey
    from odyssey.emulator import Emulator, Faults

Codec = Literal["vp8", "h264"]
F = TypeVar("F", bound=Callable[..., Any])

NO_KEY = (
    "this needs an API key: set the environment variable ODYSSEY_API_KEY to yours. To go without "
    "one, add --emulator: the command then runs on an emulator of the service on this machine"
)


@attrs.frozen
class Service:
    """The service that `--emulator` and `--data-dir` choose."""

    emulated: bool
    data_dir: Path | None

    @property
    def keeps(self) -> bool:
        """Whether what is made here is there for the next command."""
        return not self.emulated or self.data_dir is not None

    def command_to_download(self, stream_id: str) -> str:
        """Returns the command that fetches a recording from the same service, to be copied."""
        words = ["odyssey", "recordings", "download", copyable(stream_id)]
        if self.data_dir is not None:
            words += ["--data-dir", copyable(str(self.data_dir))]
        return " ".join(words)

    @contextlib.contextmanager
    def client(self) -> Iterator[Odyssey]:
        """A client, not connected; and the emulator, if it is one, until the end."""
        from odyssey import Odyssey

        if not self.emulated:
            if not os.environ.get("ODYSSEY_API_KEY"):
                raise Failed(NO_KEY)
            with Odyssey() as client:
                yield client
            return
        with (
            serving(data_dir=self.data_dir) as server,
            Odyssey(server.api_key, api_url=server.url) as client,
        ):
            yield client


def with_service(command: F) -> F:
    """Gives a command the options that choose its service, as the argument `service`."""

    @click.option(
        "--emulator",
        "emulated",
        is_flag=True,
        help="Without a key: on an emulator that is started for this command.",
    )
    @click.option(
        "--data-dir",
        type=click.Path(file_okay=False, path_type=Path),
        help="Keeps what that emulator has recorded, for the next command; implies --emulator.",
    )
    @functools.wraps(command)
    def run(*args: Any, emulated: bool, data_dir: Path | None, **more: Any) -> Any:
        service = Service(emulated or data_dir is not None, data_dir)
        return command(*args, service=service, **more)

    return run  # type: ignore[return-value]


@contextlib.contextmanager
def serving(
    port: int = 0,
    host: str = "127.0.0.1",
    data_dir: Path | None = None,
    codec: Codec = "vp8",
    api_key: str | None = None,
    faults: Faults | None = None,
) -> Iterator[Emulator]:
    """Runs an emulator. An option that makes no sense is wrong usage."""
    try:
        from odyssey.emulator import Emulator
    except ImportError as exc:
        raise Failed(str(exc)) from exc
    try:
        server = Emulator(data_dir, port, host=host, codec=codec, api_key=api_key, faults=faults)
    except ValueError as exc:
        raise click.UsageError(str(exc)) from exc
    _bypass_proxies(host)
    try:
        server.start()
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            raise Failed(f"port {port} of {host} is in use; choose another with --port") from exc
        raise Failed(f"the emulator can't start: {exc}") from exc
    except RuntimeError as exc:
        raise Failed(str(exc)) from exc
    try:
        yield server
    finally:
        server.close()


def warn_if_exposed(host: str, what_others_can_do: str) -> None:
    """Says on stderr what it means to listen on `host`, if more than this machine reaches it."""
    if not _is_loopback(host):
        click.echo(
            f"Warning: other machines can reach {printable(host) or 'all addresses'}. "
            f"{what_others_can_do} Nothing is encrypted on the way.",
            err=True,
        )


def _is_loopback(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host or "0.0.0.0", None)  # noqa: S104 - as servers take it
    except OSError:
        return False
    return all(ipaddress.ip_address(address[4][0]).is_loopback for address in found)


def _bypass_proxies(host: str) -> None:
    """A proxy that the environment names can't reach an emulator in this process."""
    for name in ("no_proxy", "NO_PROXY"):
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), host]))


@contextlib.contextmanager
def on_sigterm(action: Callable[[], object]) -> Iterator[None]:
    """Calls `action` when the process is asked to end, instead of ending it at once."""
    try:
        before = signal.signal(signal.SIGTERM, lambda _number, _frame: action())
    except ValueError:  # not in the main thread, which alone gets signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
