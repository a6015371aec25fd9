"""Reads the service's JSON: checks the types of known fields, ignores unknown ones."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs

from odyssey.errors import OdysseyServerError

T = TypeVar("T")


@attrs.frozen
class Fields:
    """The fields of one JSON object. A wrong type raises `OdysseyServerError` with the name."""

    data: Mapping[str, Any] = attrs.field(repr=False)
    subject: str

    @classmethod
    def read(cls, value: object, subject: str) -> Fields:
        """`subject` names the object in errors, as in "the recording"."""
        if not isinstance(value, Mapping):
            value = kind(value)  # what an error's traceback may show of it
            raise wrong_answer(subject, f"expected a JSON object, got {value}")
        return cls(value, subject)

    def text(self, name: str) -> str:
        value = self.optional_text(name)
        if value is None:
            raise wrong_answer(self.subject, f"{name!r} is missing")
        return value

    def optional_text(self, name: str) -> str | None:
        value = self.data.get(name)
        if value is not None and not isinstance(value, str):
            raise self._wrong(name, "a string", value)
        return value

    def integer(self, name: str, default: int | None = None) -> int:
        value = self.optional_integer(name)
        if value is None:
            if default is None:
                raise wrong_answer(self.subject, f"{name!r} is missing")
            return default
        return value

    def optional_integer(self, name: str) -> int | None:
        value = self.optional_number(name)
        if value is None:
            return None
        if value != int(value):
            raise self._wrong(name, "a whole number", value)
        return int(value)

    def optional_number(self, name: str) -> float | None:
        value = self.data.get(name)
        if value is None:
            return None
        finite = isinstance(value, (int, float)) and abs(value) <= sys.float_info.max
        if isinstance(value, bool) or not finite:
            raise self._wrong(name, "a number", value)
        number: float = value
        return number

    def items(self, name: str, read: Callable[[object], T]) -> list[T]:
        """Returns the list `name`, empty if absent, with each entry read by `read`."""
        value = self.data.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._wrong(name, "a list", value)
        return [read(item) for item in value]

    def _wrong(self, name: str, expected: str, value: object) -> OdysseyServerError:
        return wrong_answer(self.subject, f"{name!r} should be {expected}, got {kind(value)}")


def kind(value: object) -> str:
    """Names a value in a message: by its type, never by its content."""
    if value is None:
        return "nothing"
    name = "dict" if isinstance(value, dict) else type(value).__name__
    return f"a {'list' if isinstance(value, list) else name}"


def wrong_answer(subject: str, what: str) -> OdysseyServerError:
    """Returns the error for an answer about `subject` that can't be used."""
    return OdysseyServerError(
        f"the service's answer for {subject} is not what it should be: {what}"
    )
