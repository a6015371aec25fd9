"""Whatever a caller passes is taken, or refused with `ValueError` or `TypeError` at the call."""

from __future__ import annotations

import functools
import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image, features

from odyssey import Odyssey, OdysseyError, Recording
from odyssey._checks import path_segment
from odyssey._images import encode_image
from odyssey._live.whep import WhepAddress, WhepSession
from odyssey._protocol import messages
from odyssey._runtime.deadline import Deadline
from odyssey.config import check_api_url
from odyssey.recordings.download import target_of
from odyssey.simulations.api import _check_script_url, _prepare_scripts
from odyssey.simulations.script import prepare_script
from tests.support.servers import free_port, short_pauses  # noqa: F401
from tests.support.strategies import JSON, TEXT, TOKENS, examples

KEY = "ody_0123456789abcdef"

# Ids. They name recordings, and so places at the service and files.

ODD_IDS = st.sampled_from(
    [
        *("", " ", ".", "..", "../../etc/passwd", "..\\..\\x", "/etc/passwd", "C:\\x", "a/b"),
        *("a?b=c", "a#b", "%2e%2e", "%2f", "a\0b", "a\nb", "é", "\U0001f600", "\ud800", "~", "-rf"),
    ]
)


@given(ODD_IDS | st.text(st.characters()) | JSON)
def test_any_id_is_one_segment_of_a_path_or_refused(stream_id: Any) -> None:
    try:
        segment = path_segment(stream_id)
    except TypeError:
        assert not isinstance(stream_id, str)
    except ValueError as exc:
        assert str(exc).startswith("stream_id must be an id that the service gave")
    else:
        assert unquote(segment) == stream_id
        assert set(segment) <= set(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%"
        )
        assert segment not in (".", "..")


@given(
    ODD_IDS | TEXT,
    st.sampled_from(["video", "events", "thumbnail", "preview"]),
    st.sampled_from(["folder/", "folder"]),
)
def test_a_recording_is_put_into_the_folder_and_nowhere_else(
    stream_id: str, name: str, folder: str
) -> None:
    try:
        target = target_of(folder + "/", stream_id, name)
    except ValueError:
        return
    assert target.parent == Path("folder")
    assert target.resolve().parent == Path("folder").resolve()


def test_no_call_goes_anywhere_for_an_id_that_is_none(tmp_path: Path) -> None:
    with Odyssey(KEY, api_url=f"http://127.0.0.1:{free_port()}", timeout=1) as client:

        @given(st.sampled_from(["", " ", ".", "..", "\ud800"]))
        def check(stream_id: str) -> None:
            calls = (
                lambda: client.recordings.get(stream_id),
                lambda: client.recordings.wait(stream_id, timeout=1),
                lambda: client.recordings.download(stream_id, tmp_path),
                lambda: client.recordings.download(Recording(stream_id, "http://x"), tmp_path),
                lambda: client.recordings.events(stream_id),
                lambda: client.simulations.get(stream_id),
                lambda: client.simulations.cancel(stream_id),
            )
            for call in calls:
                with pytest.raises(ValueError, match="must be an id"):
                    call()
            assert list(tmp_path.iterdir()) == []

        check()


# Addresses. No host of these needs to be looked up.

HOSTS = st.sampled_from(
    ["127.0.0.1", "[::1]", "[::1", "a..b", "a" * 70, "\ud800", "x y", "", "[v1.x]", "xn--"]
)
ADDRESSES = st.builds(
    "{}{}{}:{}{}".format,
    st.sampled_from(["http://", "https://", "ftp://", "file://", "//", "HTTP:", ""]),
    st.sampled_from(["", "", "", "me:word@", "@", "%00@"]),
    HOSTS,
    st.just(str(free_port())) | TOKENS,
    st.sampled_from(["", "/", "/x?sig=5ec2e7", "/%", "/\ud800", "/x\ny", "#x", "/a/../b"]),
)


@examples(60)
@given(ADDRESSES | TEXT)
def test_an_api_address_is_refused_at_once_or_fails_as_documented(url: str) -> None:
    try:
        check_api_url(url)
    except ValueError as exc:
        assert "5ec2e7" not in str(exc)
        return
    assume("127.0.0.1" in url or "::1" in url)
    with Odyssey(KEY, api_url=url, timeout=0.3) as client:
        with pytest.raises(OdysseyError):
            client.recordings.list()


@examples(60)
@given(ADDRESSES | TEXT)
def test_a_broadcasts_address_is_refused_at_once_or_fails_as_documented(url: str) -> None:
    try:
        address = WhepAddress(url, "token")
    except ValueError as exc:
        assert "5ec2e7" not in str(exc)
        return
    assume("127.0.0.1" in url or "::1" in url)
    session = WhepSession(address)
    try:
        assert session.ice_servers(Deadline.after(0.3)) == []
        with pytest.raises(OdysseyError) as caught:
            session.join("v=0", Deadline.after(0.3))
        assert "5ec2e7" not in str(caught.value)
    finally:
        session.close()


