"""Messages to the client over the data channel, with the faults that befall them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from odyssey.emulator.faults import DuplicateReply, Faults, Junk, SwapReplies, WithholdReply

__all__ = ["JUNK", "Replies"]

# What must not upset a client: not JSON, not text, not an object, unknown, without its fields.
JUNK: tuple[str | bytes, ...] = (
    "this is not JSON {",
    b"\x00\xff\x80junk",
    "[1, 2, 3]",
    "17",
    '{"type": "message_of_another_version", "value": 1}',
    '{"type": 5}',
    '{"no": "type"}',
)


class Replies:
    """Sends messages in order, but for what the faults say. On the emulator's loop only."""

    def __init__(self, send: Callable[[str | bytes], None], faults: Faults) -> None:
        self._send_raw = send
        self._faults = faults
        self._held: dict[str, dict[str, Any]] = {}
        self._timers: set[asyncio.TimerHandle] = set()

    def send(self, type_: str, **fields: Any) -> None:
        """Sends a message of a type with these fields; those that are None are left out."""
        message = {"type": type_, **{k: v for k, v in fields.items() if v is not None}}
        withheld = self._faults.take(WithholdReply, lambda fault: fault.type == type_)
        if withheld is not None:
            if withheld.seconds is not None:
                self._later(withheld.seconds, message)
            return
        held = self._held.pop(type_, None)
        if held is None and self._faults.take(SwapReplies, lambda fault: fault.type == type_):
            self._held[type_] = message
            return
        self._send(message)
        if held is not None:
            self._send(held)

    def send_junk(self) -> None:
        for piece in JUNK:
            self._send_raw(piece)

    def close(self) -> None:
        """Drops what is still to come."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._held.clear()

    def _send(self, message: dict[str, Any]) -> None:
        if self._faults.take(Junk, lambda fault: fault.on != "socket"):
            self.send_junk()
        text = json.dumps(message, ensure_ascii=False)
        self._send_raw(text)
        if self._faults.take(DuplicateReply, lambda fault: fault.type == message["type"]):
            self._send_raw(text)

    def _later(self, seconds: float, message: dict[str, Any]) -> None:
        def fire() -> None:
            self._timers.discard(timer)
            self._send(message)

        timer = asyncio.get_running_loop().call_later(seconds, fire)
        self._timers.add(timer)
