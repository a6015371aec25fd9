"""Keeps keys, tokens and the queries of presigned URLs out of reprs, messages and logs."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import logging
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any, NoReturn, ParamSpec, TypeVar

from odyssey.errors import LONGEST_SAID, printable

P = ParamSpec("P")
T = TypeVar("T")


class Secret:
    """A key, a token or a signed address, in no repr, text, pickle or traceback.

    It is passed on as it is; `reveal` gives the text where that leaves: in the header, the body or
    the call of a library.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    @property
    def is_one_word(self) -> bool:
        """Whether there is neither white space nor a control character in it."""
        return self._text.isprintable() and " " not in self._text

    @property
    def fits_header(self) -> bool:
        """Whether a header can carry it."""
        return bool(self._text) and self._text.isascii() and self.is_one_word

    def __repr__(self) -> str:
        return "…"

    def __format__(self, _: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, _: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret can't be pickled")


def hidden(value: object) -> object:
    """A text as a `Secret`; what is none, as it is."""
    return Secret(value) if isinstance(value, str) else value


def revealed(value: Any) -> Any:
    """What a secret, or a mapping with secrets in it, is for a library to send."""
    if isinstance(value, Mapping):
        return {name: revealed(entry) for name, entry in value.items()}
    return value.reveal() if isinstance(value, Secret) else value


#: Characters of an address that are shown.
_LONGEST_URL = 200
#: Characters of a text from elsewhere that are searched for secrets; fewer are shown.
_LONGEST_READ = 10_000

_PATTERNS = (
    # A user name and a password in an address.
    (re.compile(r"//[^\s/?#\"<>]*@"), "//…@"),
    # The query of any URL or path: presigned signatures and `?token=` both live there. What may be
    # part of a query is taken for it, but for punctuation at its end.
    (re.compile(r"\?[^\s\"<>]*[^\s\"<>'.,;:)\]}]"), "?…"),
    (re.compile(r"(?i)\b(bearer)\s+[^\s\"',)]+"), r"\1 …"),
    # A JSON web token, wherever it stands, also with its middle left out as websockets logs it.
    # Looked for once a word: with a look from each "eyJ" in it, a long word could take minutes.
    (re.compile(r"(?<![\w-])(?=[\w-]*eyJ)[\w-]+\.{1,3}[\w-]+(?:\.[\w-]*)?"), "…"),
    # JSON and header fields that carry a secret by name.
    (
        re.compile(
            r"(?i)(\b(?:\w*token|api_key|authorization|credential|password)[\"']?\s*[:=]\s*)"
            r"(\"[^\"]*\"|'[^']*'|[^\s,;}&]+)"
        ),
        r"\1…",
    ),
)


def redacted(text: str) -> str:
    """Replaces every URL query, bearer token and secret field in `text` by "…"."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def shown_text(text: str) -> str:
    """What the service says, as it is shown to people: redacted, printable and short."""
    return printable(redacted(text[:_LONGEST_READ]), LONGEST_SAID)


def shown_url(url: str | None) -> str:
    """Shows a URL in a repr, shortened, and without what may be a secret: its query, which may be a
    signature, its fragment, and what stands before an `@`.
    """
    if url is None:
        return "None"
    head, query, _ = url.partition("?")
    head, fragment, _ = head.partition("#")
    if "@" in head:
        scheme, slashes, _ = head.partition("//")
        head = (scheme + slashes if slashes else "") + "…@" + head.rpartition("@")[2]
    head = redacted(head)
    if len(head) > _LONGEST_URL:
        head = head[:_LONGEST_URL] + "…"
    return repr(head + ("#…" if fragment else "") + ("?…" if query else ""))


def shown_wrong_url(text: str) -> str:
    """Says what came instead of a usable address; a password in it may have any character."""
    return "one with a user name or a password" if "@" in text else shown_url(text)


def scrub(exc: BaseException) -> BaseException:
    """Redacts the texts of `exc` and of all that it came from, in place, and returns it.

    Errors of HTTP libraries carry the URL that failed, and so a signature, and the request with its
    headers and body; a traceback prints the causes too, and may show what is in its frames.
    """
    for item in _origins(exc):
        item.args = tuple(redacted(a) if isinstance(a, str) else a for a in item.args)
        if isinstance(item, OSError) and isinstance(item.strerror, str):
            item.strerror = redacted(item.strerror)  # what it shows, where it has one
        for name, value in list(vars(item).items()):
            if isinstance(value, str):
                setattr(item, name, redacted(value))
        _strip(item)
    return forget_locals(exc)


def forget_locals(exc: BaseException) -> BaseException:
    """Empties the frames of `exc` that are over, for those who show local variables: `pytest -l`,
    error trackers. Libraries have headers and addresses there. Returns `exc`.
    """
    for item in _origins(exc):
        traceback.clear_frames(item.__traceback__)
    return exc


def without_locals(function: Callable[P, T]) -> Callable[P, T]:
    """The same function, whose errors show none of its local variables: they are JSON with secrets
    in it, or what was made of that.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except BaseException as exc:
            del args, kwargs
            forget_locals(exc)
            raise

    return call


def _origins(exc: BaseException) -> Iterator[BaseException]:
    """The error and all that it came from, but what its caller was handling before: that one is not
    ours to change.
    """
    running = set(_running(sys._getframe()))
    seen: set[int] = set()
    queue: list[object] = [exc]
    while queue:
        item = queue.pop()
        if not isinstance(item, BaseException) or id(item) in seen:
            continue
        seen.add(id(item))
        trace = item.__traceback__
        if item is not exc and trace is not None and trace.tb_frame in running:
            continue
        yield item
        queue += [*item.args, item.__cause__, item.__context__, getattr(item, "reason", None)]


def _running(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _strip(exc: BaseException) -> None:
    """Removes request and response from an error: their headers have a token."""
    response = getattr(exc, "response", None)
    if hasattr(exc, "request"):
        exc.request = exc.response = None  # type: ignore[attr-defined]
    elif response is not None and hasattr(response, "headers"):
        response.headers.clear()  # of websockets, whose error shows its status
        response.body = None


class RedactingFilter(logging.Filter):
    """Removes secrets from log records, and what steers a terminal. An error that is logged stays
    as it is: it may be a callback's.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = printable(redacted(record.getMessage()[:_LONGEST_READ]))
        record.args = None
        if record.exc_info and record.exc_info[1] is not None:
            record.exc_text = redacted("".join(traceback.format_exception(record.exc_info[1])))
        return True


class LibraryFilter(RedactingFilter):
    """Removes them from a library's records, and from the errors in these."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[1] is not None:
            scrub(record.exc_info[1])
        return super().filter(record)


_on_our_behalf: contextvars.ContextVar[bool] = contextvars.ContextVar(
    "_on_our_behalf", default=False
)


class _OurRequestsFilter(LibraryFilter):
    """Removes them from records of our requests only: the whole program shares these loggers."""

    def filter(self, record: logging.LogRecord) -> bool:
        return super().filter(record) if _on_our_behalf.get() else True


@contextlib.contextmanager
def quiet_urllib3() -> Iterator[None]:
    """Redacts what urllib3 logs in this thread: paths with their queries."""
    token = _on_our_behalf.set(True)
    try:
        yield
    finally:
        _on_our_behalf.reset(token)


# A logger's filters don't apply to its children, so each one that logs URLs gets its own.
for _name in (
    "urllib3.connectionpool",
    "urllib3.util.retry",
    "urllib3.connection",
    "urllib3.poolmanager",
):
    logging.getLogger(_name).addFilter(_OurRequestsFilter())


class _StderrHandler(logging.Handler):
    """Writes to what `sys.stderr` is at that time, if there is any."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if has_stderr():
                sys.stderr.write(self.format(record) + "\n")
                sys.stderr.flush()
        except Exception:
            self.handleError(record)


def has_stderr() -> bool:
    """Whether there is something to write to: pythonw has none, and a program may close it."""
    return sys.stderr is not None and not getattr(sys.stderr, "closed", False)


def log_to_stderr() -> None:
    """Logs everything of the package to stderr; a second call does nothing."""
    package = logging.getLogger("odyssey")
    package.setLevel(logging.DEBUG)
    if not any(getattr(handler, "name", None) == "odyssey-debug" for handler in package.handlers):
        handler = _StderrHandler()
        handler.set_name("odyssey-debug")
        handler.addFilter(RedactingFilter())
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        package.addHandler(handler)
