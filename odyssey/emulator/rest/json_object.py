"""The JSON that clients send."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["read_object"]


def read_object(data: str | bytes) -> dict[str, Any] | None:
    """The JSON object, or None for all else."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
