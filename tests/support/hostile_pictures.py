"""Pictures that claim too much, or aren't what is expected."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image


def png_header(width: int, height: int) -> bytes:
    """A PNG of nothing but a header that claims this size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )


def _file(size: tuple[int, int], kind: str) -> bytes:
    out = io.BytesIO()
    Image.new("1", size).convert("L").save(out, kind)
    return out.getvalue()


#: Contents of files; each is to be refused, whatever else it is said to be.
HOSTILE_PICTURES = {
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n",
    "postscript-of-dos": b"\xc5\xd0\xd3\xc6" + struct.pack("<II", 30, 60) + bytes(90),
    "178-megapixels": png_header(13_378, 13_378),
    "90-megapixels": png_header(9_000, 10_000),
    "gif-screen": b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x08\x01\0;",
    "bmp": b"BM" + struct.pack("<IIIIiiHHI", 200, 0, 54, 40, 30_000, 30_000, 1, 8, 1) + bytes(160),
    "tiff": _file((8, 8), "TIFF"),
    "ico": _file((16, 16), "ICO"),
    "ppm": b"P6 60000 60000 255\n" + bytes(99),
    "cut-short": _file((200, 200), "JPEG")[:300],
    "damaged": _file((64, 64), "PNG")[:30] + bytes(40),
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "empty": b"",
}
TOO_LARGE = ("178-megapixels", "90-megapixels", "gif-screen", "bmp")
