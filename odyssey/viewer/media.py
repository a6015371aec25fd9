"""Passes files of recordings on, so that neither key nor signed URL reaches the page."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flask import Response, abort

from odyssey.client import Odyssey
from odyssey.errors import OdysseyServerError
from odyssey.recordings.artifact import ENDINGS
from odyssey.recordings.range_reader import RangeReader
from odyssey.viewer.texts import file_name_header

TYPES = {"video": "video/mp4", "preview": "video/mp4", "thumbnail": "image/jpeg"}
CHUNK = 64 * 1024
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


def serve(client: Odyssey, stream_id: str, name: str, asked: str | None, *, save: bool) -> Response:
    """Answers a request for a file of a recording.

    Args:
        name: Of the artifact.
        asked: The Range header. One range from a byte on is served; anything else gets the whole
            file, as HTTP allows.
        save: Whether the browser saves the file rather than shows it.
    """
    if name not in TYPES:
        abort(404, "A recording has no such file.")
    artifact = client.recordings._artifact(stream_id, name)
    found = _RANGE.fullmatch(asked or "")
    first = int(found[1]) if found else 0
    reader = RangeReader(artifact, seekable=True)
    reader.seek(first)
    try:
        seekable = reader.start()
    except OdysseyServerError as exc:
        if exc.status == 416:
            abort(416)
        raise
    if not seekable:
        reader.close()
        raise OdysseyServerError(f"could not show {artifact.title}: the storage has no ranges")
    size = reader.size or 0
    last = min(int(found[2]), size - 1) if found and found[2] else size - 1
    if last < first and found:
        reader.close()
        abort(416)
    response = Response(_read(reader, last + 1 - first), 206 if found else 200)
    response.call_on_close(reader.close)
    response.headers["Content-Type"] = TYPES[name]
    response.headers["Content-Length"] = str(last + 1 - first)
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Cache-Control"] = "private, max-age=3600"
    if found:
        response.headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    if save:
        saved_as = file_name_header(stream_id, ENDINGS[name])
        response.headers.set("Content-Disposition", "attachment", **saved_as)
    return response


def _read(reader: RangeReader, left: int) -> Iterator[bytes]:
    while left > 0:
        piece = reader.read(min(left, CHUNK))
        if not piece:
            return
        left -= len(piece)
        yield piece
