"""The checks of `odyssey doctor`, one after another, and their verdicts."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal

import attrs

from odyssey._version import __version__
from odyssey.errors import OdysseyAuthError, OdysseyError, OdysseyTimeoutError

if TYPE_CHECKING:
    from odyssey import ClientCredentials, Odyssey
    from odyssey._live.provisioning import IceServer

_PACKAGES = ("aiortc", "av", "numpy", "requests", "websockets")
#: Codecs that the service's video comes in, and the encoder that `--save NAME.mp4` needs.
_DECODERS = ("vp8", "h264")
_ENCODER = "libx264"
_REST_SECONDS = 10.0
_CONNECT_SECONDS = 20.0

Outcome = Literal["ok", "failed", "skipped"]


@attrs.frozen
class Finding:
    """The outcome of a check: what was seen, and what to do where that is not well."""

    check: str
    outcome: Outcome
    seen: str
    advice: str | None = None


class _BadError(Exception):
    """A check failed: what was seen, and what to do."""

    def __init__(self, seen: str, advice: str) -> None:
        super().__init__(seen)
        self.seen, self.advice = seen, advice


class _SkipError(Exception):
    """There is nothing to check, and why."""


class Examination:
    """The checks of one client. Later ones use what earlier ones found.

    Args:
        client: None where none could be made; `trouble` says why.
        connects: Whether a session is taken for a moment, to connect over WebRTC.
        emulated: Whether the service is an emulator.
    """

    def __init__(
        self, client: Odyssey | None, trouble: str, *, connects: bool, emulated: bool
    ) -> None:
        self._made = client
        self._trouble = trouble
        self._connects = connects
        self._emulated = emulated
        self._has_key = False
        self._reached = False
        self._credentials: ClientCredentials | None = None

    def findings(self) -> Iterator[Finding]:
        """Each as soon as it is there."""
        checks: dict[str, Callable[[], str]] = {
            "versions": _versions,
            "codecs": _codecs,
            "key": self._key,
            "REST": self._rest,
            "regions": self._regions,
            "session": self._session,
            "UDP": self._udp,
            "signaling": self._signaling,
        }
        for name, check in checks.items():
            yield _finding(name, check)

    @property
    def _client(self) -> Odyssey:
        if self._made is None:
            raise _SkipError("needs a key")
        return self._made

    def _key(self) -> str:
        if self._made is None:
            raise _BadError(self._trouble, "correct ODYSSEY_API_KEY or ODYSSEY_API_URL")
        if self._emulated:
            self._has_key = True
            return "the emulator's"
        if not os.environ.get("ODYSSEY_API_KEY"):
            raise _BadError(
                "ODYSSEY_API_KEY is not set",
                "set it to your key; without one: odyssey doctor --emulator",
            )
        self._has_key = True
        return "ODYSSEY_API_KEY is set"

    def _rest(self) -> str:
        if not self._has_key:
            raise _SkipError("needs a key")
        url = self._client._settings.api_url
        began = time.monotonic()
        try:
            self._client.recordings.list(limit=1)
        except OdysseyAuthError as exc:
            raise _BadError(str(exc), "take a key of this service, whole") from exc
        except OdysseyError as exc:
            raise _BadError(
                str(exc),
                f"it was looked for at {url}: ODYSSEY_API_URL names another address, and "
                "HTTPS_PROXY a proxy",
            ) from exc
        self._reached = True
        return f"{url} accepts the key, {_ms_since(began)}"

    def _regions(self) -> str:
        from odyssey._live.provisioning import region_latencies
        from odyssey._runtime.deadline import Deadline

        self._need_service()
        deadline = Deadline.after(_REST_SECONDS)
        latencies = region_latencies(self._client._http, deadline)
        if not latencies:
            raise _BadError(
                "no region answered within a second",
                "connecting works without, but perhaps far away: check the network and the proxy",
            )
        nearest = sorted(latencies.items(), key=lambda item: item[1])
        return ", ".join(f"{region} {latency} ms" for region, latency in nearest)

    def _session(self) -> str:
        self._need_service()
        if not self._connects:
            raise _SkipError("left out with --no-connect")
        began = time.monotonic()
        self._credentials = self._client.create_client_credentials()
        return f"a streamer was free, {_ms_since(began)}"

    def _udp(self) -> str:
        from odyssey._live.provisioning import as_http, ice_servers
        from odyssey._runtime.deadline import Deadline
        from odyssey.cli.doctor.stun import ask

        base = as_http(self._need_session().signaling_url)
        servers = ice_servers(self._client._http, base, Deadline.after(_REST_SECONDS))
        addresses = _udp_addresses(servers)
        if not addresses:
            raise _SkipError("the service names no STUN or TURN server; see signaling")
        answers = {f"{host}:{port}": ask(host, port) for host, port in addresses}
        seen = ", ".join(
            f"{name} {'does not answer' if ms is None else f'{ms:.0f} ms'}"
            for name, ms in answers.items()
        )
        if all(ms is None for ms in answers.values()):
            raise _BadError(seen, "the network lets no UDP through: open it, or try another one")
        return seen

    def _signaling(self) -> str:
        credentials = self._need_session()
        began = time.monotonic()
        try:
            self._client.connect_with_credentials(credentials, timeout=_CONNECT_SECONDS)
        except OdysseyTimeoutError as exc:
            raise _BadError(
                str(exc), "if it is the media: the network may not let UDP through"
            ) from exc
        finally:
            self._client.disconnect()
        return f"connected over WebRTC, video and both channels, {_ms_since(began)}; released"

    def _need_service(self) -> None:
        if not self._reached:
            raise _SkipError("needs a key" if not self._has_key else "needs REST")

    def _need_session(self) -> ClientCredentials:
        self._need_service()
        if self._credentials is None:
            raise _SkipError("needs a session" if self._connects else "left out with --no-connect")
        return self._credentials


def needed_failures(findings: list[Finding]) -> list[str]:
    """Returns the checks that have failed and without which streams don't work.

    Regions are a help for choosing a streamer, and STUN one for getting to it.
    """
    outcomes = {finding.check: finding.outcome for finding in findings}
    spared = {"regions", "UDP"} if outcomes["signaling"] == "ok" else {"regions"}
    return [name for name, found in outcomes.items() if found == "failed" and name not in spared]


def _finding(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, "ok", check())
    except _SkipError as exc:
        return Finding(name, "skipped", str(exc))
    except _BadError as exc:
        return Finding(name, "failed", exc.seen, exc.advice)
    except (OdysseyError, ValueError, OSError) as exc:
        return Finding(name, "failed", str(exc))  # these say themselves what to do


def _versions() -> str:
    missing = []
    found = [f"odyssey {__version__}", f"Python {platform.python_version()}"]
    for name in _PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        raise _BadError(
            f"{', '.join(missing)} not installed", 'pip install --force-reinstall "odyssey-sync"'
        )
    return ", ".join(found)


def _codecs() -> str:
    """Makes each of them, which is what fails where a library lacks one."""
    try:
        import av
        from av.codec import Codec
    except ImportError as exc:
        raise _BadError(f"av can't be imported: {exc}", "pip install --force-reinstall av") from exc
    wanted = [*((name, "r") for name in _DECODERS), (_ENCODER, "w")]
    missing = []
    for name, mode in wanted:
        try:
            Codec(name, "w" if mode == "w" else "r")
        except av.codec.codec.UnknownCodecError:
            missing.append(name)
    if missing:
        raise _BadError(
            f"this av lacks {', '.join(missing)}",
            "install the wheel instead of a build of your own: pip install --force-reinstall "
            "--only-binary av av",
        )
    return f"decoders {', '.join(_DECODERS)}; encoder {_ENCODER}"


def _udp_addresses(servers: list[IceServer]) -> list[tuple[str, int]]:
    """Returns host and port of servers that speak UDP; TURN servers also answer STUN requests."""
    from odyssey.cli.doctor.stun import udp_address

    found = (udp_address(url) for server in servers for url in server.urls)
    return list(dict.fromkeys(address for address in found if address is not None))


def _ms_since(moment: float) -> str:
    return f"{(time.monotonic() - moment) * 1000:.0f} ms"
