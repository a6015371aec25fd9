"""Which faults are on, and how they are switched."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import attrs

from odyssey.emulator.faults.base import Fault, Target, TimedFault
from odyssey.emulator.faults.catalogue import named
from odyssey.emulator.faults.parameters import Value
from odyssey.emulator.faults.rest_faults import HttpFault

__all__ = ["Faults", "RunningEmulator", "SwitchedOn"]


class RunningEmulator(Protocol):
    """The running emulator, for what strikes at once. Its methods run on the emulator's loop."""

    def revoke_tokens(self) -> None: ...
    def cut_sockets(self, code: int | None, keep_media: bool) -> None: ...
    def kill_peers(self) -> None: ...
    def fail_streams(self, reason: str, message: str) -> None: ...
    def send_junk(self) -> None: ...


F = TypeVar("F", bound=Fault)
H = TypeVar("H", bound=HttpFault)
T = TypeVar("T", bound=TimedFault)
_Call = Callable[[Callable[[RunningEmulator], None]], None]


@attrs.frozen(kw_only=True)
class SwitchedOn:
    """A fault that was switched on by name and is on still.

    Attributes:
        left: On how many occasions it strikes yet; None: until switched off.
    """

    name: str
    parameters: Mapping[str, Value]
    left: int | None


@attrs.define(eq=False)
class _Entry:
    fault: Fault
    left: int | None = None
    name: str | None = None
    parameters: Mapping[str, Value] = attrs.field(factory=dict)
    since: float = attrs.field(factory=time.monotonic)
    struck: set[str] = attrs.field(factory=set, repr=False)  # ids of targets

    def is_due(self, target: Target) -> bool:
        return isinstance(self.fault, TimedFault) and self.fault.is_due(self.since, target)


class Faults:
    """The faults that are on. Every method may be called from any thread.

    Given faults are on from the beginning, until cleared.
    """

    def __init__(self, *faults: Fault) -> None:
        self._entries_lock = threading.Lock()
        self._entries = [_Entry(fault) for fault in faults]
        self._call: _Call | None = None

    def inject(self, fault: Fault, times: int | None = None) -> None:
        """Switches a fault on: for the next `times` occasions, or until cleared (None).

        Of several faults of one class, the one injected first strikes first.
        """
        if times is not None and times < 1:
            raise ValueError(f"times is None or at least 1, not {times}")
        with self._entries_lock:
            self._entries.append(_Entry(fault, times))

    def clear(self, kind: type[Fault] | Fault = Fault) -> None:
        """Switches off all faults of a class, or those equal to one; without either, all."""

        def goes(fault: Fault) -> bool:
            return isinstance(fault, kind) if isinstance(kind, type) else fault == kind

        with self._entries_lock:
            self._entries = [entry for entry in self._entries if not goes(entry.fault)]

    def switch_on(self, name: str, /, **parameters: object) -> None:
        """Switches the fault of the catalogue with that name on; anew, if it was on already.

        Raises:
            ValueError: The name is not in `CATALOGUE`, the fault does not have a parameter, or a
                value is none for it; the text lists what there is.

        Example:
            emulator.faults.switch_on("queue", n=2)
        """
        entry = named(name)
        values = entry.values(parameters)
        fault, times = entry.make(values)
        with self._entries_lock:
            self._entries = [entry for entry in self._entries if entry.name != name]
            self._entries.append(_Entry(fault, times, name, values))

    def switch_off(self, name: str | None = None, /) -> None:
        """Switches the fault with that name off, if it is on; without a name, all there are.

        Raises:
            ValueError: The name is not in `CATALOGUE`.
        """
        if name is None:
            self.clear()
            return
        named(name)
        with self._entries_lock:
            self._entries = [entry for entry in self._entries if entry.name != name]

    @property
    def switched_on(self) -> tuple[SwitchedOn, ...]:
        """The faults that were switched on by name, in that order."""
        with self._entries_lock:
            return tuple(
                SwitchedOn(name=entry.name, parameters=dict(entry.parameters), left=entry.left)
                for entry in self._entries
                if entry.name is not None
            )

    @property
    def active(self) -> tuple[Fault, ...]:
        """The faults that are on."""
        with self._entries_lock:
            return tuple(entry.fault for entry in self._entries)

    def take(self, kind: type[F], applies: Callable[[F], bool] = lambda _: True) -> F | None:
        """Returns the first fault of this class that applies, and counts it as struck; or None."""
        with self._entries_lock:
            for entry in self._entries:
                if isinstance(entry.fault, kind) and applies(entry.fault):
                    self._count(entry)
                    return entry.fault
        return None

    def take_due(self, kind: type[T], target: Target) -> T | None:
        """The first fault of this class that is due for the target, and has not struck it yet."""
        with self._entries_lock:
            for entry in self._entries:
                if (
                    isinstance(entry.fault, kind)
                    and target.id not in entry.struck
                    and entry.is_due(target)
                ):
                    entry.struck.add(target.id)
                    self._count(entry)
                    return entry.fault
        return None

    def find(self, kind: type[F], applies: Callable[[F], bool] = lambda _: True) -> F | None:
        """Returns the first fault of this class, for those that last and don't count occasions."""
        return next((f for f in self.active if isinstance(f, kind) and applies(f)), None)

    def find_due(self, kind: type[T], target: Target) -> T | None:
        """Returns the first fault of this class that is due for the target, for those that last."""
        with self._entries_lock:
            for entry in self._entries:
                if isinstance(entry.fault, kind) and entry.is_due(target):
                    return entry.fault
        return None

    def take_http(self, kind: type[H], method: str, path: str) -> H | None:
        """Returns the first fault of this class that strikes the request, counted; or None."""
        return self.take(kind, lambda fault: fault.strikes(method, path))

    # What strikes at once. Each returns when it has happened; RuntimeError without a running
    # emulator.

    def revoke_tokens(self) -> None:
        """Refuses all bearer tokens issued so far (401)."""
        self._strike(lambda emulator: emulator.revoke_tokens())

    def cut_sockets(self, code: int | None = None, *, keep_media: bool = False) -> None:
        """Closes all signaling sockets with a code, or cut them without one (None).

        With `keep_media` the video and the data channels go on.
        """
        self._strike(lambda emulator: emulator.cut_sockets(code, keep_media))

    def kill_peers(self) -> None:
        """Lets all peers fall silent, spectators' too: no media, no data, no ICE; the sockets stay
        open.
        """
        self._strike(lambda emulator: emulator.kill_peers())

    def fail_streams(self, reason: str, message: str = "injected") -> None:
        """Sends `interactive_stream_error` on all connections; their streams go on."""
        self._strike(lambda emulator: emulator.fail_streams(reason, message))

    def send_junk(self) -> None:
        """Sends what `Junk` sends, once, on every socket and data channel."""
        self._strike(lambda emulator: emulator.send_junk())

    def bind(self, call: _Call | None) -> None:
        """For the emulator: how to run something on its loop; None when it has ended."""
        if call is not None and self._call is not None:
            raise ValueError("these faults belong to another running emulator")
        self._call = call

    def _count(self, entry: _Entry) -> None:
        """One occasion less; under the lock."""
        if entry.left is not None:
            entry.left -= 1
            if not entry.left:
                self._entries.remove(entry)

    def _strike(self, action: Callable[[RunningEmulator], None]) -> None:
        if self._call is None:
            raise RuntimeError("the emulator is not running")
        self._call(action)
