"""Who a server of records lets in."""

from __future__ import annotations

import base64
import secrets
import threading
from collections.abc import Callable
from typing import Literal, TypeAlias
from urllib.parse import quote_plus

from connector_lib.testing.api_server import ApiRequest, Reply

__all__ = ["Login", "LoginForm"]

LoginForm: TypeAlias = Literal["none", "basic", "bearer", "header", "client_credentials"]


class Login:
    """A form of login, and what it takes: ``user`` and ``secret`` (password, token, key, or a client's secret).

    ``header`` is the name of the key's header. Tokens of ``client_credentials`` are good for ``requests`` requests,
    and the client is told that they are good for ``seconds``.

    >>> Login("bearer", secret="opensesame").allows(
    ...     ApiRequest("GET", "/", "/", headers={"authorization": "Bearer opensesame"}))
    True
    """

    def __init__(
        self,
        form: LoginForm = "none",
        *,
        user: str = "reader",
        secret: str = "",
        header: str = "X-Api-Key",
        requests: int | None = None,
        seconds: int = 3600,
        new_token: Callable[[], str] = lambda: secrets.token_urlsafe(24),
    ) -> None:
        self.form = form
        self.user = user
        self._secret = secret
        self._header = header.lower()
        self._requests = requests
        self._seconds = seconds
        self._new_token = new_token
        self._left: dict[str, int | None] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Login({self.form!r})"

    def allows(self, request: ApiRequest) -> bool:
        """Whether the request may be answered."""
        given = request.headers.get("authorization", "")
        if self.form == "basic":
            return given == f"Basic {_base64(f'{self.user}:{self._secret}')}"
        if self.form == "bearer":
            return given == f"Bearer {self._secret}"
        if self.form == "header":
            return request.headers.get(self._header) == self._secret
        return self.form == "none" or self._still_good(given.removeprefix("Bearer "))

    def token(self, request: ApiRequest) -> Reply:
        """The answer of the token endpoint (RFC 6749 sections 2.3.1, 4.4 and 5)."""
        form = request.form
        given = request.headers.get("authorization", "")
        in_body = (form.get("client_id"), form.get("client_secret")) == (self.user, self._secret)
        # Both are encoded as in a form before they are joined (section 2.3.1).
        in_header = given == f"Basic {_base64(f'{quote_plus(self.user)}:{quote_plus(self._secret)}')}"
        if self.form != "client_credentials" or form.get("grant_type") != "client_credentials":
            return Reply.json({"error": "unsupported_grant_type"}, 400)
        # Both at once are wrong: a client must not use more than one way in one request.
        if in_body == in_header or (in_body and given) or (in_header and "client_secret" in form):
            return Reply.json({"error": "invalid_client"}, 401)
        token = self._new_token()
        with self._lock:
            self._left[token] = self._requests
        return Reply.json({"access_token": token, "token_type": "Bearer", "expires_in": self._seconds})

    def _still_good(self, token: str) -> bool:
        with self._lock:
            if token not in self._left:
                return False
            left = self._left[token]
            if left is not None:
                self._left[token] = left - 1
            return left is None or left > 0


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
