"""Memory comes back when nobody holds any part of it, and not before."""

from __future__ import annotations

import gc
import threading

import numpy as np

from odyssey._rtc.pool import MOST_IDLE, ArrayPool
from odyssey.frames import Array

SHAPE = (32, 16, 3)


def address(array: Array) -> int:
    return array.ctypes.data


def test_what_nobody_holds_is_used_again() -> None:
    pool = ArrayPool()
    first = pool.take(SHAPE)
    at = address(first)
    del first
    assert address(pool.take(SHAPE)) == at


def test_what_somebody_holds_is_not() -> None:
    pool = ArrayPool()
    held = [pool.take(SHAPE) for _ in range(10)]
    assert len({address(array) for array in held}) == 10


def test_any_view_keeps_the_memory() -> None:
    pool = ArrayPool()
    views: list[object] = []
    for make in (
        lambda a: a[3:5, ::2],
        lambda a: a.reshape(-1)[7:],
        lambda a: a.T,
        lambda a: a.data,
        lambda a: np.frombuffer(a.data, np.uint8),
        lambda a: a.view(np.int8),
        lambda a: np.asarray(a)[0][0],
    ):
        array = pool.take(SHAPE)
        at = address(array)
        views.append(make(array))
        del array
        gc.collect()
        other = pool.take(SHAPE)
        assert address(other) != at
        views.append(other)


def test_memory_of_another_size_is_not_taken() -> None:
    pool = ArrayPool()
    del [pool.take(SHAPE)][0]
    larger = pool.take((64, 64, 3))
    larger[:] = 1
    assert larger.shape == (64, 64, 3)
    assert pool.take(SHAPE).shape == SHAPE


def test_only_a_few_are_kept() -> None:
    pool = ArrayPool()
    held = [pool.take(SHAPE) for _ in range(3 * MOST_IDLE)]
    held.clear()
    assert len(pool._idle) == MOST_IDLE


def test_many_threads() -> None:
    pool = ArrayPool()
    wrong: list[int] = []

    def work(mark: int) -> None:
        for _ in range(500):
            array = pool.take(SHAPE)
            array[:] = mark
            if not (array == mark).all():
                wrong.append(mark)

    threads = [threading.Thread(target=work, args=(mark,)) for mark in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
