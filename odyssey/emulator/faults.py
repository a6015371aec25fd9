"""Failures to switch on, each a class named for what it injects.

    from odyssey.emulator import Emulator, faults

    emulator.faults.inject(faults.QueueBusy(), times=3)       # the next three, then off
    emulator.faults.inject(faults.FreezeVideo())              # until cleared
    emulator.faults.clear(faults.FreezeVideo)
    emulator.faults.cut_sockets()                             # now

A new fault is a new class and one `take` (or `find`) where it strikes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal, Protocol, TypeVar

import attrs

__all__ = [
    "BroadcastIncomplete",
    "DuplicateReply",
    "ErrorInsteadOfOffer",
    "Fault",
    "Faults",
    "FreezeVideo",
    "HttpDelay",
    "HttpDrop",
    "HttpNotJson",
    "HttpStatus",
    "IceServers",
    "Junk",
    "LosePacket",
    "NoChannel",
    "NoOffer",
    "NoTrack",
    "PacketLoss",
    "QueueBusy",
    "RecordingDelay",
    "SimulationFails",
    "SimulationSlow",
    "SimulationStuck",
    "SimulationsForbidden",
    "SocketDroppedBeforeOffer",
    "SocketRefused",
    "StreamRefused",
    "SwapReplies",
    "UrlExpired",
    "UsageError",
    "WithholdReply",
]

Reply = Literal["stream_started", "update_acknowledged", "stream_ended"]


@attrs.frozen(kw_only=True)
class Fault:
    """Something that goes wrong. Subclasses say what; their fields say how."""


# REST. `path` is a pattern as in a shell, matched against the path of the request ("*/config").


@attrs.frozen(kw_only=True)
class HttpFault(Fault):
    """A fault that strikes requests of a method ("*" for all) to a path."""

    path: str
    method: str = "*"

    def strikes(self, method: str, path: str) -> bool:
        return fnmatchcase(path, self.path) and self.method in ("*", method)


@attrs.frozen(kw_only=True)
class HttpStatus(HttpFault):
    """The request is answered with a status, and `Retry-After` if given (seconds)."""

    status: int
    detail: Any = "injected"
    retry_after: float | None = None


@attrs.frozen(kw_only=True)
class HttpNotJson(HttpFault):
    """The request is answered with status 200 and a page of HTML."""


@attrs.frozen(kw_only=True)
class HttpDelay(HttpFault):
    """The answer comes after so many seconds."""

    seconds: float


@attrs.frozen(kw_only=True)
class HttpDrop(HttpFault):
    """The TCP connection is cut instead of an answer."""


@attrs.frozen(kw_only=True)
class QueueBusy(Fault):
    """No streamer is free: a session request gets 503."""


@attrs.frozen(kw_only=True)
class UsageError(Fault):
    """A session request gets 429 with the body of a usage code, bare or under `detail`."""

    code: str
    details: Mapping[str, Any] | None = None
    bare: bool = False


@attrs.frozen(kw_only=True)
class IceServers(Fault):
    """`/config` names these ICE servers."""

    servers: Sequence[Mapping[str, Any]]


@attrs.frozen(kw_only=True)
class UrlExpired(Fault):
    """A presigned URL is answered as if its time were over (403)."""


@attrs.frozen(kw_only=True)
class RecordingDelay(Fault):
    """A recording that is finished is ready only so many seconds later."""

    seconds: float


# Simulations


@attrs.frozen(kw_only=True)
class SimulationsForbidden(Fault):
    """The account lacks the right to submit simulations: 403."""

    detail: str = "the account may not submit simulations"


@attrs.frozen(kw_only=True)
class SimulationFails(Fault):
    """A simulation fails while it is rendered, with this `error_message`."""

    message: str = "injected"


@attrs.frozen(kw_only=True)
class SimulationSlow(Fault):
    """Rendering a simulation takes so many seconds more."""

    seconds: float


@attrs.frozen(kw_only=True)
class SimulationStuck(Fault):
    """A simulation that gets into this state stays there while the fault is on."""

    state: Literal["pending", "dispatched", "processing"]


# Signaling


@attrs.frozen(kw_only=True)
class SocketRefused(Fault):
    """The WebSocket handshake is refused with a status."""

    status: int = 503


@attrs.frozen(kw_only=True)
class SocketDroppedBeforeOffer(Fault):
    """The socket is accepted, then closed with a code, or cut (None), before any offer."""

    code: int | None = None


@attrs.frozen(kw_only=True)
class NoOffer(Fault):
    """The socket stays open and silent."""


@attrs.frozen(kw_only=True)
class ErrorInsteadOfOffer(Fault):
    """An `error` message with this reason comes instead of the offer; then the socket closes."""

    reason: str = "streamer_not_available"


@attrs.frozen(kw_only=True)
class NoChannel(Fault):
    """The offer lacks the data channel with this label."""

    label: Literal["clientToStreamer", "streamerToClient"] = "streamerToClient"


@attrs.frozen(kw_only=True)
class NoTrack(Fault):
    """The offer has no video track."""


@attrs.frozen(kw_only=True)
class Junk(Fault):
    """Text that is not JSON, binary data, unknown and misshapen messages precede every message."""

    on: Literal["socket", "channel", "both"] = "both"


# Streams


@attrs.frozen(kw_only=True)
class WithholdReply(Fault):
    """A reply of this type never comes, or comes after so many seconds."""

    type: Reply
    seconds: float | None = None


@attrs.frozen(kw_only=True)
class DuplicateReply(Fault):
    """A reply of this type comes twice."""

    type: Reply = "update_acknowledged"


@attrs.frozen(kw_only=True)
class SwapReplies(Fault):
    """A reply of this type is held back until the next one of the type has gone out."""

    type: Reply = "update_acknowledged"


@attrs.frozen(kw_only=True)
class StreamRefused(Fault):
    """A start or an interaction is answered with `interactive_stream_error`."""

    reason: str
    message: str = "injected"
    on: Literal["interactive_stream_start", "update", "interactive_stream_end"] = (
        "interactive_stream_start"
    )


@attrs.frozen(kw_only=True)
class BroadcastIncomplete(Fault):
    """A broadcast is announced without its address, or without its token."""

    missing: Literal["webrtc_url", "spectator_token"] = "spectator_token"


@attrs.frozen(kw_only=True)
class FreezeVideo(Fault):
    """No frames are sent, while everything else goes on."""


@attrs.frozen(kw_only=True)
class PacketLoss(Fault):
    """This share of the video's packets is lost, repairs of it as well."""

    share: float = attrs.field(validator=[attrs.validators.ge(0), attrs.validators.le(1)])


