"""Checks the scripts of simulations before anything is sent; `ValueError` says what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from odyssey._checks import check_whole
from odyssey._images import encode_image
from odyssey.models.fields import kind

Script = Sequence[Mapping[str, Any]]

_ACTIONS = ("start", "interact", "end")
#: Milliseconds beyond which not every reader of JSON keeps a number exact.
_LATEST = 2**53


def prepare_script(script: object, *, portrait: bool, name: str = "script") -> list[dict[str, Any]]:
    """Checks a script, and returns it as it is sent, with its picture encoded as for a stream.

    Raises:
        ValueError: An entry is wrong; the text names it, as in "script[2]".
    """
    if isinstance(script, (str, bytes, Mapping)) or not isinstance(script, Sequence):
        raise ValueError(f"{name} must be a list of entries, not {type(script).__name__}")
    if not script:
        raise ValueError(f"{name} is empty; it needs a start and an end")
    prepared: list[dict[str, Any]] = []
    for i, entry in enumerate(script):
        where = f"{name}[{i}]"
        earlier = prepared[-1]["timestamp_ms"] if prepared else 0
        timestamp = _timestamp(entry, where, earlier)
        action = _action(entry, where)
        _check_place(action, where, i, len(script), timestamp)
        content = _content(entry[action], action, where, portrait)
        prepared.append({"timestamp_ms": timestamp, action: content})
    return prepared


def _timestamp(entry: object, where: str, earlier: int) -> int:
    if not isinstance(entry, Mapping):
        raise ValueError(f"{where} must be a dict, not {type(entry).__name__}")
    value = entry.get("timestamp_ms")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        got = repr(value) if isinstance(value, (int, float)) else kind(value)
        raise ValueError(
            f"{where}: 'timestamp_ms' must be a whole number of milliseconds, not {got}"
        )
    if value > _LATEST:
        raise ValueError(f"{where}: 'timestamp_ms' is too large; give milliseconds from the start")
    if value < earlier:
        raise ValueError(
            f"{where}: 'timestamp_ms' goes back to {value}, after {earlier}; order the entries"
            if value >= 0
            else f"{where}: 'timestamp_ms' must not be negative"
        )
    return value


def _action(entry: Mapping[str, Any], where: str) -> str:
    unknown = [str(key) for key in entry if key not in ("timestamp_ms", *_ACTIONS)]
    if unknown:
        raise ValueError(f"{where}: unknown field {unknown[0]!r}; expected one of {_ACTIONS}")
    actions = [action for action in _ACTIONS if action in entry]
    if len(actions) != 1:
        got = " and ".join(actions) or "none"
        raise ValueError(f"{where}: needs exactly one of start, interact and end, but has {got}")
    return actions[0]


def _check_place(action: str, where: str, index: int, count: int, timestamp: int) -> None:
    if index == 0 and (action != "start" or timestamp != 0):
        raise ValueError(
            f"{where}: the first entry must be a start at 0, not {action} at {timestamp}"
        )
    if index > 0 and action == "start":
        raise ValueError(f"{where}: only the first entry may be a start")
    if (index == count - 1) != (action == "end"):
        raise ValueError(
            f"{where}: the last entry must be an end, not {action}"
            if index == count - 1
            else f"{where}: nothing may come after an end"
        )
    if action == "end" and timestamp == 0:
        raise ValueError(f"{where}: the end's 'timestamp_ms' is the video's length and must be > 0")


def _content(value: object, action: str, where: str, portrait: bool) -> dict[str, Any]:
    if action == "end":
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(f"{where}: {action!r} must be a dict, not {type(value).__name__}")
    allowed = ("prompt", "image") if action == "start" else ("prompt",)
    unknown = [str(key) for key in value if key not in allowed]
    if unknown:
        raise ValueError(f"{where}: unknown field {unknown[0]!r} in {action}; allowed: {allowed}")
    prompt = value.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise ValueError(f"{where}: {action} needs a 'prompt' that is a non-empty text")
    content: dict[str, Any] = {"prompt": check_whole(prompt, f"{where}: prompt")}
    if value.get("image") is not None:
        try:
            content["image"] = encode_image(value["image"], portrait=portrait)
        except (ValueError, TypeError) as exc:
            raise ValueError(f"{where}: {exc}") from exc
    return content
