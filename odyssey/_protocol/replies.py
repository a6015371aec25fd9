"""Matches replies with calls, by their order, as the service's messages carry no id."""

from __future__ import annotations

import enum
from typing import Generic, TypeVar

import attrs

W = TypeVar("W")


class Request(enum.Enum):
    START = "start"
    INTERACT = "interact"
    END = "end"


@attrs.define(eq=False)
class Sent(Generic[W]):
    """A request whose reply has not come.

    `waiter` is None once its call timed out or failed. The entry then only keeps its place, so that
    a late reply isn't taken for the next call's.
    """

    request: Request
    prompt: str | None
    waiter: W | None
    stream_id: str | None = None  # the stream that ran when it was sent
    unwanted: bool = False  # a start that gave up: what it starts later is ended again


class PendingReplies(Generic[W]):
    """The queue of requests that were sent, oldest first. `W` is what the caller waits with."""

    def __init__(self) -> None:
        self._line: list[Sent[W]] = []

    def __len__(self) -> int:
        return len(self._line)

    def expects(self, request: Request) -> bool:
        """Whether a reply to such a request may still come, waited for or not."""
        return any(sent.request is request for sent in self._line)

    def sent(
        self, request: Request, prompt: str | None, waiter: W | None, stream_id: str | None = None
    ) -> Sent[W]:
        """Adds a request to the queue; called before its message is sent."""
        entry = Sent(request, prompt, waiter, stream_id)
        self._line.append(entry)
        return entry

    def withdraw(self, entry: Sent[W]) -> None:
        """Removes a request whose message was not sent, so that no reply will come."""
        if entry in self._line:
            self._line.remove(entry)

    def abandon(self, entry: Sent[W], *, unwanted: bool = False) -> None:
        """Notes that a call gave up; its place in the queue stays."""
        entry.waiter = None
        entry.unwanted = unwanted

    def started(self, applied_prompt: str | None = None) -> Sent[W] | None:
        """Returns the start that a `stream_started` answers.

        That is one with this prompt; otherwise (the service rewrote the prompt, or doesn't tell it)
        one that waits; otherwise one that gave up. Unanswered starts and prompts before it are
        forgotten, so that one lost reply can't shift the answers of every later stream. An end's
        place stays: its late reply must not be taken for the new stream's end.
        """
        starts = [s for s in self._line if s.request is Request.START]
        waiting = [s for s in starts if s.waiter is not None]
        same = [s for s in (*waiting, *starts) if s.prompt == applied_prompt]
        entry = next(iter(same or waiting or starts), None)
        if entry is not None:
            self._forget_before(entry, keep=Request.END)
        return self._answered(entry)

    def ended(self) -> Sent[W] | None:
        """Returns the end that a `stream_ended` answers; None if the service ended the stream.

        One that is waited for comes first. Unanswered requests before it are over with the stream.
        """
        waiting = (s for s in self._line if s.request is Request.END and s.waiter is not None)
        entry = next(waiting, None) or self._oldest(Request.END)
        if entry is not None:
            self._forget_before(entry)
        return self._answered(entry)

    def acknowledged(self, prompt: str) -> Sent[W] | None:
        """Returns the interaction that an `update_acknowledged` answers.

        That is the oldest waiting one with this prompt; otherwise (the service rewrote the prompt)
        the oldest one, waiting or not.
        """
        same = self._same_prompt(Request.INTERACT, prompt)
        return self._answered(same or self._oldest(Request.INTERACT))

    def refused(self) -> list[W]:
        """Removes and returns all waiters, as an error fails them all.

        If nobody waits, the error is the late reply to a call that gave up, and the oldest of those
        places is removed.
        """
        waiters = [s.waiter for s in self._line if s.waiter is not None]
        kept = [s for s in self._line if s.waiter is None]
        self._line = kept if waiters else kept[1:]
        return waiters

    def interactions(self) -> list[W]:
        """Removes all interactions at the end of the stream; returns those who wait for one."""
        over = [s for s in self._line if s.request is Request.INTERACT]
        self._line = [s for s in self._line if s.request is not Request.INTERACT]
        return [s.waiter for s in over if s.waiter is not None]

    def close(self) -> list[W]:
        """Empties the queue, as no reply will come any more; returns all waiters."""
        waiters = [s.waiter for s in self._line if s.waiter is not None]
        self._line.clear()
        return waiters

    def _same_prompt(self, request: Request, prompt: str | None) -> Sent[W] | None:
        same = (s for s in self._line if s.request is request and s.prompt == prompt)
        return next((s for s in same if s.waiter is not None), None)

    def _forget_before(self, entry: Sent[W], keep: Request | None = None) -> None:
        at = self._line.index(entry)
        kept = [s for s in self._line[:at] if s.waiter is not None or s.request is keep]
        self._line[:at] = kept

    def _oldest(self, request: Request) -> Sent[W] | None:
        return next((s for s in self._line if s.request is request), None)

    def _answered(self, entry: Sent[W] | None) -> Sent[W] | None:
        if entry is not None:
            self._line.remove(entry)
        return entry
