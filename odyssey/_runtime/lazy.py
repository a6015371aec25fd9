"""Packages whose names come from modules that load when a name is first used (PEP 562)."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def attributes_of(package: str, names: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """A package's `__getattr__`. `names`: what each of its modules has for the package.

    Two threads may ask at once: the import system's own locks make it one module.
    """
    homes = {name: module for module, several in names.items() for name in several}

    def __getattr__(name: str) -> Any:  # noqa: N807 - that is what it becomes
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{package}.{homes[name]}"), name)
        setattr(sys.modules[package], name, value)  # found at once from now on
        return value

    return __getattr__
