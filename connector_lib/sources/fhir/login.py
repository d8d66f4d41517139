"""The authentication that the options of a connection ask for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from connector_lib.connector.options import SecretStr
from connector_lib.http import Auth, BasicAuth, BearerAuth, HeaderKeyAuth, NoAuth, OAuth2ClientCredentials
from connector_lib.sources.fhir.options import AuthType, FhirOptions

__all__ = ["login"]


def login(options: FhirOptions) -> Auth:
    """The login for ``options``, which were checked.

    Raises :class:`~connector_lib.errors.MissingRequirementError` for ``smart`` without the package that signs.
    """
    return _LOGINS[options.auth_type](options)


def _none(options: FhirOptions) -> Auth:
    return NoAuth()


def _basic(options: FhirOptions) -> Auth:
    return BasicAuth(options.username or "", _shown(options.password))


def _bearer(options: FhirOptions) -> Auth:
    return BearerAuth(_shown(options.token))


def _header(options: FhirOptions) -> Auth:
    return HeaderKeyAuth(options.header_name or "", _shown(options.header_value))


def _client_credentials(options: FhirOptions) -> Auth:
    return OAuth2ClientCredentials(
        options.token_url or "",
        options.client_id or "",
        _shown(options.client_secret),
        scope=options.scope or "",
        secret_in=options.client_secret_in,
    )


def _smart(options: FhirOptions) -> Auth:
    # Not at the top: it signs with a package that only this login needs.
    from connector_lib.http.smart import SmartBackendServices

    return SmartBackendServices(
        options.base_url,
        client_id=options.client_id or "",
        private_key=_with_line_ends(_shown(options.private_key)),
        key_id=options.key_id or "",
        scope=options.scope or "system/*.read",
        token_url=options.token_url,
    )


def _with_line_ends(key: str) -> str:
    """A key in PEM form as it was: connections and environment variables may hold ``\\n`` in place of its line ends."""
    return key if "\n" in key.strip() or not key.startswith("-----BEGIN") else key.replace("\\n", "\n")


def _shown(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()


_LOGINS: Final[dict[AuthType, Callable[[FhirOptions], Auth]]] = {
    "none": _none,
    "basic": _basic,
    "bearer": _bearer,
    "header": _header,
    "client_credentials": _client_credentials,
    "smart": _smart,
}
