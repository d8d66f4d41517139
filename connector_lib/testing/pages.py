"""Where an API's answers say what page comes next, and how such a place is filled with something hostile."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit

from connector_lib.testing.exchange import ApiRequest, Reply
from connector_lib.testing.faults import NextLinkChange

__all__ = ["ELSEWHERE", "ENDLESS", "PageFormat", "Surroundings", "changed_next_link", "header_pages", "json_pages"]

ELSEWHERE = "/elsewhere"
"""A path outside every base path. Whoever asks for it followed a link that it had to refuse."""
ENDLESS = 300
"""After so many pages without an end the server goes on as it should, so that a client without a limit comes back."""
_NEXT = re.compile(r'<([^<>]*)>\s*;\s*rel="?next"?')


@dataclass(frozen=True, slots=True)
class PageFormat:
    """How the pages of an API hang together, as three functions over an answer.

    ``find`` gives the next link or token, None on the last page; ``place`` an answer with another one; ``empty`` an
    answer without its records. ``token`` says that it is a token, not a link.
    """

    find: Callable[[Reply], str | None]
    place: Callable[[Reply, str], Reply]
    empty: Callable[[Reply], Reply]
    token: bool = False


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a hostile link is made of: origins, the base path, links given out on this path before, and how often."""

    origin: str
    other_origin: str
    base_path: str
    given: Sequence[str]
    times: int


def json_pages(items: str, next_link: str, *, token: bool = False) -> PageFormat:
    """Pages that are JSON objects, with a list under ``items`` and a link or token under ``next_link``.

    >>> pages = json_pages("items", "next")
    >>> pages.find(pages.place(Reply.json({"items": [], "next": None}), "http://127.0.0.1/2"))
    'http://127.0.0.1/2'
    """

    def changed(reply: Reply, key: str, value: Any) -> Reply:
        return reply.with_body(json.dumps({**reply.document, key: value}).encode())

    return PageFormat(
        find=lambda reply: reply.document.get(next_link),
        place=lambda reply, link: changed(reply, next_link, link),
        empty=lambda reply: changed(reply, items, []),
        token=token,
    )


def _header_link(reply: Reply) -> str | None:
    found = _NEXT.search(reply.headers.get("Link", ""))
    return found.group(1) if found else None


def header_pages(items: str | None = None) -> PageFormat:
    """Pages with the next link in the header ``Link`` (RFC 8288): lists, or objects with a list under ``items``."""

    def emptied(reply: Reply) -> Reply:
        return reply.with_body(json.dumps({**reply.document, items: []} if items else []).encode())

    return PageFormat(
        find=_header_link,
        place=lambda reply, link: reply.with_headers({"Link": f'<{link}>; rel="next"'}),
        empty=emptied,
    )


def changed_next_link(
    reply: Reply, change: NextLinkChange, pages: PageFormat, request: ApiRequest, around: Surroundings
) -> Reply:
    """``reply`` with the next link that ``change`` names."""
    own = around.given[-1] if pages.token and around.given else urljoin(around.origin, request.target)
    link = pages.find(reply)
    if change == "relative" and link is None:
        # The one change that does no harm: the last page stays the last.
        return reply
    found = link or own
    if change == "repeated":
        return pages.place(reply, around.given[-1] if around.given else own)
    if change == "cycle":
        return pages.place(reply, around.given[-2] if len(around.given) > 1 else own)
    if change == "endless" and around.times > ENDLESS:
        return reply
    if change == "endless":
        return pages.place(reply, _fresh(found if pages.token else own, pages, around.times))
    if change == "empty_page":
        return pages.empty(pages.place(reply, _fresh(own, pages, around.times)))
    if pages.token:
        raise ValueError(f"a token cannot be changed as '{change}' says: that is for links")
    return pages.place(reply, _hostile(urljoin(urljoin(around.origin, request.target), found), change, around))


def _fresh(link: str, pages: PageFormat, times: int) -> str:
    if pages.token:
        return f"{link.partition('~')[0]}~{times}"
    bare = re.sub(r"[?&]again=\d+", "", link)
    return f"{bare}{'&' if '?' in bare else '?'}again={times}"


def _hostile(link: str, change: NextLinkChange, around: Surroundings) -> str:
    _, host, path, query, _ = urlsplit(link)
    other = urlsplit(around.other_origin)
    climb = "/%2e%2e" * around.base_path.count("/")
    forms = {
        "other_host": ("http", f"localhost:{other.port}", path),
        "other_port": ("http", other.netloc, path),
        "other_scheme": ("ftp", host, path),
        "userinfo": ("http", f"someone:something@{host}", path),
        "relative": ("", "", path),
        "escaping": ("http", host, f"{ELSEWHERE}{path}"),
        "escaping_encoded": ("http", host, f"{around.base_path}{climb}{ELSEWHERE}{path}"),
    }
    scheme, host, path = forms[change]
    return urlunsplit((scheme, host, path, query, ""))
