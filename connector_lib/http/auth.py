"""How a client logs in: nothing, user and password, a token, a key in a header, or OAuth 2 client credentials.

Sources: RFC 7617 (Basic), RFC 6750 (Bearer), RFC 6749 sections 2.3.1, 4.4 and 5 (client credentials). SMART backend
services are in :mod:`connector_lib.http.smart`.
"""

from __future__ import annotations

import base64
import re
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, TypeAlias
from urllib.parse import quote_plus, urlencode

from connector_lib.errors import OptionError
from connector_lib.http.failures import unfit_answer
from connector_lib.http.messages import Answer, Request
from connector_lib.http.origin import Origin
from connector_lib.redaction import Secrets

__all__ = [
    "Auth",
    "BasicAuth",
    "BearerAuth",
    "HeaderKeyAuth",
    "NoAuth",
    "OAuth2ClientCredentials",
    "Send",
    "TokenAuth",
]

Send: TypeAlias = Callable[[Request], Answer]
"""Sends a request without a login, with the client's own retries and limits; raises ApiError."""

_HEADER_VALUE: Final = re.compile(r"[\x21-\x7e\xa0-\xff](?:[\x20-\x7e\xa0-\xff\t]*[\x21-\x7e\xa0-\xff])?")
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ADDRESS_HINT: Final = "check token_url: this may not be the address of a token endpoint"


class Auth(Protocol):
    """A login. Its text shows no secret, and it pickles."""

    def headers(self, send: Send) -> Mapping[str, str]:
        """The headers that log a request in; ``send`` fetches what they need, such as a token."""
        ...

    def refresh(self, send: Send) -> bool:
        """Called where the API does not take the login (401): whether there is another one now."""
        ...

    def secrets(self) -> Secrets:
        """What no message may show."""
        ...


@dataclass(frozen=True, slots=True)
class NoAuth:
    """No login."""

    def headers(self, send: Send) -> Mapping[str, str]:
        """None."""
        return {}

    def refresh(self, send: Send) -> bool:
        """There is no other one."""
        return False

    def secrets(self) -> Secrets:
        """None."""
        return Secrets()


@dataclass(frozen=True, slots=True)
class HeaderKeyAuth:
    """A key in a header of any name.

    Raises :class:`~connector_lib.errors.OptionError` for a key that no header can carry, such as one with a line break.

    >>> HeaderKeyAuth("X-Api-Key", "hush hush")
    HeaderKeyAuth(name='X-Api-Key')
    """

    name: str
    key: str = field(repr=False)

    def __post_init__(self) -> None:
        if not _HEADER_NAME.fullmatch(self.name):
            raise OptionError("the name of the header with the key is no name of a header", hint="such as X-Api-Key")
        _check_header_value(self.key, "the key")

    def headers(self, send: Send) -> Mapping[str, str]:
        """The header with the key."""
        return {self.name: self.key}

    def refresh(self, send: Send) -> bool:
        """There is no other one."""
        return False

    def secrets(self) -> Secrets:
        """The key."""
        return Secrets({self.key})


@dataclass(frozen=True, slots=True)
class BearerAuth:
    """A token that was given, sent as ``Authorization: Bearer``.

    >>> BearerAuth("hush hush")
    BearerAuth()
    """

    token: str = field(repr=False)

    def __post_init__(self) -> None:
        _check_header_value(self.token, "the token")

    def headers(self, send: Send) -> Mapping[str, str]:
        """The header with the token."""
        return {"Authorization": f"Bearer {self.token}"}

    def refresh(self, send: Send) -> bool:
        """There is no other one."""
        return False

    def secrets(self) -> Secrets:
        """The token."""
        return Secrets({self.token})


@dataclass(frozen=True, slots=True)
class BasicAuth:
    """User and password, in UTF-8.

    >>> BasicAuth("lab", "hush hush")
    BasicAuth(user='lab')
    """

    user: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        if ":" in self.user:
            raise OptionError(
                "the user has a colon in it, which basic authentication cannot send (RFC 7617)",
                hint="what stands behind the colon may be the password: give it by itself",
            )

    def headers(self, send: Send) -> Mapping[str, str]:
        """The header with both."""
        return {"Authorization": f"Basic {_basic(self.user, self.password)}"}

    def refresh(self, send: Send) -> bool:
        """There is no other one."""
        return False

    def secrets(self) -> Secrets:
        """The password, and the header's value."""
        return Secrets({self.password, _basic(self.user, self.password)})


