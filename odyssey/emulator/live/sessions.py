"""Sessions: who holds a streamer, and until when."""

from __future__ import annotations

import time
import uuid

import attrs

from odyssey.emulator.faults import QueueBusy, UsageError
from odyssey.emulator.refusals import refused, usage_refusal
from odyssey.emulator.settings import Settings

__all__ = ["Session", "Sessions"]


@attrs.define(eq=False)
class Session:
    """One client's hold on a streamer.

    Attributes:
        since: When it was last attached, detached or renewed (monotonic seconds).
    """

    account: str
    id: str = attrs.field(factory=lambda: str(uuid.uuid4()))
    streamer_id: str = attrs.field(factory=lambda: f"streamer-{uuid.uuid4().hex[:8]}")
    attached: bool = False
    was_attached: bool = False
    since: float = attrs.field(factory=time.monotonic)


@attrs.define(eq=False)
class Sessions:
    """The sessions that count. On the emulator's loop only."""

    _settings: Settings
    _sessions: dict[str, Session] = attrs.field(factory=dict, init=False)
    _queued: dict[str, int] = attrs.field(factory=dict, init=False)

    def request(self, account: str) -> Session:
        """Reserves a streamer.

        Raises:
            RefusedError: There is none (503), or the account is at its limit (429).
        """
        limits, faults = self._settings.limits, self._settings.faults
        if fault := faults.take(UsageError):
            raise usage_refusal(fault.code, fault.details, bare=fault.bare)
        self._expire()
        active = sum(session.account == account for session in self._sessions.values())
        if active >= limits.concurrent_streams:
            raise usage_refusal(
                "CONCURRENT_LIMIT_REACHED",
                {"active_count": active, "limit": limits.concurrent_streams},
            )
        waited = self._queued.get(account, 0)
        if waited < limits.queue_length:
            self._queued[account] = waited + 1
            raise refused(503, "all streamers are busy")
        if len(self._sessions) >= limits.streamers or faults.take(QueueBusy):
            raise refused(503, "all streamers are busy")
        self._queued.pop(account, None)
        session = Session(account)
        self._sessions[session.id] = session
        return session

    def get(self, session_id: str) -> Session | None:
        self._expire()
        return self._sessions.get(session_id)

    def renew(self, session: Session) -> None:
        """A token was issued: one may connect as long as it lives."""
        session.since = time.monotonic()

    def attach(self, session: Session) -> None:
        session.attached = session.was_attached = True
        session.since = time.monotonic()

    def detach(self, session: Session, *, release: bool) -> None:
        """The connection is over. Unless released, the session counts for some time yet."""
        session.attached = False
        session.since = time.monotonic()
        if release:
            self._sessions.pop(session.id, None)

    def _expire(self) -> None:
        now, limits = time.monotonic(), self._settings.limits
        for session in list(self._sessions.values()):
            life = (
                limits.unclean_session_seconds
                if session.was_attached
                else limits.session_token_seconds
            )
            if not session.attached and now - session.since >= life:
                del self._sessions[session.id]
