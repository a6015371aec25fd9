"""The words of the REST answers: as docs/protocol.md has them, or in the other dialect."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from odyssey.emulator.faults import Faults, OtherDialect

__all__ = ["answered"]

_NEW: dict[str, Any] = {"api_version": 2, "links": {"self": None, "related": []}}
_NULLS = {"width", "height", "started_at", "priority", "retry_count", "estimated_wait_minutes"}


def answered(faults: Faults, body: dict[str, Any]) -> web.Response:
    """The answer with this body, in the other dialect while that fault is on."""
    fault = faults.find(OtherDialect)
    return web.json_response(body if fault is None else _reworded(body, fault))


def _reworded(value: Any, fault: OtherDialect) -> Any:
    if isinstance(value, list):
        return [_reworded(item, fault) for item in value]
    if not isinstance(value, dict):
        return value
    said = {name: _reworded(item, fault) for name, item in value.items()}
    if "script_index" in said:
        said |= {"status": "completed", "error_message": None}
    if said.get("status") in ("dispatched", "processing"):
        said["status"] = fault.status
    return said | dict.fromkeys(_NULLS & said.keys()) | _NEW
