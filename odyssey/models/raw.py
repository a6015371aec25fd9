"""JSON that can't be changed any more."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NoReturn

from odyssey._logging import redacted

#: Levels of objects and lists within each other that are kept: what copies, pickles and writes JSON
#: calls itself for each, and so would fail where the parser did not.
DEEPEST = 50


def _refuse(*_: object, **__: object) -> NoReturn:
    raise TypeError("the service's answer is read-only; dict(...) or to_dict() makes a copy")


class ReadOnlyObject(dict[str, Any]):
    """A JSON object as it came. Its repr shows no token and no query of an address."""

    __slots__ = ()
    __setitem__ = __delitem__ = clear = pop = popitem = setdefault = update = _refuse
    __ior__ = _refuse

    def __repr__(self) -> str:
        return redacted(super().__repr__())

    def __reduce__(self) -> tuple[Any, ...]:
        return ReadOnlyObject, (dict(self),)


class ReadOnlyList(list[Any]):
    """A list within such an object."""

    __slots__ = ()
    __setitem__ = __delitem__ = append = clear = extend = insert = _refuse
    pop = remove = reverse = sort = _refuse
    __iadd__ = __imul__ = _refuse

    def __repr__(self) -> str:
        return redacted(super().__repr__())

    def __reduce__(self) -> tuple[Any, ...]:
        return ReadOnlyList, (list(self),)


def read_only(value: object, depth: int = 0) -> Any:
    """A copy of `value`, JSON, that can't be changed; None in place of what lies too deep."""
    if isinstance(value, (ReadOnlyObject, ReadOnlyList)):
        return value
    if isinstance(value, (Mapping, list)) and depth > DEEPEST:
        return None
    if isinstance(value, Mapping):
        return ReadOnlyObject({name: read_only(v, depth + 1) for name, v in value.items()})
    if isinstance(value, list):
        return ReadOnlyList([read_only(item, depth + 1) for item in value])
    return value


def plain(value: Any) -> Any:
    """A copy that may be changed, and that every writer of JSON takes: it has no NaN."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
