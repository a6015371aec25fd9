"""Memory for pixels, used again once nobody holds it."""

from __future__ import annotations

import collections
import math
import weakref

import numpy as np

from odyssey.frames import Array

#: Buffers that are kept for the next frames: what a loop holds at a time, and one more.
MOST_IDLE = 4


class ArrayPool:
    """Hands out arrays whose memory comes back by itself. Safe between threads, without a lock: it
    comes back wherever the last reference goes, be it within another call of the pool.

    Fresh memory of a picture's size costs some hundred page faults, more than its conversion.
    """

    def __init__(self) -> None:
        self._idle: collections.deque[Array] = collections.deque(maxlen=MOST_IDLE)

    def take(self, shape: tuple[int, ...]) -> Array:
        """An array of that shape; what is in it is arbitrary. Views of it keep it, too."""
        memory = self._take_idle(math.prod(shape))
        # Over a memoryview: numpy would have views of a plain array refer to `memory` itself.
        flat: Array = np.frombuffer(memory.data, np.uint8)
        weakref.finalize(flat, self._idle.append, memory).atexit = False
        return flat.reshape(shape)

    def _take_idle(self, size: int) -> Array:
        for _ in range(len(self._idle)):
            try:
                memory = self._idle.popleft()
            except IndexError:  # another thread was faster
                break
            if memory.size == size:
                return memory
            self._idle.append(memory)
        return np.empty(size, np.uint8)
