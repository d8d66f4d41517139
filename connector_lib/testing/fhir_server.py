"""A FHIR R4 server on loopback, for tests and first runs.

It keeps resources in memory with all their versions, and answers what a reader of a FHIR server asks: capabilities,
search with pages, histories, bulk exports, logins. It reads and writes no file. Its faults are those of
:class:`~connector_lib.testing.api_server.ApiServer`, in ``server``.

>>> import urllib.request, json
>>> with FhirServer([{"resourceType": "Patient", "id": "p1"}]) as fhir:
...     with urllib.request.urlopen(f"{fhir.url}/Patient?_count=10") as answer:
...         found = json.load(answer)
>>> found["total"], found["entry"][0]["resource"]["meta"]["versionId"]
(1, '1')
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from connector_lib.errors import UsageError
from connector_lib.testing.api_server import ApiRequest, ApiServer, Reply, ServedApi
from connector_lib.testing.fhir_messages import BUNDLE_PAGES
from connector_lib.testing.fhir_service import FhirBehaviour, FhirService
from connector_lib.testing.fhir_store import FhirStore, Resource, Version, utc_now
from connector_lib.testing.logins import Login

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["FhirServer"]


class FhirServer(ServedApi):
    """A FHIR server that runs while the ``with`` block does.

    - ``resources``: what it holds at the start, or a :class:`~connector_lib.testing.fhir_store.FhirStore`, which brings
      its own clock.
    - ``login``: a :class:`~connector_lib.testing.logins.Login` or
      :class:`~connector_lib.testing.fhir_logins.SmartLogin`; everybody may read when it is left out.
    - ``behaviour``: in what servers differ, :class:`~connector_lib.testing.fhir_service.FhirBehaviour`.
    - ``clock``: gives ``lastUpdated`` of what is written, the ``Date`` of answers, and the end of pages; in UTC. See
      :class:`~connector_lib.testing.fhir_store.ManualClock`.
    - ``port``: a free one when 0.

    ``store`` holds the resources; ``server`` plays faults: ``fhir.server.fail("503", path="/Patient")``.
    """

    def __init__(
        self,
        resources: Iterable[Resource] | FhirStore = (),
        *,
        login: Login | None = None,
        behaviour: FhirBehaviour | None = None,
        clock: Callable[[], datetime] = utc_now,
        port: int = 0,
        base_path: str = "/fhir",
    ) -> None:
        self.store = resources if isinstance(resources, FhirStore) else FhirStore(resources, clock=clock)
        self.server = ApiServer({}, base_path=base_path, pages=BUNDLE_PAGES, now=self._now, port=port)
        self._login = login or Login()
        self._behaviour = behaviour or FhirBehaviour()
        self._service: FhirService | None = None
        self.server.routes["*"] = self._answer

    def __enter__(self) -> Self:
        super().__enter__()
        # Not before: its answers name the address, which is known from here on.
        self._service = FhirService(self.store, self._login, self._behaviour, self.url)
        return self

    @property
    def requests(self) -> list[ApiRequest]:
        """The requests that came, in order."""
        return self.server.requests

    def put(self, resource: Resource, *, at: datetime | None = None, stamped: bool = True) -> Version:
        """Writes a resource or its next version: :meth:`~connector_lib.testing.fhir_store.FhirStore.put`."""
        return self.store.put(resource, at=at, stamped=stamped)

    def delete(self, resource_type: str, resource_id: str, *, at: datetime | None = None) -> bool:
        """Deletes a resource: :meth:`~connector_lib.testing.fhir_store.FhirStore.delete`."""
        return self.store.delete(resource_type, resource_id, at=at)

    def expire_pages(self) -> None:
        """Makes every next link that was given answer 410."""
        self._running().expire_pages()

    def _answer(self, request: ApiRequest) -> Reply:
        return self._running().answer(request)

    def _running(self) -> FhirService:
        if self._service is None:
            raise UsageError("the FHIR server has not been started", hint="use it in a with statement")
        return self._service

    def _now(self) -> datetime:
        return self.store.clock().astimezone(timezone.utc)
