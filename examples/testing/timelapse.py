"""A program to be tested: a strip of pictures out of a live stream, steered half way."""

from __future__ import annotations

import numpy as np

from odyssey import Odyssey, OdysseyConnectionError, OdysseyTimeoutError


def timelapse(first: str, then: str, pictures: int = 6, every: int = 4) -> np.ndarray:
    """Pictures side by side: (height / 4, pictures * width / 4, 3) uint8 RGB, every so many frames.

    If `then` isn't acknowledged within a second, the rest shows `first` as well. A connection that
    is lost is made anew, once, and the strip begun again.
    """
    with Odyssey() as client:
        client.connect()
        try:
            return _strip(client, first, then, pictures, every)
        except OdysseyConnectionError:
            client.connect()
            return _strip(client, first, then, pictures, every)


def _strip(client: Odyssey, first: str, then: str, pictures: int, every: int) -> np.ndarray:
    taken: list[np.ndarray] = []
    with client.stream(first, portrait=False) as stream:
        for count, frame in enumerate(stream):
            if count % every:
                continue
            taken.append(frame.data[::4, ::4])
            if len(taken) == pictures:
                break
            if len(taken) == pictures // 2:
                try:
                    stream.interact(then, timeout=1)
                except OdysseyTimeoutError:
                    print("no acknowledgement: going on without")
    return np.concatenate(taken, axis=1)
