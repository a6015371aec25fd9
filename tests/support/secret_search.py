"""Secrets that a test knows exactly, everything that was shown, and the search for the ones in the
other.
"""

from __future__ import annotations

import gc
import logging
import secrets
import traceback
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote, urlsplit

import attrs
import pytest
from aioice import ice

from odyssey import OdysseyError
from odyssey.emulator import tokens
from odyssey.emulator.recordings import presigned

E = TypeVar("E", bound=BaseException)

#: Text before and behind a secret that is shown where one was found.
AROUND = 60
AN_ADDRESS = "the query of a presigned address"


@attrs.define
class Secrets:
    """What must not be seen: a text and what it is."""

    known: dict[str, str] = attrs.field(factory=dict)

    def add(self, what: str, text: str) -> str:
        assert len(text) >= 8, "too short to be found by"
        for form in (text, quote(text, safe=""), repr(text)[1:-1]):
            self.known[form] = what
        return text

    def add_jwt(self, token: str) -> str:
        """The token, its payload and its signature; its head is the same everywhere."""
        _, payload, signature = token.split(".")
        for part in (token, payload, signature):
            self.add("part of a session token", part)
        return token

    def add_url(self, url: str) -> str:
        """The query, and what is in it."""
        query = urlsplit(url).query
        for text in (query, *(value for _, value in parse_qsl(query))):
            self.add(AN_ADDRESS, text)
        return url

    def add_ice_password(self, text: str) -> None:
        """The names that go with them are shorter, and no secret."""
        if len(text) > 8:
            self.add("a password of ICE", text)

    def found_in(self, text: str) -> set[str]:
        """What of it is there."""
        return {what for secret, what in self.known.items() if secret in text}

    def learn_from_emulators(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whatever they give out from now on."""
        for owner, method, note in (
            (tokens.BearerTokens, "issue", lambda token: self.add("a bearer token", token)),
            (tokens.SessionTokens, "issue", self.add_jwt),
            (presigned.UrlSigner, "sign", self.add_url),
            (secrets, "token_urlsafe", lambda token: self.add("a token", token)),
            (ice, "random_string", self.add_ice_password),
        ):
            monkeypatch.setattr(owner, method, noted(getattr(owner, method), note))


def noted(function: Callable[..., str], note: Callable[[str], object]) -> Callable[..., str]:
    """The same function; what it returns is noted."""

    def call(*args: Any) -> str:
        result = function(*args)
        note(result)
        return result

    return call


class Shown(logging.Handler):
    """Everything that a user, a log or a debugger gets to see, and where."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[tuple[str, str]] = []
        self.setFormatter(logging.Formatter("%(name)s %(threadName)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != "websockets.server":  # a test's own
            self.texts.append((f"the log of {record.name}", self.format(record)))

    def add(self, where: str, value: object) -> None:
        self.texts += [(where, repr(value)), (where, str(value))]

    def objects(self) -> int:
        """All objects of ours that there are now; how many."""
        ours = [o for o in gc.get_objects() if str(type(o).__module__).startswith("odyssey")]
        for value in ours:
            self.texts.append((f"the repr of a {type(value).__qualname__}", repr(value)))
        return len(ours)

    def fails(self, call: Callable[[], object], *classes: type[BaseException]) -> BaseException:
        """The error of the call, which is shown in every way there is."""
        with pytest.raises(classes or (OdysseyError,)) as caught:
            call()
        self.error(caught.value)
        return caught.value

    def error(self, error: BaseException) -> None:
        name = f"a {type(error).__name__}"
        self.texts.append((name, "".join(traceback.format_exception(error))))
        for one in chain(error):
            where = f"{name}: its {type(one).__name__}"
            self.add(where, one)
            self.add(where, one.args)
            self.add(where, getattr(one, "__notes__", None))
            self.add(where, vars(one))
            for value in vars(one).values():
                if type(value).__module__.startswith(("requests", "websockets")):
                    self.add(where, getattr(value, "__dict__", None))
            for frame, _ in traceback.walk_tb(one.__traceback__):
                self.frame(frame)

    def frame(self, frame: FrameType) -> None:
        """What `pytest -l` and error trackers show: local variables, and what these consist of."""
        if str(frame.f_globals.get("__name__")).startswith("tests."):
            return  # of the user, who knows the secrets
        for name, value in frame.f_locals.items():
            where = f"{name!r} in {frame.f_code.co_qualname} of {frame.f_globals.get('__name__')}"
            for shown in (value, getattr(value, "__dict__", None)):
                self.texts.append((where, repr(shown)))

    def leaks(self, secrets: Secrets) -> list[str]:
        found = []
        for where, text in self.texts:
            for secret, what in secrets.known.items():
                if secret in text:
                    before, _, behind = text.partition(secret)
                    shown = f"{before[-AROUND:]}<HERE>{behind[:AROUND]}"
                    found.append(f"{what} in {where}: {shown!r}")
        return found


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it was raised from, or carries."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [*one.args, *vars(one).values(), one.__cause__, one.__context__]
