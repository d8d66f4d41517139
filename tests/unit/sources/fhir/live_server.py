"""A FHIR server of another kind than ``FhirServer``: its next links say how many resources to pass over, in a list that
is made anew for each page. So have several in the field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from connector_lib.testing.api_server import ApiRequest, ApiServer, Reply

__all__ = ["LiveServer"]

CAPABILITIES = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": [{"mode": "server"}]}


class LiveServer:
    """Serves ``resources`` of one type, which a test may change.

    ``sorts``: whether it goes by ``_sort``; ``says_so``: whether its link ``self`` has all parameters, or which;
    ``filters``: whether it goes by ``_lastUpdated``; ``largest_page``: entries of a page at most. Resources without
    ``lastUpdated`` are sorted behind the others, and the other way round in the other direction. ``before_page`` is
    called with the number of the page, from 1 on, before it is made.
    """

    def __init__(
        self,
        resources: list[dict[str, Any]],
        *,
        sorts: bool = True,
        says_so: bool | list[str] = True,
        filters: bool = True,
        largest_page: int = 10_000,
        before_page: Callable[[int], None] | None = None,
    ) -> None:
        self.resources = resources
        self.api = ApiServer({"/metadata": lambda _: Reply.json(CAPABILITIES), "*": self._search}, base_path="/fhir")
        self._largest_page = largest_page
        self._sorts, self._says_so, self._filters = sorts, says_so, filters
        self.before_page = before_page
        self._pages = 0

    @property
    def url(self) -> str:
        return self.api.url

    @property
    def searches(self) -> list[str]:
        """The queries of all pages that were asked for."""
        return [request.query for request in self.api.requests if request.path != "/metadata"]

    def _search(self, request: ApiRequest) -> Reply:
        self._pages += 1
        if self.before_page:
            self.before_page(self._pages)
        found = list(self.resources)
        if self._filters:
            for bound in request.repeated_parameters.get("_lastUpdated", []):
                found = [one for one in found if _fits(_time(one), bound[:2], bound[2:])]
        sort = request.parameters.get("_sort", "")
        if self._sorts and sort:
            found.sort(key=lambda one: _time(one) or "9999", reverse=sort.startswith("-"))
        start = int(request.parameters.get("_offset", "0"))
        size = min(int(request.parameters["_count"]), self._largest_page)
        query = request.repeated_parameters
        said = query if self._says_so is True else {name: query[name] for name in self._says_so or ()}
        links = [{"relation": "self", "url": f"{request.path}?{urlencode(said, doseq=True)}"}]
        if start + size < len(found):
            query["_offset"] = [str(start + size)]
            links.append({"relation": "next", "url": f"{self.url}{request.path}?{urlencode(query, doseq=True)}"})
        entries = [{"resource": one} for one in found[start : start + size]]
        return Reply.json({"resourceType": "Bundle", "type": "searchset", "link": links, "entry": entries})


def _time(resource: dict[str, Any]) -> str:
    return str(resource["meta"].get("lastUpdated", ""))


def _fits(time: str, prefix: str, bound: str) -> bool:
    return bool(time) and (time >= bound if prefix == "ge" else time < bound)
