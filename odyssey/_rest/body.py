"""Reads bodies of HTTP answers."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from functools import partial

import requests
from urllib3.exceptions import ProtocolError

_PIECE = 65536
_GZIP, _ZLIB, _DEFLATE = 31, 15, -15  # as zlib calls them


def read_body(response: requests.Response) -> Iterator[bytes]:
    """Yields the body, unpacked. Raises if it is cut, also where only its packing shows that.

    Raises:
        requests.RequestException, urllib3.exceptions.HTTPError: it can't be read to its end.
        zlib.error: it is damaged.
    """
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    # As they come, so that nothing is lost before a cut.
    pieces = iter(partial(response.raw.read1, _PIECE, decode_content=False), b"")
    if encoding in ("", "identity"):
        yield from pieces
        return
    if encoding not in ("gzip", "x-gzip", "deflate"):
        # Nobody asked for it, and urllib3 may unpack it all at once.
        raise requests.exceptions.ContentDecodingError("packed in an unknown way")
    # urllib3 takes what it unpacked so far for all, and without a length there is no other sign.
    unpacker = None
    for piece in pieces:
        rest = piece
        while rest:
            if unpacker is None:
                unpacker = zlib.decompressobj(_format(encoding, rest))
            elif unpacker.eof:
                if encoding == "deflate" or rest[0] != 0x1F:
                    break  # padding
                unpacker = zlib.decompressobj(_GZIP)  # another member of the same file
            if unpacked := unpacker.decompress(rest, _PIECE):
                yield unpacked
            rest = unpacker.unconsumed_tail or unpacker.unused_data
    if unpacker is not None and (unpacked := unpacker.flush()):
        yield unpacked
    if response.headers.get("Content-Length") != "0" and not (unpacker and unpacker.eof):
        raise ProtocolError("the body broke off")


def _format(encoding: str, beginning: bytes) -> int:
    if encoding != "deflate":
        return _GZIP
    return _ZLIB if beginning[0] & 0x0F == 8 else _DEFLATE  # some servers send it bare
