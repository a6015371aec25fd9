"""A video to download, and a file that is there already."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.storage import Storage

VIDEO = random.Random(1).randbytes(3_000_000)
OLD = b"what was there before"


@pytest.fixture
def storage() -> Iterator[Storage]:
    files = {"video": VIDEO, "events": b"{}\n", "thumbnail": b"jpeg", "preview": b"small"}
    with Storage(files) as storage:
        yield storage


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A file that is there already."""
    path = tmp_path / "old.mp4"
    path.write_bytes(OLD)
    return path


def untouched(target: Path) -> bool:
    return target.read_bytes() == OLD and list(target.parent.iterdir()) == [target]
