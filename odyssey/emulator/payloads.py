"""What clients send, before anybody knows whether it makes sense: bodies and JSON, bounded."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from aiohttp import web

from odyssey.emulator.refusals import refused

__all__ = ["bytes_of", "object_of", "parsed", "read_json", "read_object"]

# Bytes or characters of JSON that are not parsed on the loop.
_LARGE = 64 * 1024
# Commas and colons in one JSON text. A parse keeps all threads waiting, on whichever it runs: a
# picture of 60 MB takes it 0.1 s, so many values 0.1 s, and 60 MB of values five seconds.
_MOST_SEPARATORS = 100_000
# For the same reason: the loop has its turn between two large texts.
_one_large = threading.Lock()

T = TypeVar("T")


def read_json(data: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: It is none, or has too many values or too many levels.
    """
    if isinstance(data, bytes):
        data = data.decode(json.detect_encoding(data), "surrogatepass")
    if data.count(",") + data.count(":") > _MOST_SEPARATORS:
        raise ValueError("too many values")
    try:
        return json.loads(data)
    except RecursionError as exc:
        raise ValueError("too many levels") from exc


def read_object(data: str | bytes) -> dict[str, Any] | None:
    """The JSON object that a client sent, or None for all else."""
    try:
        value = read_json(data)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


async def parsed(data: str | bytes, read: Callable[[str | bytes], T]) -> T:
    """What `read` makes of a JSON text; of a large one on a thread, one after another."""

    def read_large() -> T:
        with _one_large:
            return read(data)

    if len(data) < _LARGE:
        return read(data)
    return await asyncio.get_running_loop().run_in_executor(None, read_large)


async def bytes_of(request: web.Request, most: int) -> bytes:
    """The body of the request.

    Raises:
        RefusedError: It is longer than that (413); the rest of it is not kept.
    """
    too_long = refused(413, f"a body has at most {most} bytes here")
    if (request.content_length or 0) > most:
        raise too_long
    data = bytearray()
    async for piece in request.content.iter_any():
        data += piece
        if len(data) > most:
            raise too_long
    return bytes(data)


async def object_of(request: web.Request, most: int) -> dict[str, Any]:
    """The JSON object of the request, empty without a body.

    Raises:
        RefusedError: It is longer than that (413), or something else (422).
    """
    data = await bytes_of(request, most)
    body = await parsed(data, read_object) if data.strip() else {}
    if body is None:
        raise refused(422, "the body is not a JSON object, or one of too many values")
    return body
