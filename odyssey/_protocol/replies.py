"""Which call a reply answers. The service's messages carry no id, so the order decides."""

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
    """A request whose reply has not come. `waiter` is None once its call timed out or failed:
    the entry then only keeps its place, so that a late reply isn't taken for the next call's.
    """

    request: Request
    prompt: str | None
    waiter: W | None
    stream_id: str | None = None  # the stream that ran when it was sent
    unwanted: bool = False  # a start that gave up: what it starts later is ended again


class PendingReplies(Generic[W]):
    """The line of requests that were sent, oldest first. `W` is whatever the caller waits with."""

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
        """Takes a place in the line; called before the message goes out."""
        entry = Sent(request, prompt, waiter, stream_id)
        self._line.append(entry)
        return entry

    def withdraw(self, entry: Sent[W]) -> None:
        """The message did not go out: no reply will come."""
        if entry in self._line:
            self._line.remove(entry)

    def abandon(self, entry: Sent[W], *, unwanted: bool = False) -> None:
        """The call gave up; its place stays."""
        entry.waiter = None
        entry.unwanted = unwanted

    def started(self, applied_prompt: str | None = None) -> Sent[W] | None:
        """The start that a `stream_started` answers: one with this prompt; else (the service
        rewrote the prompt, or doesn't tell it) one that waits; else one that gave up.

        A new stream forgets which starts and prompts before it were left unanswered, so that one
        lost reply can't shift the answers of every later stream. An end's place stays: its late
        reply must not be taken for the new stream's end.
        """
        starts = [s for s in self._line if s.request is Request.START]
        waiting = [s for s in starts if s.waiter is not None]
        same = [s for s in (*waiting, *starts) if s.prompt == applied_prompt]
        entry = next(iter(same or waiting or starts), None)
        if entry is not None:
            self._forget_before(entry, keep=Request.END)
        return self._answered(entry)

    def ended(self) -> Sent[W] | None:
        """The end that a `stream_ended` answers, one that is waited for first; None where the
        service ended the stream. What was left unanswered before it, is over with it.
        """
        waiting = (s for s in self._line if s.request is Request.END and s.waiter is not None)
        entry = next(waiting, None) or self._oldest(Request.END)
        if entry is not None:
            self._forget_before(entry)
        return self._answered(entry)

    def acknowledged(self, prompt: str) -> Sent[W] | None:
        """The interaction that an `update_acknowledged` answers: the oldest waiting one with this
        prompt; else (the service rewrote the prompt) the oldest one sent, waiting or not.
        """
        same = self._same_prompt(Request.INTERACT, prompt)
        return self._answered(same or self._oldest(Request.INTERACT))

    def refused(self) -> list[W]:
        """Everybody whom an error fails: all who wait; their places go. Where nobody waits it is
        the late reply to a call that gave up: the oldest of those places goes.
        """
        waiters = [s.waiter for s in self._line if s.waiter is not None]
        kept = [s for s in self._line if s.waiter is None]
        self._line = kept if waiters else kept[1:]
        return waiters

    def interactions(self) -> list[W]:
        """The stream is over: everybody who waits for an acknowledgement. Those places go."""
        over = [s for s in self._line if s.request is Request.INTERACT]
        self._line = [s for s in self._line if s.request is not Request.INTERACT]
        return [s.waiter for s in over if s.waiter is not None]

    def close(self) -> list[W]:
        """No reply will come any more: everybody who waits."""
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
