"""API keys, bearer tokens and session tokens."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
import time
from typing import Any

import attrs

from odyssey.emulator.clock import steady_time
from odyssey.emulator.faults import Faults, Target, TokenRevoked

__all__ = ["BearerTokens", "Keys", "SessionTokens", "encoded", "is_same", "new_api_key"]

_KEY = re.compile(r"ody_[A-Za-z0-9_-]{16,128}")


def new_api_key() -> str:
    """A random API key."""
    return "ody_" + secrets.token_urlsafe(24)


def is_same(given: str, secret: str) -> bool:
    """Compares in a time that says nothing of the secret; any text may be given."""
    return hmac.compare_digest(encoded(given), secret.encode())


def encoded(text: str) -> bytes:
    """What came over the network, as bytes: halves of characters are in it for what is no UTF-8."""
    return text.encode("utf-8", "surrogatepass")


@attrs.define(eq=False)
class Keys:
    """The API keys of the emulator and whose they are.

    A key is well-formed when it is `ody_` and 16 to 128 letters, digits, `_` or `-`. The account of
    the first key has a fixed name: who starts the emulator again on the same folder with another
    random key finds the old recordings.
    """

    primary: str = attrs.field(factory=new_api_key, repr=False)
    _accounts: dict[str, str] = attrs.field(factory=dict, init=False, repr=False)
    _refused: dict[str, str] = attrs.field(factory=dict, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        _check_form(self.primary)
        self._accounts[self.primary] = "owner"

    @staticmethod
    def is_well_formed(key: object) -> bool:
        return isinstance(key, str) and _KEY.fullmatch(key) is not None

    def add(self, key: str | None = None) -> str:
        """Makes `key`, or a random one, a key with an account of its own."""
        key = key or new_api_key()
        _check_form(key)
        name = "account-" + hashlib.sha256(key.encode()).hexdigest()[:16]
        self._accounts.setdefault(key, name)
        return key

    def refuse(self, key: str, detail: str) -> None:
        """Refuses this key with 403 and `detail` from now on."""
        self._refused[key] = detail

    def account(self, key: str) -> str | None:
        """The account of the key, or None when there is no such key."""
        return self._accounts.get(key)

    def refusal(self, key: str) -> str | None:
        """Returns why the key is refused; None if it isn't."""
        return self._refused.get(key)


def _check_form(key: str) -> None:
    if not Keys.is_well_formed(key):
        raise ValueError("an API key is 'ody_' and 16 to 128 letters, digits, '_' or '-'")


@attrs.frozen(eq=False)
class _Bearer:
    account: str
    issued: float
    expires: float


@attrs.define(eq=False)
class BearerTokens:
    """Access tokens issued for API keys. Opaque, kept in memory only."""

    _faults: Faults
    _tokens: dict[str, _Bearer] = attrs.field(factory=dict, init=False, repr=False)

    def issue(self, account: str, seconds: float) -> str:
        now = time.monotonic()
        self._tokens = {t: bearer for t, bearer in self._tokens.items() if bearer.expires > now}
        token = secrets.token_urlsafe(32)
        self._tokens[token] = _Bearer(account, now, now + seconds)
        return token

    def account(self, token: str) -> str | None:
        """The account the token was issued for, or None when it is unknown, revoked or too old."""
        bearer = self._tokens.get(token)
        if bearer is None or bearer.expires <= time.monotonic():
            return None
        if self._faults.take_due(TokenRevoked, Target(id=token, since=bearer.issued)):
            del self._tokens[token]
            return None
        return bearer.account

    def revoke_all(self) -> None:
        self._tokens = {}


@attrs.frozen(eq=False)
class SessionTokens:
    """JSON web tokens (HS256) whose payload names the session."""

    _secret: bytes = attrs.field(repr=False)

    def issue(self, session_id: str, seconds: float) -> str:
        now = steady_time()
        head = _encode({"alg": "HS256", "typ": "JWT"})
        # `exp` holds whole seconds; a life shorter than one must still end on time.
        payload = {"session_id": session_id, "iat": int(now), "exp": now + seconds}
        body = f"{head}.{_encode(payload)}"
        return f"{body}.{self._sign(body)}"

    def session_id(self, token: str) -> str | None:
        """The session the token is for, or None when the token is forged, broken or too old."""
        body, _, signature = token.rpartition(".")
        if not is_same(signature, self._sign(body)):
            return None
        try:
            payload = json.loads(_decode(body.partition(".")[2]))
            session_id, expires = payload["session_id"], float(payload["exp"])
        except (ValueError, KeyError, TypeError):
            return None
        return str(session_id) if steady_time() < expires else None

    def _sign(self, body: str) -> str:
        return _base64(hmac.new(self._secret, encoded(body), hashlib.sha256).digest())


def _encode(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as exc:
        raise ValueError("not base64") from exc
