"""A request that came to a server, and the reply that it gives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, parse_qsl

__all__ = ["ApiRequest", "Reply"]


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request: ``path`` is below the base path, decoded; ``target`` is path and query as they were sent.

    ``headers`` have their names in lower case.
    """

    method: str
    path: str
    target: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def parameters(self) -> dict[str, str]:
        """The query's parameters, the last one where a name comes twice.

        >>> ApiRequest("GET", "/patients", "/patients?limit=2", "limit=2").parameters
        {'limit': '2'}
        """
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def repeated_parameters(self) -> dict[str, list[str]]:
        """All values of each parameter, in order."""
        return parse_qs(self.query, keep_blank_values=True)

    @property
    def form(self) -> dict[str, str]:
        """The fields of a body that is a form."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    def json(self) -> Any:
        """The body as JSON. Raises ``ValueError`` where it is none."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a route answers: a status, a body, and headers beside those that the server sets itself.

    The server sets ``Content-Length``, ``Date`` and ``Connection``.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def json(cls, document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
        """A JSON document.

        >>> Reply.json({"items": []}).body
        b'{"items": []}'
        """
        return cls(json.dumps(document).encode(), status, {"Content-Type": "application/json", **(headers or {})})

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def with_body(self, body: bytes) -> Reply:
        """The same with another body."""
        return replace(self, body=body)

    def with_headers(self, headers: Mapping[str, str]) -> Reply:
        """The same with these headers as well."""
        return replace(self, headers={**self.headers, **headers})