@attrs.frozen(kw_only=True)
class LosePacket(Fault):
    """A packet of the video is lost, and never repaired."""


class Live(Protocol):
    """The running emulator, for what strikes at once. Its methods run on the emulator's loop."""

    def revoke_tokens(self) -> None: ...
    def cut_sockets(self, code: int | None, keep_media: bool) -> None: ...
    def kill_peers(self) -> None: ...
    def fail_streams(self, reason: str, message: str) -> None: ...
    def send_junk(self) -> None: ...


F = TypeVar("F", bound=Fault)
H = TypeVar("H", bound=HttpFault)
_Call = Callable[[Callable[[Live], None]], None]


@attrs.define(eq=False)
class _Entry:
    fault: Fault
    left: int | None


class Faults:
    """The faults that are on. Every method may be called from any thread.

    Given faults are on from the beginning, until cleared.
    """

    def __init__(self, *faults: Fault) -> None:
        self._entries_lock = threading.Lock()
        self._entries = [_Entry(fault, None) for fault in faults]
        self._call: _Call | None = None

    def inject(self, fault: Fault, times: int | None = None) -> None:
        """Switch a fault on: for the next `times` occasions, or until cleared (None).

        Of several faults of one class, the one injected first strikes first.
        """
        if times is not None and times < 1:
            raise ValueError(f"times is None or at least 1, not {times}")
        with self._entries_lock:
            self._entries.append(_Entry(fault, times))

    def clear(self, kind: type[Fault] | Fault = Fault) -> None:
        """Switch off all faults of a class, or those equal to one; without either, all."""

        def goes(fault: Fault) -> bool:
            return isinstance(fault, kind) if isinstance(kind, type) else fault == kind

        with self._entries_lock:
            self._entries = [entry for entry in self._entries if not goes(entry.fault)]

    @property
    def active(self) -> tuple[Fault, ...]:
        """The faults that are on."""
        with self._entries_lock:
            return tuple(entry.fault for entry in self._entries)

    def take(self, kind: type[F], applies: Callable[[F], bool] = lambda _: True) -> F | None:
        """The first fault of this class that applies, counted as having struck; or None."""
        with self._entries_lock:
            for entry in self._entries:
                if isinstance(entry.fault, kind) and applies(entry.fault):
                    if entry.left is not None:
                        entry.left -= 1
                        if not entry.left:
                            self._entries.remove(entry)
                    return entry.fault
        return None

    def find(self, kind: type[F], applies: Callable[[F], bool] = lambda _: True) -> F | None:
        """The first fault of this class, for those that last and don't count occasions."""
        return next((f for f in self.active if isinstance(f, kind) and applies(f)), None)

    def take_http(self, kind: type[H], method: str, path: str) -> H | None:
        """The first fault of this class that strikes the request, counted; or None."""
        return self.take(kind, lambda fault: fault.strikes(method, path))

    # What strikes at once. Each returns when it has happened; RuntimeError without a running
    # emulator.

    def revoke_tokens(self) -> None:
        """Refuse all bearer tokens issued so far (401)."""
        self._strike(lambda live: live.revoke_tokens())

    def cut_sockets(self, code: int | None = None, *, keep_media: bool = False) -> None:
        """Close all signaling sockets with a code, or cut them without one (None).

        With `keep_media` the video and the data channels go on.
        """
        self._strike(lambda live: live.cut_sockets(code, keep_media))

    def kill_peers(self) -> None:
        """Let all peers fall silent, spectators' too: no media, no data, no ICE; the sockets stay
        open.
        """
        self._strike(lambda live: live.kill_peers())

    def fail_streams(self, reason: str, message: str = "injected") -> None:
        """Send `interactive_stream_error` on all connections; their streams go on."""
        self._strike(lambda live: live.fail_streams(reason, message))

    def send_junk(self) -> None:
        """Send what `Junk` sends, once, on every socket and data channel."""
        self._strike(lambda live: live.send_junk())

    def bind(self, call: _Call | None) -> None:
        """For the emulator: how to run something on its loop; None when it has ended."""
        if call is not None and self._call is not None:
            raise ValueError("these faults belong to another running emulator")
        self._call = call

    def _strike(self, action: Callable[[Live], None]) -> None:
        if self._call is None:
            raise RuntimeError("the emulator is not running")
        self._call(action)
