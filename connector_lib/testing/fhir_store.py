"""The resources of a FHIR server, with every version that they had.

Source: FHIR R4 chapters "Resource" (ids, ``meta``) and "RESTful API" (versions, deletes, history).
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Final, Literal, TypeAlias

from connector_lib.errors import UsageError

__all__ = ["FhirStore", "ManualClock", "Method", "Resource", "Version", "instant", "utc_now"]

Resource: TypeAlias = dict[str, Any]
"""One FHIR resource as JSON."""
Method: TypeAlias = Literal["POST", "PUT", "DELETE"]

_ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_TYPE: Final = re.compile(r"[A-Z][A-Za-z]+")


def utc_now() -> datetime:
    """The time of this machine, in UTC."""
    return datetime.now(timezone.utc)


def instant(time: datetime) -> str:
    """``time`` as an ``instant`` in milliseconds, written as HAPI FHIR does.

    >>> instant(datetime(2026, 1, 31, 12, tzinfo=timezone.utc))
    '2026-01-31T12:00:00.000+00:00'
    """
    return time.astimezone(timezone.utc).isoformat(timespec="milliseconds")


class ManualClock:
    """A clock that moves when it is told to.

    >>> clock = ManualClock(datetime(2026, 1, 1, tzinfo=timezone.utc))
    >>> clock.advance(90)
    >>> clock().isoformat()
    '2026-01-01T00:01:30+00:00'
    """

    def __init__(self, time: datetime = datetime(2026, 1, 1, tzinfo=timezone.utc)) -> None:
        self.time = time

    def __call__(self) -> datetime:
        """The time that it was moved to."""
        return self.time

    def advance(self, seconds: float) -> None:
        """Moves on by so many seconds."""
        self.time += timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a resource.

    ``number`` counts from 1 within the resource, ``position`` over all that was ever written. ``time`` is
    ``meta.lastUpdated``, or when it was deleted; None where the resource carries no time. ``resource`` and ``text``,
    its JSON, are None for a deletion.
    """

    resource_type: str
    id: str
    number: int
    position: int
    time: datetime | None
    method: Method
    resource: Resource | None
    text: bytes | None

    @property
    def reference(self) -> str:
        """As ``Patient/p1``."""
        return f"{self.resource_type}/{self.id}"


class FhirStore:
    """Resources by type and id, with all their versions.

    ``clock`` gives the time of a write. A clock that stands still gives resources that share one ``lastUpdated``.

    >>> store = FhirStore([{"resourceType": "Patient", "id": "p1"}], clock=ManualClock())
    >>> store.put({"resourceType": "Patient", "id": "p1", "gender": "female"}).number
    2
    >>> store.delete("Patient", "p1")
    True
    >>> [version.method for version in store.history("Patient")], store.current("Patient")
    (['DELETE', 'PUT', 'POST'], [])
    """

    def __init__(self, resources: Iterable[Resource] = (), *, clock: Callable[[], datetime] = utc_now) -> None:
        self.clock = clock
        self._versions: dict[str, dict[str, list[Version]]] = {}
        self._written = 0
        self._lock = threading.RLock()
        for resource in resources:
            self.put(resource)

    def put(self, resource: Resource, *, at: datetime | None = None, stamped: bool = True) -> Version:
        """Writes a resource, or its next version, and gives it as it is kept.

        A ``resource`` without ``id`` gets one. ``meta.versionId`` and ``meta.lastUpdated`` are set anew: to ``at``,
        else to the clock's time. ``stamped=False`` leaves ``lastUpdated`` away, as some servers do.

        Raises :class:`~connector_lib.errors.UsageError` for what is no resource.
        """
        kept: Resource = json.loads(json.dumps(resource))
        resource_type = _checked("resourceType", kept.get("resourceType"), _TYPE)
        with self._lock:
            self._written += 1
            resource_id = _checked("id", kept.setdefault("id", f"{self._written}"), _ID)
            versions = self._versions.setdefault(resource_type, {}).setdefault(resource_id, [])
            time = _to_milliseconds(at or self.clock()) if stamped else None
            meta = kept["meta"] = {**kept.get("meta", {}), "versionId": f"{len(versions) + 1}"}
            meta.pop("lastUpdated", None)
            if time is not None:
                meta["lastUpdated"] = instant(time)
            method: Method = "PUT" if versions and versions[-1].resource is not None else "POST"
            version = Version(
                resource_type, resource_id, len(versions) + 1, self._written, time, method, kept, _json_bytes(kept)
            )
            versions.append(version)
            return version

    def delete(self, resource_type: str, resource_id: str, *, at: datetime | None = None) -> bool:
        """Deletes a resource at the time ``at``, else the clock's. False where there is none."""
        with self._lock:
            versions = self._versions.get(resource_type, {}).get(resource_id, [])
            if not versions or versions[-1].resource is None:
                return False
            self._written += 1
            time = _to_milliseconds(at or self.clock())
            versions.append(
                Version(resource_type, resource_id, len(versions) + 1, self._written, time, "DELETE", None, None)
            )
            return True

    def types(self) -> list[str]:
        """The resource types that were ever written, in order of their names."""
        with self._lock:
            return sorted(self._versions)

    def current(self, resource_type: str) -> list[Version]:
        """The newest version of every resource that is there, in the order of writing."""
        with self._lock:
            newest = [versions[-1] for versions in self._versions.get(resource_type, {}).values()]
        return sorted((version for version in newest if version.resource is not None), key=_position)

    def deleted(self, resource_type: str) -> list[Version]:
        """The deletion of every resource that is gone, in the order of writing."""
        with self._lock:
            newest = [versions[-1] for versions in self._versions.get(resource_type, {}).values()]
        return sorted((version for version in newest if version.resource is None), key=_position)

    def versions(self, resource_type: str, resource_id: str) -> list[Version]:
        """All versions of one resource, the oldest first; none where it never was."""
        with self._lock:
            return list(self._versions.get(resource_type, {}).get(resource_id, []))

    def history(self, resource_type: str) -> list[Version]:
        """All versions of all resources of a type, the newest first."""
        with self._lock:
            every = [version for versions in self._versions.get(resource_type, {}).values() for version in versions]
        return sorted(every, key=_position, reverse=True)


def _position(version: Version) -> int:
    return version.position


def _to_milliseconds(time: datetime) -> datetime:
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def _checked(name: str, value: object, form: re.Pattern[str]) -> str:
    if isinstance(value, str) and form.fullmatch(value):
        return value
    raise UsageError(
        f"the {name} of a resource is missing, or not in the form that FHIR gives it",
        hint=f"it is a text of the form {form.pattern}",
    )


def _json_bytes(resource: Resource) -> bytes:
    try:
        return json.dumps(resource, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        # A half of a surrogate pair can be sent as an escape only.
        return json.dumps(resource, separators=(",", ":")).encode()
