"""Scripts of simulations are checked before anything is sent, and the error names the entry."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from odyssey import Odyssey
from odyssey.simulations.script import prepare_script

START: dict[str, Any] = {"timestamp_ms": 0, "start": {"prompt": "A cat"}}
YAWN = {"timestamp_ms": 1000, "interact": {"prompt": "It yawns"}}
END: dict[str, Any] = {"timestamp_ms": 2000, "end": {}}


def test_a_script_stays_as_it_is() -> None:
    script = [START, YAWN, END]
    assert prepare_script(script, portrait=True) == script


def test_pictures_are_encoded_like_those_of_streams() -> None:
    picture = Image.new("RGB", (20, 10), "red")
    start = {"timestamp_ms": 0, "start": {"prompt": "A cat", "image": picture}}
    prepared = prepare_script([start, END], portrait=False)
    assert prepared[0]["start"]["image"].startswith("data:image/jpeg;base64,")
    assert start["start"]["image"] is picture  # type: ignore[index]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ([], "script is empty"),
        ([END], r"script\[0\].*start at 0"),
        ([YAWN, END], r"script\[0\].*start at 0"),
        ([{**START, "timestamp_ms": 5}, END], r"script\[0\].*start at 0"),
        ([START, START, END], r"script\[1\].*only the first"),
        ([START, YAWN], r"script\[1\].*last entry must be an end"),
        ([START, END, END], r"script\[1\].*nothing may come after"),
        ([START, YAWN, {**YAWN, "timestamp_ms": 500}, END], r"script\[2\].*goes back to 500"),
        ([START, {**YAWN, "end": {}}, END], r"script\[1\].*interact and end"),
        ([START, {"timestamp_ms": 5}, END], r"script\[1\].*exactly one"),
        ([START, {**YAWN, "intract": {}}, END], r"script\[1\].*'intract'"),
        ([START, {**YAWN, "timestamp_ms": 1.5}, END], r"script\[1\].*whole number"),
        ([START, {**YAWN, "timestamp_ms": True}, END], r"script\[1\].*whole number"),
        ([START, {**YAWN, "timestamp_ms": -1}, END], r"script\[1\].*negative"),
        ([START, {**END, "timestamp_ms": 10**5000}], r"script\[1\].*too large"),
        ([START, {"timestamp_ms": 1, "interact": {"prompt": " "}}, END], r"script\[1\].*prompt"),
        ([START, {"timestamp_ms": 1, "interact": {"image": b""}}, END], r"script\[1\].*'image'"),
        (
            [START, {"timestamp_ms": 1, "interact": {"prompt": "\ud83d"}}, END],
            r"script\[1\].*half a character",
        ),
        ([START, {"timestamp_ms": 0, "end": {}}], r"script\[1\].*length"),
        (
            [{"timestamp_ms": 0, "start": {"prompt": "x", "image": "no/such.png"}}, END],
            r"script\[0\].*no/such.png",
        ),
    ],
)
def test_what_is_wrong_is_named(script: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        prepare_script(script, portrait=True)


@pytest.mark.parametrize("script", ["start", b"", 7, {"timestamp_ms": 0}, [7], [START, None]])
def test_what_is_no_script(script: Any) -> None:
    with pytest.raises(ValueError, match="script"):
        prepare_script(script, portrait=True)


def test_exactly_one_kind_of_script() -> None:
    with Odyssey("ody_" + "k" * 20, api_url="http://127.0.0.1:9") as client:
        for wrong in (
            {},
            {"script": [START, END], "scripts": [[START, END]]},
            {"script": [START, END], "script_url": "https://example.com/script.json"},
        ):
            with pytest.raises(ValueError, match="exactly one"):
                client.simulate(**wrong)
        with pytest.raises(ValueError, match=r"scripts\[1\]\[0\]"):
            client.simulate(scripts=[[START, END], [END]])
        for url in ("script.json", "ftp://example.com/x", "http://"):
            with pytest.raises(ValueError, match="script_url"):
                client.simulate(script_url=url)
