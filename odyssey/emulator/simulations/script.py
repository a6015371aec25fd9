"""Scripts of simulations, checked as the service checks them."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import attrs

from odyssey.emulator.live.messages import picture_of
from odyssey.emulator.refusals import refused

__all__ = ["Cue", "Script", "ScriptError", "SimulationRequest"]

_ACTIONS = ("start", "interact", "end")
_SOURCES = ("script", "scripts", "script_url")


class ScriptError(ValueError):
    """A script that can't be played; the text names the entry, as in "script[2]"."""


@attrs.frozen
class Cue:
    """An interaction: `prompt` from `timestamp_ms` on."""

    timestamp_ms: int
    prompt: str


@attrs.frozen
class Script:
    """A script that can be played.

    Attributes:
        image: A data URL of the picture to start from.
        cues: The interactions in order.
        end_ms: The length of the video.
    """

    prompt: str
    image: str | None = attrs.field(repr=False)
    cues: tuple[Cue, ...]
    end_ms: int

    @classmethod
    def read(cls, value: object, *, name: str = "script", longest_ms: float) -> Script:
        """Reads the JSON of a script, without fields that it does not know; decodes its picture.

        Raises:
            ScriptError: It can't be played.
        """
        if not isinstance(value, list) or not value:
            raise ScriptError(f"{name}: expected a list of entries that is not empty")
        entries = [_Entry.read(entry, f"{name}[{i}]") for i, entry in enumerate(value)]
        _check_order(entries)
        end_ms = entries[-1].timestamp_ms
        if end_ms > longest_ms:
            raise ScriptError(f"{entries[-1].where}: longer than {longest_ms / 1000:g} s")
        first = entries[0]
        cues = tuple(Cue(entry.timestamp_ms, entry.prompt()) for entry in entries[1:-1])
        return cls(first.prompt(), first.image(), cues, end_ms)


@attrs.frozen
class _Entry:
    where: str
    timestamp_ms: int
    action: str
    content: dict[str, Any]

    @classmethod
    def read(cls, value: object, where: str) -> _Entry:
        if not isinstance(value, dict):
            raise ScriptError(f"{where}: expected an object")
        time = value.get("timestamp_ms")
        if isinstance(time, bool) or not isinstance(time, (int, float)) or time != time // 1:
            raise ScriptError(f"{where}: timestamp_ms: expected a whole number of milliseconds")
        if time < 0:
            raise ScriptError(f"{where}: timestamp_ms: negative")
        actions = [action for action in _ACTIONS if action in value]
        if len(actions) != 1:
            raise ScriptError(f"{where}: expected exactly one of start, interact and end")
        content = value[actions[0]]
        if not isinstance(content, dict):
            raise ScriptError(f"{where}: {actions[0]}: expected an object")
        return cls(where, int(time), actions[0], content)

    def prompt(self) -> str:
        prompt = self.content.get("prompt")
        if not isinstance(prompt, str) or not prompt.strip():
            raise ScriptError(f"{self.where}: prompt: expected text that is not empty")
        return prompt

    def image(self) -> str | None:
        url = self.content.get("image")
        if url is None:
            return None
        if not isinstance(url, str):
            raise ScriptError(f"{self.where}: image: expected a data URL")
        try:
            picture_of(url)
        except ValueError as exc:
            raise ScriptError(f"{self.where}: image: {exc}") from exc
        return url


def _check_order(entries: list[_Entry]) -> None:
    first, last = entries[0], entries[-1]
    if first.action != "start" or first.timestamp_ms != 0:
        raise ScriptError(f"{first.where}: expected a start at 0")
    for earlier, entry in pairwise(entries):
        if entry.action == "start":
            raise ScriptError(f"{entry.where}: a second start")
        if earlier.action == "end":
            raise ScriptError(f"{entry.where}: after the end")
        if entry.timestamp_ms < earlier.timestamp_ms:
            raise ScriptError(f"{entry.where}: timestamp_ms: before that of the entry before")
    if last.action != "end" or last.timestamp_ms == 0:
        raise ScriptError(f"{last.where}: expected an end, later than 0")


@attrs.frozen(kw_only=True)
class SimulationRequest:
    """The body of `POST /simulation-jobs`.

    Attributes:
        scripts: What is to be rendered, in JSON, unless it is at `script_url`.
        batch: Whether these came as `scripts`, which is how errors name them.
    """

    scripts: list[Any] | None = attrs.field(repr=False)
    script_url: str | None
    batch: bool
    portrait: bool
    bypass_expansion: bool

    @classmethod
    def of_body(cls, body: dict[str, Any]) -> SimulationRequest:
        """Reads the body.

        Raises:
            RefusedError: A flag is wrong (422), or there is not one source of scripts (400).
        """
        given = [source for source in _SOURCES if body.get(source) is not None]
        if len(given) != 1:
            raise refused(400, "expected exactly one of script, scripts and script_url")
        url, scripts = body.get("script_url"), body.get("scripts")
        if url is not None and not _is_web_address(url):
            raise refused(400, "script_url: expected an http:// or https:// address")
        if scripts is not None and not (isinstance(scripts, list) and scripts):
            raise refused(400, "scripts: expected a list of scripts that is not empty")
        return cls(
            scripts=[body["script"]] if given == ["script"] else scripts,
            script_url=url,
            batch=scripts is not None,
            portrait=_flag(body, "portrait", True),
            bypass_expansion=_flag(body, "bypass_vlm_expansion", False),
        )

    def dumps(self) -> str:
        return json.dumps(attrs.asdict(self))

    @classmethod
    def loads(cls, text: str) -> SimulationRequest:
        return cls(**json.loads(text))

    def read(self, longest_ms: float, *, images: bool) -> list[Script]:
        """Checks and returns the scripts of the request.

        Args:
            longest_ms: The length that a video may have.
            images: Whether streams may start from a picture.

        Raises:
            ScriptError: One can't be played.
        """
        scripts = []
        for i, value in enumerate(self.scripts or ()):
            name = f"scripts[{i}]" if self.batch else "script"
            script = Script.read(value, name=name, longest_ms=longest_ms)
            if script.image is not None and not images:
                raise ScriptError(f"{name}[0]: image: this model does not start from a picture")
            scripts.append(script)
        return scripts

    def with_script(self, script: Any) -> SimulationRequest:
        """Returns the same request with the script from `script_url`."""
        return attrs.evolve(self, scripts=[script], script_url=None)


def _is_web_address(url: object) -> bool:
    return isinstance(url, str) and url.lower().startswith(("http://", "https://"))


def _flag(body: dict[str, Any], name: str, default: bool) -> bool:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise refused(422, f"{name}: expected true or false")
    return value
