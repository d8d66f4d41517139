"""The session of requests that a client sends with, without what requests does unasked.

No redirects, not even looked at: requests would read the body of one whole. No ``.netrc``, which replaces the header of
a login. No retries: the client has its own. Proxies and the certificates of authorities come from the environment as
everywhere (``HTTPS_PROXY``, ``NO_PROXY``, ``REQUESTS_CA_BUNDLE``); loopback never goes through a proxy.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from typing import Final

import requests
from requests.utils import get_environ_proxies

from connector_lib.http.origin import Origin

__all__ = ["ApiSession"]

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_AUTHORITIES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class ApiSession(requests.Session):
    """A session for an API and for where its tokens come from."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.headers.clear()
        self.verify = next((os.environ[name] for name in _AUTHORITIES if os.environ.get(name)), True)
        self._proxies_by_origin: dict[Origin | None, MutableMapping[str, str]] = {}

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """None: a redirect is an answer like any other."""
        return None

    def proxies_for(self, url: str) -> MutableMapping[str, str]:
        """The proxies on the way to ``url``. The environment is asked once for each origin: to read it takes time."""
        origin = Origin.of(url)
        proxies = self._proxies_by_origin.get(origin)
        if proxies is None:
            on_loopback = origin is None or origin.host in _LOOPBACK
            proxies = {} if on_loopback else dict(get_environ_proxies(url))
            self._proxies_by_origin[origin] = proxies
        return proxies
