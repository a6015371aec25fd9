"""Switching faults over HTTP, under a path that the service doesn't have."""

from __future__ import annotations

from typing import Any

import attrs
from aiohttp import web

from odyssey.emulator.faults import CATALOGUE, Faults
from odyssey.emulator.payloads import object_of
from odyssey.emulator.refusals import refused
from odyssey.emulator.rest.api import origin
from odyssey.emulator.tokens import Keys, is_same

__all__ = ["FaultApi"]

_PATH = "/emulator/faults"
_MOST_BODY = 256 * 1024  # bytes


@attrs.frozen(eq=False)
class FaultApi:
    """The handlers. Each raises RefusedError for what is not a success.

    They want the emulator's API key as bearer token, and no page of another origin gets through:
    a browser on this machine must not be led to switch something here.
    """

    _keys: Keys
    _faults: Faults

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.get(_PATH, self._list),
            web.delete(_PATH, self._all_off),
            web.put(_PATH + "/{name}", self._on),
            web.post(_PATH + "/{name}", self._on),
            web.delete(_PATH + "/{name}", self._off),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        self._check(request)
        return web.json_response(
            {"on": self._switched_on(), "faults": [fault.as_json() for fault in CATALOGUE.values()]}
        )

    async def _on(self, request: web.Request) -> web.Response:
        self._check(request)
        name = _name_of(request)
        try:
            self._faults.switch_on(name, **await object_of(request, _MOST_BODY))
        except ValueError as exc:
            raise refused(422, str(exc)) from exc
        return web.json_response({"on": self._switched_on()})

    async def _off(self, request: web.Request) -> web.Response:
        self._check(request)
        self._faults.switch_off(_name_of(request))
        return web.json_response({"on": self._switched_on()})

    async def _all_off(self, request: web.Request) -> web.Response:
        self._check(request)
        self._faults.switch_off()
        return web.json_response({"on": self._switched_on()})

    def _check(self, request: web.Request) -> None:
        if request.headers.get("Origin", origin(request)) != origin(request):
            raise refused(403, "faults are not switched from pages of another origin")
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not is_same(key.strip(), self._keys.primary):
            raise refused(401, "expected the emulator's API key as bearer token")

    def _switched_on(self) -> list[dict[str, Any]]:
        return [attrs.asdict(fault) for fault in self._faults.switched_on]


def _name_of(request: web.Request) -> str:
    """Returns the name of the fault that the request is for.

    Raises:
        RefusedError: There is none of the name (404).
    """
    name = request.match_info["name"]
    if name not in CATALOGUE:
        raise refused(404, f"no fault is named {name!r}; there are {', '.join(sorted(CATALOGUE))}")
    return name
