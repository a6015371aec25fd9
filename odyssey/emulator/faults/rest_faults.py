"""Faults of the REST side, of the files it leads to, and of simulations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal

import attrs

from odyssey.emulator.faults.base import LONGEST, Fault, TimedFault
from odyssey.emulator.faults.parameters import parameter

__all__ = [
    "DownloadCut",
    "HttpDelay",
    "HttpDrop",
    "HttpFault",
    "HttpNotJson",
    "HttpStatus",
    "IceServers",
    "OtherDialect",
    "QueueBusy",
    "RecordingDelay",
    "SilentIceServer",
    "SimulationFails",
    "SimulationSlow",
    "SimulationStuck",
    "SimulationsForbidden",
    "TokenRevoked",
    "UrlExpired",
    "UsageError",
]


@attrs.frozen(kw_only=True)
class HttpFault(Fault):
    """A fault that strikes requests of a method ("*" for all) to a path.

    `path` is a pattern as in a shell, matched against the path of the request ("*/config").
    """

    path: str = parameter("of the requests, a pattern as in a shell")
    method: str = "*"

    def strikes(self, method: str, path: str) -> bool:
        return fnmatchcase(path, self.path) and self.method in ("*", method)


@attrs.frozen(kw_only=True)
class HttpStatus(HttpFault):
    """The request is answered with a status, and `Retry-After` if given (seconds)."""

    status: int
    detail: Any = "injected"
    retry_after: float | None = parameter("of `Retry-After`", None, least=0, most=LONGEST)


@attrs.frozen(kw_only=True)
class HttpNotJson(HttpFault):
    """The request is answered with status 200 and a page of HTML."""


@attrs.frozen(kw_only=True)
class HttpDelay(HttpFault):
    """The answer comes after so many seconds."""

    seconds: float = parameter("by which it is late", least=0, most=LONGEST)


@attrs.frozen(kw_only=True)
class HttpDrop(HttpFault):
    """The TCP connection is cut instead of an answer."""


@attrs.frozen(kw_only=True)
class TokenRevoked(TimedFault):
    """Bearer tokens are refused (401), for good.

    Those issued before the fault was switched on at once, others when they are `after` seconds old.
    """

    after: float = parameter(
        "age of a token in seconds; one issued already is revoked now", 2.0, least=0, most=LONGEST
    )


@attrs.frozen(kw_only=True)
class QueueBusy(Fault):
    """No streamer is free: a session request gets 503."""


@attrs.frozen(kw_only=True)
class UsageError(Fault):
    """A session request gets 429 with the body of a usage code, bare or under `detail`."""

    code: str
    details: Mapping[str, Any] | None = None
    bare: bool = parameter("the body is not under `detail`", False)


@attrs.frozen(kw_only=True)
class OtherDialect(Fault):
    """REST answers are worded as the service's pages have it, and go beyond them.

    Jobs that are dispatched or processing have another status, streams of simulations have a
    `status` and an `error_message`, sizes and times of recordings among others are null, and every
    object has fields that no reader knows.
    """

    status: str = parameter("of jobs that are dispatched or processing", "running")


@attrs.frozen(kw_only=True)
class IceServers(Fault):
    """`/config` names these ICE servers."""

    servers: Sequence[Mapping[str, Any]] = attrs.field(repr=False)  # they have credentials


@attrs.frozen(kw_only=True)
class SilentIceServer(Fault):
    """`/config` names a server on this machine's loopback that never answers."""

    kind: Literal["stun", "turn"]


# Recordings


@attrs.frozen(kw_only=True)
class UrlExpired(Fault):
    """A presigned URL is answered as if its time were over (403)."""


@attrs.frozen(kw_only=True)
class RecordingDelay(Fault):
    """A recording that is finished is ready only so many seconds later."""

    seconds: float = parameter("by which it is late", least=0, most=LONGEST)


@attrs.frozen(kw_only=True)
class DownloadCut(Fault):
    """The TCP connection is cut when this share of what was asked of a file has been sent."""

    share: float = parameter("of what was asked for that comes", 0.5, least=0, most=0.99)


# Simulations


@attrs.frozen(kw_only=True)
class SimulationsForbidden(Fault):
    """The account lacks the right to submit simulations: 403."""

    detail: str = "the account may not submit simulations"


@attrs.frozen(kw_only=True)
class SimulationFails(Fault):
    """A simulation fails while it is rendered, with this `error_message`."""

    message: str = parameter("of the error", "injected")


@attrs.frozen(kw_only=True)
class SimulationSlow(Fault):
    """Rendering a simulation takes so many seconds more."""

    seconds: float = parameter("by which it takes longer", least=0, most=LONGEST)


@attrs.frozen(kw_only=True)
class SimulationStuck(Fault):
    """A simulation that gets into this state stays there while the fault is on."""

    state: Literal["pending", "dispatched", "processing"] = parameter("in which they stay")
