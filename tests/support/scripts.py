"""Scripts of simulations, to test with."""

from __future__ import annotations

from typing import Any

Entry = dict[str, Any]


def script(
    end_ms: int = 500,
    *cues: tuple[int, str],
    prompt: str = "A meadow at noon",
    image: object = None,
) -> list[Entry]:
    """From `prompt`, and `image` if given, over the cues (time in ms, prompt) to the end."""
    start = {"prompt": prompt} if image is None else {"prompt": prompt, "image": image}
    return [
        {"timestamp_ms": 0, "start": start},
        *({"timestamp_ms": at, "interact": {"prompt": changed}} for at, changed in cues),
        {"timestamp_ms": end_ms, "end": {}},
    ]
