"""Answers that are not a success: one exception, and the bodies of the usage errors."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

__all__ = ["USAGE_DETAILS", "RefusedError", "next_month", "refused", "usage_refusal"]

_PLANS = "https://odyssey.ml/pricing"

# code -> (message, action, details to show when nobody gives any)
_USAGE: dict[str, tuple[str, str, dict[str, Any]]] = {
    "MONTHLY_LIMIT_REACHED": (
        "The streaming hours of this month are used up",
        "Upgrade the plan or wait for the reset",
        {"used_hours": 10.0, "limit_hours": 10.0, "reset_date": "2030-01-01"},
    ),
    "CONCURRENT_LIMIT_REACHED": (
        "Too many streams are open at the same time",
        "End another stream first",
        {"active_count": 5, "limit": 5},
    ),
    "CONCURRENT_LIMIT_EXCEEDED": (
        "Too many streams are open at the same time",
        "End another stream first",
        {"active_count": 5, "limit": 5},
    ),
    "STREAM_DURATION_EXCEEDED": (
        "The stream has reached its longest duration",
        "Start a new stream",
        {"max_duration_seconds": 150},
    ),
    "ACCOUNT_SUSPENDED": (
        "The account is suspended",
        "Contact support",
        {"reason": "payment overdue"},
    ),
    "RATE_LIMITED": (
        "Too many requests",
        "Wait before the next request",
        {"retry_after_seconds": 1},
    ),
}

USAGE_DETAILS: Mapping[str, Mapping[str, Any]] = {code: row[2] for code, row in _USAGE.items()}


class RefusedError(Exception):
    """An answer of a REST handler that is not a success: `status`, JSON `body`, `headers`."""

    def __init__(
        self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status)
        self.status = status
        self.body = dict(body)
        self.headers = dict(headers or {})


def refused(status: int, detail: str) -> RefusedError:
    """Returns a refusal with the usual body, `{"detail": …}`."""
    return RefusedError(status, {"detail": detail})


def usage_refusal(
    code: str,
    details: Mapping[str, Any] | None = None,
    *,
    bare: bool = False,
    message: str | None = None,
    action: str | None = None,
) -> RefusedError:
    """A usage error (429). Its body is under `detail`, or `bare`. KeyError for an unknown code."""
    usual_message, usual_action, example = _USAGE[code]
    body = {
        "error": code,
        "message": message or usual_message,
        "action": action or usual_action,
        "action_url": _PLANS,
        "details": dict(example if details is None else details),
    }
    return RefusedError(429, body if bare else {"detail": body})


def next_month(now: datetime | None = None) -> str:
    """Returns the date on which the monthly hours start again, as YYYY-MM-DD (UTC)."""
    now = now or datetime.now(UTC)
    year, month = divmod(now.year * 12 + now.month, 12)
    return f"{year:04d}-{month + 1:02d}-01"
