"""The parameters of faults: fields of the fault classes, with a description and limits."""

from __future__ import annotations

import math
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import attrs

__all__ = ["Parameter", "Value", "parameter", "parameters_of"]

Value = int | float | str | bool | None

_MOST_INT = 2**53  # so that every one is a float, too


def parameter(
    description: str = "",
    default: Any = attrs.NOTHING,
    *,
    least: float | None = None,
    most: float | None = None,
    validator: Any = None,
) -> Any:
    """Makes a field of a fault that is a parameter of faults by name.

    Args:
        description: What `--list-faults` says of it.
        default: Its value when none is given.
        least: Of a number, included.
        most: Of a number, included.
        validator: One more, as `attrs.field` takes it.
    """
    within = [
        *([] if least is None else [attrs.validators.ge(least)]),
        *([] if most is None else [attrs.validators.le(most)]),
    ]
    checks = [attrs.validators.optional(check) for check in within]
    if validator is not None:
        checks.append(validator)
    metadata = {"description": description, "least": least, "most": most}
    return attrs.field(default=default, validator=checks, metadata=metadata)


@attrs.frozen(kw_only=True)
class Parameter:
    """One parameter of a named fault.

    Attributes:
        type: `int`, `float`, `str` or `bool`.
        default: Its value when none is given.
        optional: Whether None can be given.
        choices: The texts there are to choose from; empty for any.
        least: Of a number, included.
        most: Of a number, included.
    """

    name: str
    type: type[int] | type[float] | type[str] | type[bool]
    default: Value
    description: str
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    optional: bool = False

    def read(self, value: object) -> Value:
        """Checks a value; returns it as it is used.

        Raises:
            ValueError: It is of another type, or beyond the limits.
        """
        if value is None and self.optional:
            return None
        if isinstance(value, int) and abs(value) > _MOST_INT:
            raise self._refusal("a number beyond all limits")
        if self.type is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, self.type) or isinstance(value, bool) is not (self.type is bool):
            raise self._refusal(value)
        if self.choices and value not in self.choices:
            raise self._refusal(value)
        if isinstance(value, (int, float)) and not self._is_within(value):
            raise self._refusal(value)
        return value

    def parse(self, text: str) -> Value:
        """Returns the value that a text stands for, as of a command line.

        Raises:
            ValueError: It stands for none.
        """
        if self.optional and text.lower() == "none":
            return None
        try:
            return self.read(_AS_TYPE[self.type](text))
        except (ValueError, KeyError):
            raise self._refusal(text) from None

    @property
    def expected(self) -> str:
        """The valid values, in words."""
        if self.choices:
            words = "one of " + ", ".join(self.choices)
        else:
            words = _IN_WORDS[self.type] + self._limits()
        return f"{words}, or none" if self.optional else words

    def as_json(self) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "name": self.name,
            "type": self.type.__name__,
            "default": self.default,
            "optional": self.optional,
            "description": self.description,
        }
        limits = {"choices": list(self.choices) or None, "least": self.least, "most": self.most}
        return fields | {name: limit for name, limit in limits.items() if limit is not None}

    def _is_within(self, value: float) -> bool:
        least = -math.inf if self.least is None else self.least
        most = math.inf if self.most is None else self.most
        return math.isfinite(value) and least <= value <= most

    def _limits(self) -> str:
        least = "" if self.least is None else f" from {self.least:g}"
        return least if self.most is None else f"{least} to {self.most:g}"

    def _refusal(self, value: object) -> ValueError:
        return ValueError(f"{self.name}: expected {self.expected}, got {value!r}")


def parameters_of(kind: type, **given: Value) -> tuple[Parameter, ...]:
    """Returns the parameters of a class of faults, in the order of its fields.

    Args:
        kind: The class.
        given: Defaults in place of those of the fields. An optional field that gets one wants a
            value.
    """
    hints = get_type_hints(kind)
    fields = [field for field in attrs.fields(kind) if "description" in field.metadata]
    return tuple(_parameter_of(field, hints[field.name], given) for field in fields)


def _parameter_of(field: attrs.Attribute[Any], hint: Any, given: dict[str, Value]) -> Parameter:
    kinds = [kind for kind in get_args(hint) or (hint,) if kind is not NoneType]
    choices = tuple(kinds) if get_origin(hint) is Literal else ()
    return Parameter(
        name=field.name,
        type=str if choices else kinds[0],
        default=given.get(field.name, field.default),
        choices=choices,
        optional=hint not in (*kinds, Literal[choices]) and field.name not in given,
        **field.metadata,
    )


_AS_TYPE: dict[type, Any] = {
    int: int,
    float: float,
    str: str,
    bool: lambda text: {"true": True, "false": False}[text.lower()],
}
_IN_WORDS: dict[type, str] = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
}
