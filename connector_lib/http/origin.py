"""Which addresses a client may ask: those of its own origin, below its base path.

A link that an API gives is a value from outside. It is compared by scheme, host and effective port (RFC 6454 section
4), never by the beginning of its text: ``https://api.example.org.evil.net`` begins like ``https://api.example.org``
(CVE-2026-34359, CVE-2026-34361).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias
from urllib.parse import SplitResult, unquote, urljoin, urlsplit, urlunsplit

from connector_lib.errors import OptionError, PagingError

__all__ = ["NEXT_LINK_POLICIES", "BaseAddress", "NextLinkPolicy", "Origin", "shown_address"]

NextLinkPolicy: TypeAlias = Literal["refuse", "rewrite"]
NEXT_LINK_POLICIES: Final[tuple[NextLinkPolicy, ...]] = ("refuse", "rewrite")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_NEVER_IN_LINK: Final = re.compile(r"[\x00-\x1f\x7f\\]|^ | $")
"""Control characters and blanks around, which parsers pass over each in its own way, and the backslash, which some
take for a slash."""
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_LONGEST_SHOWN: Final = 200
_UNQUOTED_TIMES: Final = 3
"""A path may be encoded again by each server that it passes."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and effective port of an address.

    >>> Origin.of("https://API.example.org:443/x") == Origin.of("https://api.example.org")
    True
    """

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin | None:
        """The origin of an ``http`` or ``https`` address, None for anything else."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            return None
        if parts.scheme not in _DEFAULT_PORTS or not host:
            return None
        return cls(parts.scheme, host.rstrip("."), _DEFAULT_PORTS[parts.scheme] if port is None else port)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + (f":{self.port}" if self.port != _DEFAULT_PORTS[self.scheme] else "")


class BaseAddress:
    """The address that an API has, such as ``https://ehr.example.org/fhir``: what lies below it may be asked.

    Raises :class:`~connector_lib.errors.OptionError` for an address that is none, that has a user or password in it,
    or a query.

    >>> base = BaseAddress("https://ehr.example.org/fhir")
    >>> base.address("Patient/1")
    'https://ehr.example.org/fhir/Patient/1'
    >>> base.followed("https://ehr.example.org:443/fhir?page=2", base.url)
    'https://ehr.example.org/fhir?page=2'
    """

    __slots__ = ("_path", "_policy", "origin", "url")

    def __init__(self, url: str, *, option: str = "base_url", next_link_policy: NextLinkPolicy = "refuse") -> None:
        origin = Origin.of(url)
        if origin is None or _NEVER_IN_LINK.search(url):
            raise OptionError(f"{option} is no address of an API", hint="give one such as https://api.example.org/v1")
        parts = urlsplit(url)
        if "@" in parts.netloc:
            raise OptionError(
                f"{option} has a user or a password in it", hint="give them by the options of the authentication"
            )
        if parts.query or parts.fragment:
            raise OptionError(f"{option} has a query or a fragment", hint="leave out what comes behind '?' or '#'")
        if next_link_policy not in NEXT_LINK_POLICIES:
            raise OptionError(
                f"next_link_policy is {next_link_policy!r}", hint=f"give one of {', '.join(NEXT_LINK_POLICIES)}"
            )
        self.origin = origin
        self.url = f"{origin}{parts.path.rstrip('/')}"
        self._path = parts.path.rstrip("/")
        self._policy = next_link_policy

    def address(self, path_or_url: str) -> str:
        """The whole address of a path below the base, or of a whole address that the API gave.

        Raises :class:`~connector_lib.errors.PagingError` where it leads elsewhere.
        """
        if _ABSOLUTE.match(path_or_url):
            return self.followed(path_or_url, self.url)
        path = path_or_url.lstrip("/")
        joined = f"{self.url}/{path}" if path and not path.startswith("?") else f"{self.url}{path}"
        return self._below_base(joined, path_or_url)

    def followed(self, link: str, asked: str) -> str:
        """The whole address of ``link``, which stood on the page ``asked``.

        Raises :class:`~connector_lib.errors.PagingError` where it leads elsewhere.
        """
        return self._below_base(_joined(asked, link), link)

    def _below_base(self, url: str, link: str) -> str:
        origin = Origin.of(url)
        if origin is None or _NEVER_IN_LINK.search(link):
            raise PagingError(f"{self.url} gave a link that is no address of an API", hint=_ASK_OPERATOR)
        parts = urlsplit(url)
        if "@" in parts.netloc:
            raise PagingError(
                f"{self.url} gave a link with a user or a password in it, to {origin}", hint=_ASK_OPERATOR
            )
        if origin != self.origin and self._policy != "rewrite":
            raise PagingError(
                f"{self.url} gave a link to another server, {origin}",
                hint=f"requests would carry the login there. Where both are the same API behind a proxy, set "
                f"next_link_policy=rewrite: such links are then asked of {self.origin}",
            )
        if not self._holds(parts.path):
            raise PagingError(
                f"{self.url} gave a link to {_shown_path(parts)}, which is not below its path",
                hint="give the part of the path that all addresses of the API have in common as the base address",
            )
        return urlunsplit((self.origin.scheme, str(self.origin).partition("://")[2], parts.path, parts.query, ""))

    def _holds(self, path: str) -> bool:
        plain = path
        for _ in range(_UNQUOTED_TIMES):
            plain = unquote(plain)
        if "\\" in plain or not {".", ".."}.isdisjoint(plain.split("/")):
            return False
        return path == self._path or path.startswith(f"{self._path}/")

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuilt, (self.url, self._policy))

    def __repr__(self) -> str:
        return f"BaseAddress({self.url!r})"


def _rebuilt(url: str, policy: NextLinkPolicy) -> BaseAddress:
    return BaseAddress(url, next_link_policy=policy)


_ASK_OPERATOR: Final = "who runs the API has to mend its links; ask for another way of paging, if it has one"


def _joined(asked: str, link: str) -> str:
    try:
        return urljoin(asked, link)
    except ValueError:
        return ""


def _shown_path(parts: SplitResult) -> str:
    return parts.path[:_LONGEST_SHOWN] or "/"


def shown_address(url: str) -> str:
    """Origin and path of an address: a query may hold a secret, or a patient's name.

    >>> shown_address("https://api.example.org/v1/people?name=doe")
    'https://api.example.org/v1/people'
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(no address)"
    return f"{Origin.of(url) or '(no origin)'}{parts.path[:_LONGEST_SHOWN]}"
