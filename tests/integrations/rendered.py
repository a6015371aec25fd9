"""Recordings, made quickly."""

from __future__ import annotations

from odyssey import Odyssey


def render(client: Odyssey, seconds: float, *prompts: str, portrait: bool = True) -> list[str]:
    """A recording of each prompt; their streams' ids."""
    end = {"timestamp_ms": round(seconds * 1000), "end": {}}
    scripts = [[{"timestamp_ms": 0, "start": {"prompt": prompt}}, end] for prompt in prompts]
    job = client.simulations.submit(scripts=scripts, portrait=portrait)
    return [stream.stream_id for stream in client.simulations.wait(job, interval=0.2).streams]