class TokenAuth(ABC):
    """A login by a token that is fetched, and fetched again when it ends or is refused.

    ``clock`` gives seconds that only grow. The token is not pickled: its end is a time of this machine's clock.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._ends: float | None = None

    @abstractmethod
    def token_request(self, send: Send) -> Request:
        """The request for a token."""

    @abstractmethod
    def lasting_secrets(self) -> Secrets:
        """What no message may show, but for the token."""

    def headers(self, send: Send) -> Mapping[str, str]:
        """The header with a token that is good for a while."""
        with self._lock:
            if not self._token or (self._ends is not None and self._clock() >= self._ends):
                self._fetch(send)
            return {"Authorization": f"Bearer {self._token}"}

    def refresh(self, send: Send) -> bool:
        """Fetches another token."""
        with self._lock:
            self._fetch(send)
        return True

    def secrets(self) -> Secrets:
        """The lasting ones and the token."""
        return self.lasting_secrets() | Secrets({self._token})

    def _fetch(self, send: Send) -> None:
        asked_at = self._clock()
        answer = send(self.token_request(send))
        self._token, seconds = _token_of(answer)
        self._ends = None if seconds is None else asked_at + seconds - min(_MARGIN, seconds * _MARGIN_PART)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_lock": None, "_token": "", "_ends": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())


_MARGIN: Final = 60.0
"""Seconds before its end from which on a token is not used: a request takes time, and clocks differ."""
_MARGIN_PART: Final = 0.2
"""The same for tokens that live a short time, as a part of it."""


class OAuth2ClientCredentials(TokenAuth):
    """A token for a client id and its secret (RFC 6749 section 4.4).

    ``secret_in``  where the secret is sent: ``header`` (basic authentication) or ``body``; never both
    ``extra``      more parameters of the token request, such as ``audience`` or ``resource``

    >>> OAuth2ClientCredentials("https://login.example.org/token", "lab", "hush hush", scope="read")
    OAuth2ClientCredentials('https://login.example.org/token', client_id='lab')
    """

    def __init__(
        self,
        token_url: str,
        client_id: str,
        client_secret: str,
        *,
        scope: str = "",
        secret_in: Literal["header", "body"] = "header",  # noqa: S107
        extra: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(clock=clock)
        self._token_url = checked_token_url(token_url)
        if secret_in not in ("header", "body"):
            raise OptionError(f"secret_in is {secret_in!r}", hint="give 'header' or 'body'")
        self._client_id = client_id
        self._client_secret = client_secret
        self._secret_in = secret_in
        self._form = {"grant_type": "client_credentials", **({"scope": scope} if scope else {}), **(extra or {})}

    def token_request(self, send: Send) -> Request:
        """The form of RFC 6749 section 4.4.2, with the secret in one place."""
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        form = dict(self._form)
        if self._secret_in == "header":  # noqa: S105
            # Section 2.3.1: both are encoded as in a form before they are joined.
            headers["Authorization"] = f"Basic {_basic(quote_plus(self._client_id), quote_plus(self._client_secret))}"
        else:
            form |= {"client_id": self._client_id, "client_secret": self._client_secret}
        return Request("POST", self._token_url, headers, urlencode(form).encode("ascii"), idempotent=True)

    def lasting_secrets(self) -> Secrets:
        """The client's secret, and the header's value."""
        encoded = _basic(quote_plus(self._client_id), quote_plus(self._client_secret))
        return Secrets({self._client_secret, encoded})

    def __repr__(self) -> str:
        return f"OAuth2ClientCredentials({self._token_url!r}, client_id={self._client_id!r})"


def checked_token_url(url: str) -> str:
    """The address of a token endpoint. Raises OptionError for one that is no address, or has a password in it."""
    if Origin.of(url) is None or "@" in url.partition("//")[2].partition("/")[0]:
        raise OptionError("token_url is no address", hint="give one such as https://login.example.org/oauth2/token")
    return url


def _token_of(answer: Answer) -> tuple[str, float | None]:
    """The token, and the seconds that it is good for (RFC 6749 section 5.1)."""
    told = answer.json()
    token = told.get("access_token") if isinstance(told, dict) else None
    if not isinstance(token, str) or not _HEADER_VALUE.fullmatch(token):
        raise unfit_answer(answer, "the answer has no access_token", _ADDRESS_HINT)
    kind = told.get("token_type", "Bearer")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise unfit_answer(answer, "the token is not of the type Bearer", _ADDRESS_HINT)
    try:
        seconds = float(told["expires_in"])
    except (KeyError, TypeError, ValueError):
        return token, None
    return token, seconds if seconds > 0 else None


def _basic(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


def _check_header_value(value: str, what: str) -> None:
    if not _HEADER_VALUE.fullmatch(value):
        raise OptionError(
            f"{what} is empty, or has a line break, a blank at an end or a letter that no header can carry",
            hint="copy it again, without what stands around it",
        )
