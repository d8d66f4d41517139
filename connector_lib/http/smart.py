"""The login of SMART backend services: a token for a JWT that is signed with a key of one's own, and no shared secret.

Sources: SMART App Launch 2.2, "Backend Services" and "Asymmetric client authentication"
(https://hl7.org/fhir/smart-app-launch/backend-services.html,
https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html), RFC 7523.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from connector_lib.errors import MissingRequirementError, OptionError
from connector_lib.http.auth import Send, TokenAuth, checked_token_url
from connector_lib.http.failures import unfit_answer
from connector_lib.http.messages import Request
from connector_lib.http.origin import BaseAddress, Origin
from connector_lib.redaction import Secrets

__all__ = ["SmartBackendServices"]

_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_LASTS: Final = 240
"""Seconds. Five minutes is the most that servers take; clocks differ."""
_CONFIGURATION: Final = ".well-known/smart-configuration"
_ADDRESS_HINT: Final = "check base_url, or name the token endpoint by token_url"
_ALGORITHMS: Final = ("RS384", "ES384")
"""What every server has to know one of: RSA, and elliptic curves over P-384."""
_PRIVATE_NUMBERS: Final = ("d", "p", "q", "dp", "dq", "qi")


class SmartBackendServices(TokenAuth):
    """A token for a signed JWT.

    ``base_url``     the address of the FHIR server, whose configuration names the token endpoint
    ``private_key``  the key that signs: PEM, or a JSON Web Key; RSA (RS384) or elliptic curve P-384 (ES384)
    ``key_id``       the ``kid`` under which the server knows the public key; a JSON Web Key has its own
    ``scope``        what is asked for, such as ``system/*.rs`` (SMART 2) or ``system/*.read`` (SMART 1)
    ``token_url``    the token endpoint, where the server has no configuration
    ``clock`` gives seconds that only grow, ``time_now`` those since 1970

    Raises :class:`~connector_lib.errors.OptionError` for a key that cannot sign, and
    :class:`~connector_lib.errors.MissingRequirementError` without the package PyJWT.
    """

    def __init__(
        self,
        base_url: str,
        *,
        client_id: str,
        private_key: str,
        key_id: str = "",
        scope: str = "system/*.read",
        token_url: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        time_now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(clock=clock)
        self._base = BaseAddress(base_url)
        self._client_id = client_id
        self._key = _signing_key(private_key, key_id)
        self._scope = scope
        self._token_url = None if token_url is None else checked_token_url(token_url)
        self._time_now = time_now

    def token_request(self, send: Send) -> Request:
        """The form of the page "Backend Services", with a new assertion for each try: a server takes each once."""
        if self._token_url is None:
            self._token_url = self._discovered(send)
        token_url = self._token_url

        def form() -> bytes:
            fields = {
                "grant_type": "client_credentials",
                "scope": self._scope,
                "client_assertion_type": _ASSERTION_TYPE,
                "client_assertion": self._assertion(token_url),
            }
            return urlencode(fields).encode("ascii")

        return Request("POST", token_url, {"Content-Type": "application/x-www-form-urlencoded"}, form)

    def lasting_secrets(self) -> Secrets:
        """The key, each line of it, and the private numbers of a JSON Web Key (RFC 7518 section 6)."""
        text = self._key.text
        numbers = json.loads(text) if text.startswith("{") else {}
        return Secrets(
            {text, *text.splitlines(), *(str(numbers[name]) for name in _PRIVATE_NUMBERS if name in numbers)}
        )

    def _discovered(self, send: Send) -> str:
        answer = send(Request("GET", self._base.address(_CONFIGURATION)))
        configuration = answer.json()
        found = configuration.get("token_endpoint") if isinstance(configuration, dict) else None
        origin = Origin.of(found) if isinstance(found, str) else None
        if not isinstance(found, str) or origin is None:
            raise unfit_answer(answer, "the configuration names no token_endpoint", _ADDRESS_HINT)
        if self._base.origin.scheme == "https" and origin.scheme != "https":
            raise unfit_answer(answer, "the configuration names a token_endpoint without TLS", _ADDRESS_HINT)
        return checked_token_url(found)

    def _assertion(self, token_url: str) -> str:
        import jwt

        now = int(self._time_now())
        claims = {
            "iss": self._client_id,
            "sub": self._client_id,
            "aud": token_url,
            "iat": now,
            "exp": now + _ASSERTION_LASTS,
            "jti": str(uuid.uuid4()),
        }
        header = {"kid": self._key.key_id} if self._key.key_id else None
        return jwt.encode(claims, self._key.loaded(), algorithm=self._key.algorithm, headers=header)

    def __repr__(self) -> str:
        return f"SmartBackendServices({self._base.url!r}, client_id={self._client_id!r})"


@dataclass(frozen=True, slots=True)
class _SigningKey:
    text: str = field(repr=False)
    key_id: str
    algorithm: str

    def loaded(self) -> Any:
        """The key as PyJWT takes it. It is made from the text each time, since it does not pickle."""
        return _loaded(self.text)


def _signing_key(text: str, key_id: str) -> _SigningKey:
    try:
        import cryptography  # noqa: F401
        import jwt  # noqa: F401
    except ImportError:
        raise MissingRequirementError(
            "the login of SMART backend services needs the package PyJWT",
            hint="install it with: pip install 'connector-lib[fhir]'",
        ) from None
    text = text.strip()
    algorithm = _algorithm(_loaded(text))
    if text.startswith("{"):
        key_id = key_id or str(json.loads(text).get("kid", ""))
    return _SigningKey(text, key_id, algorithm)


def _loaded(text: str) -> Any:
    import jwt
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        if text.startswith("{"):
            return jwt.PyJWK(_without_algorithm(json.loads(text))).key
        return load_pem_private_key(text.encode("utf-8"), password=None)
    except (ValueError, TypeError, KeyError, jwt.PyJWTError):
        # What the libraries say may hold a part of the key.
        pass
    raise OptionError(
        "private_key is no private key that can be read",
        hint="give it as PEM (it begins with '-----BEGIN'), without a password, or as a JSON Web Key",
    )


def _without_algorithm(key: dict[str, Any]) -> dict[str, Any]:
    """The key tells which algorithm it is for; what is written beside it may be one for encryption."""
    return {name: value for name, value in key.items() if name != "alg"}


def _algorithm(key: Any) -> str:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    if isinstance(key, RSAPrivateKey):
        return "RS384"
    if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP384R1):
        return "ES384"
    raise OptionError(
        "private_key is of a kind that SMART servers do not take, or the public half of one",
        hint=f"give a private key for one of {', '.join(_ALGORITHMS)}: RSA, or elliptic curve P-384",
    )
