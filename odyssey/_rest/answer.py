"""Reads an answer of the REST API: its JSON, its `Retry-After`, the error it stands for."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import attrs
from requests.structures import CaseInsensitiveDict

from odyssey._logging import Secret, shown_text, shown_url
from odyssey.errors import OdysseyError, OdysseyServerError, error_from_status, error_from_usage

#: Bytes of a refusal in plain text that are told.
LONGEST_TEXT = 500


@attrs.frozen
class Answer:
    """An HTTP response from `url` with its whole body, or without that of a redirect."""

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    url: str = attrs.field(default="", repr=False)

    def json(self, subject: str) -> object:
        """Parses the body as JSON.

        Args:
            subject: what the answer is, for the error's text, as in "the recording".

        Raises:
            OdysseyServerError: it is not JSON.
        """
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(self.body)
        # Not raised from within: the parser's error holds the whole body, and so perhaps a token.
        raise OdysseyServerError(
            f"the service's answer for {subject} is not JSON (HTTP {self.status}, "
            f"{self.headers.get('Content-Type', 'no content type')})",
            status=self.status,
        )

    def retry_after(self) -> float | None:
        """Seconds that `Retry-After` asks for, whether given as a number or as a date."""
        value = self.headers.get("Retry-After", "")
        try:
            seconds = float(value)
        except ValueError:
            try:
                moment = parsedate_to_datetime(value)
            except (TypeError, ValueError, IndexError, OverflowError):
                return None
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            seconds = moment.timestamp() - time.time()
        return max(0.0, seconds) if math.isfinite(seconds) else None

    def without(self, secret: Secret) -> Answer:
        """The answer without `secret`, which a refusal may repeat; a success is left as it is."""
        if self.status < 300:
            return self
        text = secret.reveal()
        headers = dict(self.headers.items())
        for name, value in headers.items():
            headers[name] = value.replace(text, "…").replace(quote(text, safe=""), "…")
        return attrs.evolve(
            self,
            headers=CaseInsensitiveDict(headers),
            body=self.body.replace(text.encode(), "…".encode()),
        )


def raise_for_status(answer: Answer, operation: str) -> None:
    """Raises the error that a status of 300 and more stands for."""
    error = error_from_answer(answer, operation)
    if error is not None:
        raise error


def error_from_answer(answer: Answer, operation: str) -> OdysseyError | None:
    """The error that a status of 300 and more stands for; None for a success."""
    if answer.status < 300:
        return None
    if answer.status < 400:
        return redirect_error(answer, operation)
    body = _error_body(answer)
    if answer.status == 429:
        detail = body.get("detail")
        usage = dict(detail if isinstance(detail, Mapping) else body)
        for name in ("error", "message", "action"):
            if isinstance(usage.get(name), str):
                usage[name] = shown_text(usage[name])
        if not isinstance(usage.get("message"), str) and isinstance(detail, (str, list)):
            usage["message"] = _detail(body)
        return error_from_usage(usage, operation, retry_after=answer.retry_after())
    return error_from_status(answer.status, _detail(body), operation)


def redirect_error(answer: Answer, operation: str) -> OdysseyServerError:
    """The error for a redirect that is not followed; it names the address."""
    location = answer.headers.get("Location")
    to = "" if location is None else f" to {shown_url(location)}"
    return OdysseyServerError(
        f"{operation}: the server redirects{to} (HTTP {answer.status}), and that is not followed; "
        "check the address that was given",
        status=answer.status,
    )


def _error_body(answer: Answer) -> Mapping[str, Any]:
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        said = answer.headers.get("Content-Type", "").startswith("text/plain")
        body = answer.body[:LONGEST_TEXT].decode("utf-8", "replace").strip() if said else None
    if isinstance(body, str) and body:
        body = {"detail": body}
    return body if isinstance(body, Mapping) else {}


def _detail(body: Mapping[str, Any]) -> str | None:
    """What an error body says: `detail`, a text or FastAPI's list of findings."""
    detail = body.get("detail", body.get("message", body.get("error")))
    if isinstance(detail, Mapping):
        detail = detail.get("message", detail.get("error"))
    if isinstance(detail, list):
        found = [str(d.get("msg")) for d in detail if isinstance(d, Mapping) and d.get("msg")]
        detail = "; ".join(found) or None
    return shown_text(detail) if isinstance(detail, str) else None
