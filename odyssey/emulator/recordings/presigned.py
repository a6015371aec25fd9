"""Signed, expiring URLs of a recording's files, as an object store hands them out."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from urllib.parse import urlencode

import attrs
from aiohttp import web

from odyssey.emulator.clock import steady_time
from odyssey.emulator.faults import DownloadCut, Faults, UrlExpired
from odyssey.emulator.refusals import refused
from odyssey.emulator.tokens import encoded, is_same

__all__ = ["FileServer", "UrlSigner"]

_TYPES = {
    ".mp4": "video/mp4",
    ".jpg": "image/jpeg",
    ".jsonl": "application/x-ndjson",
}


@attrs.frozen(eq=False)
class UrlSigner:
    """Signs a path and the time up to which it may be fetched."""

    _secret: bytes = attrs.field(repr=False)

    def sign(self, path: str, seconds: float) -> str:
        """`path` with a query that lets it be fetched for so many seconds."""
        expires = f"{steady_time() + seconds:.3f}"
        return f"{path}?{urlencode({'expires': expires, 'signature': self._of(path, expires)})}"

    def is_valid(self, path: str, expires: str, signature: str) -> bool:
        """Whether the signature is right and the time not over."""
        if not is_same(signature, self._of(path, expires)):
            return False
        return steady_time() < float(expires)

    def _of(self, path: str, expires: str) -> str:
        return hmac.new(self._secret, encoded(f"{path}\n{expires}"), hashlib.sha256).hexdigest()


@attrs.frozen(eq=False)
class FileServer:
    """Answers GET and HEAD of `/files/{stream_id}/{name}`."""

    _folder: Path
    _signer: UrlSigner
    _faults: Faults

    async def get(self, request: web.Request) -> web.StreamResponse:
        if "Authorization" in request.headers:
            raise refused(400, "a signed URL takes no Authorization header")
        query = request.query
        if not self._signer.is_valid(
            request.path, query.get("expires", ""), query.get("signature", "")
        ) or self._faults.take(UrlExpired):
            raise refused(403, "the URL has expired or its signature is wrong")
        path = self._folder / request.match_info["stream_id"] / request.match_info["name"]
        # The signature covers the path, and only paths of existing recordings are ever signed.
        if not path.is_file():
            raise refused(404, "no such file")
        headers = {
            "Content-Type": _TYPES.get(path.suffix, "application/octet-stream"),
            "Cache-Control": "private, max-age=3600",
        }
        tag = _entity_tag(path)
        condition = request.headers.get("If-Range", "")
        if request.method == "GET" and not _range_holds(condition, tag):
            headers |= {"ETag": tag, "Accept-Ranges": "bytes", "Content-Disposition": "inline"}
            return web.Response(body=path.open("rb"), headers=headers)
        if request.method == "GET" and (cut := self._faults.take(DownloadCut)):
            answer, part = _part(path, headers | {"ETag": tag}, request.http_range, cut.share)
            await answer.prepare(request)
            await answer.write(part)
            if request.transport is not None:
                request.transport.close()
            return answer
        return web.FileResponse(path, headers=headers)


def _part(
    path: Path, headers: dict[str, str], wanted: slice, share: float
) -> tuple[web.StreamResponse, bytes]:
    """Returns the answer with all that is wanted of the file, and the share of it that comes."""
    size = path.stat().st_size
    start, stop, _ = wanted.indices(size)
    answer = web.StreamResponse(headers=headers | {"Accept-Ranges": "bytes"})
    if wanted != slice(None, None, 1):
        answer.set_status(206)
        answer.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    answer.content_length = stop - start
    with path.open("rb") as file:
        file.seek(start)
        return answer, file.read(round((stop - start) * share))


def _range_holds(condition: str, tag: str) -> bool:
    """Whether `If-Range` lets a range be sent.

    aiohttp sees to one with a date; one with another file's tag asks for the whole file.
    """
    return not condition.startswith(('"', "W/")) or condition == tag


def _entity_tag(path: Path) -> str:
    """Returns the tag that aiohttp gives the file."""
    stat = path.stat()
    return f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'
