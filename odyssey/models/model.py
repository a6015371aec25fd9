"""What all classes for the service's data have in common: what came, and the way back to JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any, ClassVar, Self, TypeVar

import attrs

from odyssey._logging import without_locals
from odyssey.models.fields import Fields
from odyssey.models.raw import ReadOnlyObject, plain, read_only

M = TypeVar("M", bound="Model")

_NOTHING = ReadOnlyObject()


class Model:
    """Base of the frozen classes that read themselves from the service's JSON.

    What came is no field of theirs: it is neither shown nor compared.
    """

    __slots__ = ("_raw",)
    _raw: ReadOnlyObject

    #: What errors call it.
    _SUBJECT: ClassVar[str]

    @classmethod
    @without_locals
    def from_json(cls, value: object) -> Self:
        """Reads it from the service's JSON.

        Raises:
            OdysseyServerError: It is no object, has no id, or a field has another type.
        """
        fields = Fields.read(read_only(value), cls._SUBJECT)
        return with_raw(cls._read(fields), fields.data)

    @classmethod
    def _read(cls, fields: Fields) -> Self:
        raise NotImplementedError

    @property
    def raw(self) -> Mapping[str, Any]:
        """The JSON object as it came, with what this version has no field for; read-only.

        Empty for one that was not read from JSON.
        """
        return getattr(self, "_raw", _NOTHING)

    def to_dict(self) -> dict[str, Any]:
        """A dict for `json.dumps`: all fields, and what else is in `raw`.

        It has addresses and tokens in clear.
        """
        fields = {field.name: _as_json(getattr(self, field.name)) for field in _fields_of(self)}
        return fields | {name: plain(v) for name, v in self.raw.items() if name not in fields}

    def __reduce__(self) -> tuple[Any, ...]:
        fields = {field.name: getattr(self, field.name) for field in _fields_of(self)}
        return _restored, (type(self), fields, self.raw)


def with_raw(model: M, raw: Mapping[str, Any]) -> M:
    """A model that was just made, with the JSON object that it was made of."""
    object.__setattr__(model, "_raw", read_only(raw))
    return model


def _restored(cls: type[Model], fields: dict[str, Any], raw: ReadOnlyObject) -> Model:
    """One that was pickled or copied."""
    return with_raw(cls(**fields), raw)


def _fields_of(model: Model) -> tuple[attrs.Attribute[Any], ...]:
    return attrs.fields(type(model))  # type: ignore[arg-type,no-any-return]


def _as_json(value: Any) -> Any:
    if isinstance(value, Model):
        return value.to_dict()
    if isinstance(value, list):
        return [_as_json(item) for item in value]
    return value.value if isinstance(value, Enum) else value


def moment(text: str | None) -> datetime | None:
    """The time that an ISO 8601 text names, UTC where it has no zone; None where it names none."""
    try:
        time = None if text is None else datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time
