"""The middleware around all handlers: JSON errors, preflights, and faults of HTTP."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from odyssey.emulator.faults import Faults, HttpDelay, HttpDrop, HttpNotJson, HttpStatus
from odyssey.emulator.refusals import RefusedError, refused

__all__ = ["guard"]

_OWN_PATHS = "/emulator/"  # where faults are switched off, too

logger = logging.getLogger(__name__)

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def guard(faults: Faults) -> Any:
    """A middleware that lets the faults strike and turns what handlers raise into JSON answers."""

    @web.middleware
    async def middleware(request: web.Request, handler: _Handler) -> web.StreamResponse:
        if request.method == "OPTIONS":
            return web.Response(status=204)
        try:
            answer = await _injected(request, faults)
            return await handler(request) if answer is None else answer
        except RefusedError as exc:
            refusal = exc
        except web.HTTPException as exc:
            refusal = refused(exc.status, exc.reason)
        except (web.RequestPayloadError, UnicodeEncodeError):
            refusal = refused(400, "the request can't be read: it is broken, or not in UTF-8")
        except ConnectionError:
            return web.Response(status=400)  # to nobody: the client is gone
        except Exception as exc:
            logger.exception("%s %s failed", request.method, request.path)
            index = isinstance(exc, sqlite3.Error)
            refusal = refused(500, f"the index can't be used: {exc}" if index else "internal error")
        return web.json_response(refusal.body, status=refusal.status, headers=refusal.headers)

    return middleware


async def _injected(request: web.Request, faults: Faults) -> web.StreamResponse | None:
    """Returns the answer of a fault, or None when the handler may answer."""
    method, path = request.method, request.path
    if path.startswith(_OWN_PATHS):
        return None
    if delay := faults.take_http(HttpDelay, method, path):
        await asyncio.sleep(delay.seconds)
    if faults.take_http(HttpDrop, method, path) and request.transport is not None:
        request.transport.abort()
        raise ConnectionAbortedError
    if fault := faults.take_http(HttpStatus, method, path):
        headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
        raise RefusedError(fault.status, {"detail": fault.detail}, headers)
    if faults.take_http(HttpNotJson, method, path):
        return web.Response(
            text="<html><body>Not what you expect</body></html>", content_type="text/html"
        )
    return None
