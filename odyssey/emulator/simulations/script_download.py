"""Scripts that a simulation names by their address."""

from __future__ import annotations

from typing import Any

import aiohttp
from aiohttp import ClientError, ClientSession, ClientTimeout

from odyssey.emulator.payloads import parsed, read_json
from odyssey.emulator.simulations.script import ScriptError

__all__ = ["download_script"]

_MOST_BYTES = 40 * 1024 * 1024  # a picture of 25 MB in base64, and the rest
_SECONDS = 20.0
_REDIRECTS = 5


async def download_script(url: str) -> Any:
    """Downloads the JSON at `url`.

    Raises:
        ScriptError: There is none, or it is too large or too slow.
    """
    timeout = ClientTimeout(total=_SECONDS)
    try:
        async with (
            ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.get(url, max_redirects=_REDIRECTS) as response,
        ):
            if response.status != 200:
                raise ScriptError(f"script_url: answered with HTTP {response.status}")
            data = await _body_of(response)
        return await parsed(data, read_json)
    except TimeoutError as exc:
        raise ScriptError(f"script_url: no answer within {_SECONDS:g} s") from exc
    except ScriptError:
        raise
    except ValueError as exc:  # aiohttp's InvalidURL is a ValueError too
        raise ScriptError("script_url: not an address of JSON") from exc
    except (ClientError, OSError) as exc:
        raise ScriptError(f"script_url: {type(exc).__name__}") from exc


async def _body_of(response: aiohttp.ClientResponse) -> bytes:
    data = bytearray()
    async for chunk in response.content.iter_chunked(65536):
        data += chunk
        if len(data) > _MOST_BYTES:
            raise ScriptError(f"script_url: larger than {_MOST_BYTES // 1024 // 1024} MB")
    return bytes(data)
