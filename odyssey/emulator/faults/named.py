"""A fault with a name, and parameters that can be checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from odyssey.emulator.faults.base import Fault
from odyssey.emulator.faults.parameters import Parameter, Value, parameters_of

__all__ = ["NamedFault"]


@attrs.frozen(eq=False)
class NamedFault:
    """A fault of the catalogue: its name, what it does in a line, and its class.

    Attributes:
        name: What it is switched by.
        description: What goes wrong.
        kind: The class of the fault. Its fields are the parameters.
        fixed: Fields that have this value under this name, and are no parameters.
        defaults: Of parameters, in place of those of the fields.
        count: On how many occasions it strikes; None for one that lasts until it is switched off.
        parameters: What may be given.
    """

    name: str
    description: str
    kind: type[Fault]
    fixed: Mapping[str, Value] = attrs.field(factory=dict, kw_only=True)
    defaults: Mapping[str, Value] = attrs.field(factory=dict, kw_only=True)
    count: Parameter | None = attrs.field(default=None, kw_only=True)
    parameters: tuple[Parameter, ...] = attrs.field(init=False)

    @parameters.default
    def _parameters(self) -> tuple[Parameter, ...]:
        fields = parameters_of(self.kind, **self.defaults)
        own = [parameter for parameter in fields if parameter.name not in self.fixed]
        return (*own, *([] if self.count is None else [self.count]))

    def values(self, given: Mapping[str, object]) -> dict[str, Value]:
        """Returns all parameters, those not given with their defaults.

        Raises:
            ValueError: A name or a value is wrong; the text says what there is.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in given:
            if name not in known:
                raise ValueError(f"{self.name} has no parameter {name!r}; {self._what_there_is()}")
        try:
            return {n: p.read(given[n]) if n in given else p.default for n, p in known.items()}
        except ValueError as exc:
            raise ValueError(f"{self.name}: {exc}; {self._what_there_is()}") from None

    def parse(self, texts: Mapping[str, str]) -> dict[str, Value]:
        """Returns the values that texts stand for, as of a command line.

        Raises:
            ValueError: As `values`.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        try:
            read = {n: known[n].parse(text) if n in known else text for n, text in texts.items()}
        except ValueError as exc:
            raise ValueError(f"{self.name}: {exc}; {self._what_there_is()}") from None
        return self.values(read)

    def make(self, values: Mapping[str, Value]) -> tuple[Fault, int | None]:
        """Makes the fault from all of its values; returns it and on how many occasions it strikes.

        Raises:
            ValueError: The fault refuses a value.
        """
        fields = dict(values)
        times = None if self.count is None else fields.pop(self.count.name)
        assert times is None or isinstance(times, int)
        return self.kind(**self.fixed, **fields), times

    def as_json(self) -> dict[str, Any]:
        """As the emulator's HTTP side and `odyssey emulator --list-faults --json` show it."""
        return {
            "name": self.name,
            "description": self.description,
            "parameters": [parameter.as_json() for parameter in self.parameters],
        }

    def _what_there_is(self) -> str:
        if not self.parameters:
            return "it has no parameters"
        return "it has " + "; ".join(
            f"{p.name} ({p.expected}; default {'none' if p.default is None else p.default})"
            for p in self.parameters
        )