@pytest.mark.slow
@examples(60)
@given(ADDRESSES | TEXT)
def test_a_presigned_address_that_cannot_be_fetched_fails_as_documented(url: str) -> None:
    assume(not url.startswith("http") or "127.0.0.1" in url or "::1" in url)
    with Odyssey(KEY, api_url=f"http://127.0.0.1:{free_port()}", timeout=0.3) as client:
        recording = Recording("s1", events_url=url)
        with pytest.raises(OdysseyError) as caught:
            client.recordings.events(recording)
        assert "5ec2e7" not in str(caught.value)


@given(ADDRESSES | TEXT | JSON)
def test_a_scripts_address_is_one_or_refused(url: Any) -> None:
    try:
        assert _check_script_url(url) == url
    except TypeError:
        assert not isinstance(url, str)
    except ValueError as exc:
        assert "5ec2e7" not in str(exc)


# Scripts and prompts.

ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "timestamp_ms": st.integers(0, 3000) | JSON | st.just(10**5000),
        "start": JSON | st.fixed_dictionaries({"prompt": TEXT}, optional={"image": JSON}),
        "interact": JSON | st.fixed_dictionaries({"prompt": TEXT}),
        "end": JSON | st.just({}),
    },
)
RIGHT = [
    {"timestamp_ms": 0, "start": {"prompt": "A cat"}},
    {"timestamp_ms": 500, "interact": {"prompt": "It yawns"}},
    {"timestamp_ms": 900, "end": {}},
]
SCRIPTS = (
    st.lists(ENTRY | JSON, max_size=4)
    | st.tuples(st.permutations(RIGHT), ENTRY | JSON, st.integers(0, 3)).map(
        lambda t: [*t[0][: t[2]], t[1], *t[0][t[2] :]]
    )
    | JSON
    | st.dictionaries(st.integers() | st.binary(), JSON, max_size=2)
)


@given(SCRIPTS)
def test_any_script_is_taken_or_refused(script: Any) -> None:
    try:
        prepared = prepare_script(script, portrait=True)
    except ValueError as exc:
        assert str(exc).startswith("script")
        return
    assert prepared[0]["timestamp_ms"] == 0
    assert "end" in prepared[-1]
    assert json.loads(json.dumps(prepared)) == prepared


@given(st.lists(SCRIPTS, max_size=2) | JSON)
def test_any_scripts_are_taken_or_refused(scripts: Any) -> None:
    try:
        assert len(_prepare_scripts(scripts, portrait=True)) == len(scripts)
    except ValueError as exc:
        assert str(exc).startswith("scripts")


PROMPTS = st.sampled_from(["\0", "\ud800", "é" * 70_000, "\u2028", "\x1b[2J"]) | st.text(
    st.characters()
)


@given(PROMPTS)
def test_any_prompt_can_be_sent(prompt: str) -> None:
    start = messages.interactive_stream_start(
        prompt, portrait=True, image=None, broadcast=False, bypass_prompt_expansion=False
    )
    for text in (start, messages.update(prompt)):
        assert json.loads(text)["prompt"] == prompt
        text.encode()


# Pictures.


@functools.cache
def pictures() -> tuple[bytes, ...]:
    """A small picture in each format."""
    made = []
    picture = Image.effect_noise((24, 16), 60).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF"):
        if kind == "AVIF" and not features.check("avif"):
            continue
        file = io.BytesIO()
        more = {"exif": exif} if kind in ("JPEG", "PNG", "WEBP") else {}
        picture.save(file, kind, **more)
        made.append(file.getvalue())
    return tuple(made)


@st.composite
def spoilt_pictures(draw: st.DrawFn) -> bytes:
    data = draw(st.sampled_from(pictures()))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, 60) | st.integers(0, len(data)))
        data = data[:at] + draw(st.binary(max_size=6)) + data[at + draw(st.integers(0, 6)) :]
    return data[: draw(st.none() | st.integers(0, len(data)))]


@given(
    spoilt_pictures()
    | st.binary(max_size=40)
    | st.tuples(st.sampled_from([p[:12] for p in pictures()]), st.binary()).map(b"".join)
)
def test_any_bytes_are_a_picture_or_refused(data: bytes) -> None:
    try:
        url = encode_image(data, portrait=True)
    except ValueError as exc:
        assert str(exc).startswith("image: ")
        return
    assert url.startswith("data:image/jpeg;base64,")


@given(
    JSON | st.builds("data:{},{}".format, TEXT | st.just("image/png;base64"), TEXT) | TEXT.map(Path)
)
def test_anything_is_a_picture_or_refused(image: Any) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        encode_image(image, portrait=True)
    assert str(caught.value).startswith("image: ")
