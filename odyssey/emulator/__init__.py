"""The whole service on one machine: REST, signaling, real WebRTC, real recordings.

    from odyssey.emulator import Emulator

    with Emulator() as emulator:
        print(emulator.url, emulator.api_key)

The names load on first use, so that importing the package needs nothing that is not installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from odyssey.emulator.faults import Faults
    from odyssey.emulator.limits import Limits
    from odyssey.emulator.painting.frame_number import read_frame_number
    from odyssey.emulator.server import Emulator

__all__ = ["Emulator", "Faults", "Limits", "read_frame_number"]

_HOMES = {
    "Emulator": "server",
    "Faults": "faults",
    "Limits": "limits",
    "read_frame_number": "painting.frame_number",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(f".{_HOMES[name]}", __name__)
    except ModuleNotFoundError as exc:
        if exc.name != "aiohttp":
            raise
        raise ImportError(
            'the emulator needs aiohttp: pip install "odyssey-sync[emulator]"'
        ) from exc
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
