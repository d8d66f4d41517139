"""SMART Backend Services: a client signs a JWT, and gets a token for it.

Sources: SMART App Launch 2.2, chapter "Backend Services" (``/.well-known/smart-configuration``, RS384 and ES384,
``kid``, ``exp`` within five minutes, ``jti`` used once); RFC 7523 (signed client assertions); RFC 6749 (errors of the
token endpoint). The other forms of login are in :mod:`connector_lib.testing.logins`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from connector_lib.errors import MissingRequirementError
from connector_lib.testing.exchange import ApiRequest, Reply
from connector_lib.testing.fhir_store import utc_now
from connector_lib.testing.logins import Login

__all__ = ["SmartLogin"]

_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ALGORITHMS: Final = ("RS384", "ES384")
_LONGEST_SECONDS: Final = 300


class SmartLogin(Login):
    """Lets in who has a token, and gives one for a signed assertion: by a known key, for this address, new, and short.

    ``keys`` are public keys in PEM form by their ``kid``. Tokens are good for ``requests`` requests, and the client is
    told that they are good for ``seconds``. ``clock`` is what ``exp`` is compared with: the client's, which is this
    machine's for the most part. Needs the extra ``fhir`` (PyJWT with cryptography).
    """

    def __init__(
        self,
        client_id: str,
        keys: Mapping[str, str],
        *,
        requests: int | None = None,
        seconds: int = 300,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__("client_credentials", user=client_id, requests=requests, seconds=seconds)
        self._keys = dict(keys)
        self._clock = clock
        self._seen: set[str] = set()

    def configuration(self, token_url: str) -> dict[str, Any]:
        """What ``/.well-known/smart-configuration`` says."""
        return {
            "token_endpoint": token_url,
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": list(_ALGORITHMS),
            "scopes_supported": ["system/*.rs", "system/*.read"],
            "capabilities": ["client-confidential-asymmetric", "permission-v2"],
        }

    def token(self, request: ApiRequest) -> Reply:
        """The answer of the token endpoint; the address that was asked is the assertion's audience."""
        form = request.form
        if form.get("grant_type") != "client_credentials":
            return _refused("unsupported_grant_type")
        if form.get("client_assertion_type") != _ASSERTION_TYPE:
            return _refused("invalid_request", "client_assertion_type")
        if not form.get("scope"):
            return _refused("invalid_scope", "a scope is required")
        wrong = self._fault(form.get("client_assertion", ""), f"http://{request.headers.get('host')}{request.target}")
        return _refused("invalid_client", wrong) if wrong else self._given(form["scope"])

    def _given(self, scope: str) -> Reply:
        token = self._new_token()
        with self._lock:
            self._left[token] = self._requests
        return Reply.json({"access_token": token, "token_type": "bearer", "expires_in": self._seconds, "scope": scope})

    def _fault(self, assertion: str, token_url: str) -> str:
        """What is wrong with an assertion; empty where nothing is."""
        try:
            import jwt
        except ImportError as error:
            raise MissingRequirementError(
                "SMART logins need PyJWT with cryptography, which are not installed",
                hint="pip install 'connector_lib[fhir]'",
            ) from error
        try:
            key = self._keys.get(str(jwt.get_unverified_header(assertion).get("kid")))
            if key is None:
                return "the kid is not known"
            claims = jwt.decode(
                assertion,
                key,
                algorithms=list(_ALGORITHMS),
                audience=token_url,
                issuer=self.user,
                # Times are compared below, with the clock of this login.
                options={"verify_exp": False, "verify_iat": False, "verify_nbf": False, "require": ["exp", "jti"]},
            )
        except jwt.PyJWTError as error:
            return type(error).__name__
        if claims.get("sub") != self.user:
            return "sub is not the client"
        if not 0 < claims["exp"] - self._clock().timestamp() <= _LONGEST_SECONDS:
            return "exp is past, or more than five minutes away"
        if claims["jti"] in self._seen:
            return "jti was used before"
        self._seen.add(claims["jti"])
        return ""


def _refused(error: str, description: str = "") -> Reply:
    return Reply.json({"error": error, **({"error_description": description} if description else {})}, 400)
