"""What a connection to a FHIR server, and a table of it, may be given."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from urllib.parse import parse_qsl

from pydantic import field_validator, model_validator

from connector_lib.connector.options import Field, HttpOptions, Options, SecretStr
from connector_lib.connector.timestamps import timestamp_nanoseconds
from connector_lib.errors import OptionError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["AuthType", "Deletes", "FhirOptions", "FhirTableOptions", "Paging", "Reading", "Undated", "reading_of"]

AuthType: TypeAlias = Literal["none", "basic", "bearer", "header", "client_credentials", "smart"]
Deletes: TypeAlias = Literal["none", "history", "export", "snapshot"]
Undated: TypeAlias = Literal["refuse", "accept"]
Paging: TypeAlias = Literal["auto", "keyset", "links"]

_NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "none": (),
    "basic": ("username", "password"),
    "bearer": ("token",),
    "header": ("header_name", "header_value"),
    "client_credentials": ("token_url", "client_id", "client_secret"),
    "smart": ("client_id", "private_key"),
}
"""The options that an ``auth_type`` cannot do without."""
_POSSIBLE: Final[dict[str, tuple[str, ...]]] = {
    "client_credentials": ("scope", "client_secret_in"),
    "smart": ("token_url", "scope", "key_id"),
}
"""Those that it may have besides."""
_RESOURCE_TYPE: Final = re.compile(r"[A-Z][A-Za-z]{0,63}")
_GROUP: Final = re.compile(r"system|patient|group/[A-Za-z0-9\-.]{1,64}")
_OUR_PARAMETERS: Final = (
    "_lastUpdated _sort _count _summary _elements _include _revinclude _contained _containedType _format _pretty _total"
    " _getpages _since _type _profile _offset _page"
)
_OURS: Final = frozenset(_OUR_PARAMETERS.split())
"""Search parameters that the source sets itself, or that would change what a resource is."""


class _ReadingOptions(Options):
    """How tables are read: given to a connection for all of its tables, to a table for itself."""

    page_size: int = Field(200, ge=1, le=10_000, description="Resources a page (_count); a server may give fewer")
    paging: Paging = Field(
        "auto",
        description="How to get from page to page: 'keyset' asks for what was updated at or after the last resource, "
        "'links' follows the next links only, 'auto' is keyset where the server says that it sorts by _lastUpdated",
    )
    deletes: Deletes = Field(
        "none",
        description="How deleted resources are seen: 'history' by _history of the type, 'export' by the list 'deleted' "
        "of a bulk export, 'snapshot' by reading all resources in each run",
    )
    deletes_from: str | None = Field(
        None,
        description="For a first run: an instant before which deletions do not matter, as 2026-01-31T00:00:00Z. It "
        "must not be later than the first run of the table. Without it, the whole history is read",
    )
    undated: Undated = Field(
        "refuse",
        description="What to do where a resource has no meta.lastUpdated, so that changes of it cannot be seen: "
        "'refuse' ends with an error, 'accept' takes it as it is in the first run. Of no matter for deletes=snapshot",
    )
    bulk: bool = Field(False, description="Read by bulk export ($export) in place of searches")
    export_level: str = Field(
        "system", description="What a bulk export is of: 'system', 'patient' (all patients) or 'group/<id>'"
    )

    @field_validator("deletes_from")
    @classmethod
    def _is_an_instant(cls, text: str | None) -> str | None:
        if text is not None:
            try:
                timestamp_nanoseconds(text)
            except ValueError:
                raise ValueError("it is no instant such as 2026-01-31T00:00:00Z") from None
        return text

    @field_validator("export_level")
    @classmethod
    def _is_a_level(cls, text: str) -> str:
        if not _GROUP.fullmatch(text):
            raise ValueError("it is none of 'system', 'patient' and 'group/<id>'")
        return text


class FhirOptions(HttpOptions, _ReadingOptions):
    """A connection to a FHIR server.

    >>> FhirOptions.read({"base_url": "https://ehr.example.org/fhir", "auth_type": "bearer"}, where="connection 'ehr'")
    Traceback (most recent call last):
    connector_lib.errors.OptionError: connection 'ehr': auth_type=bearer needs the option 'token'
    """

    base_url: str = Field(description="Base of the FHIR API, as https://ehr.example.org/fhir")
    resource_types: tuple[str, ...] | None = Field(
        None, description="The resource types that are tables; all that the server can search where it is left out"
    )
    lag_seconds: float = Field(
        60.0,
        ge=0,
        le=86_400,
        description="How long before the end of a run the next one begins. A server gives a resource its lastUpdated "
        "before it commits it: what was committed later than this would be missed",
    )
    auth_type: AuthType = Field("none", description="How to log in")
    username: str | None = Field(None, description="For basic")
    password: SecretStr | None = Field(None, description="For basic")
    token: SecretStr | None = Field(None, description="For bearer")
    header_name: str | None = Field(None, description="For header: the name of the header, as X-Api-Key")
    header_value: SecretStr | None = Field(None, description="For header: its value")
    client_id: str | None = Field(None, description="For client_credentials and smart")
    client_secret: SecretStr | None = Field(None, description="For client_credentials")
    client_secret_in: Literal["header", "body"] = Field(
        "header", description="For client_credentials: where the token request has id and secret"
    )
    token_url: str | None = Field(
        None,
        description="For client_credentials and smart: where tokens are. smart finds it in the server's "
        ".well-known/smart-configuration where it is left out",
    )
    scope: str | None = Field(None, description="For client_credentials and smart, as 'system/*.read'")
    private_key: SecretStr | None = Field(
        None, description="For smart: the private key, RSA or elliptic curve P-384, as PEM or JSON Web Key"
    )
    key_id: str | None = Field(None, description="For smart: the 'kid' of the key, as the server knows it")
    export_seconds: float = Field(
        21_600.0, gt=0, description="For bulk exports: how long the server may take to make one, in seconds"
    )
    export_file_origins: tuple[str, ...] = Field(
        (),
        description="For bulk exports: other servers, as https://files.example.org, whose files may be read. No login "
        "is sent to them",
    )

    @field_validator("resource_types")
    @classmethod
    def _are_types(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if names is None:
            return None
        if not names:
            raise ValueError("the list is empty")
        for name in names:
            if not _RESOURCE_TYPE.fullmatch(name):
                raise ValueError("a resource type is a name such as MedicationRequest")
        return tuple(dict.fromkeys(names))

    @model_validator(mode="after")
    def _auth_options_fit(self) -> Self:
        needed = _NEEDED[self.auth_type]
        for name in needed:
            if getattr(self, name) is None:
                raise ValueError(f"auth_type={self.auth_type} needs the option '{name}'")
        mine = {*needed, *_POSSIBLE.get(self.auth_type, ())}
        for auth_type in _NEEDED:
            for name in (*_NEEDED[auth_type], *_POSSIBLE.get(auth_type, ())):
                if name in self.model_fields_set and name not in mine:
                    raise ValueError(f"the option '{name}' is for auth_type={auth_type}, which is {self.auth_type}")
        return self


class FhirTableOptions(_ReadingOptions):
    """One table of a FHIR server.

    >>> FhirTableOptions.read({"search": "category=laboratory"}, where="table 'Observation'").filters()
    (('category', 'laboratory'),)
    """

    profile: tuple[str, ...] = Field((), description="Only resources that claim all of these profiles (_profile)")
    search: str | None = Field(
        None,
        description="Only resources that a search with these parameters finds, as category=laboratory&status=final",
    )

    hold_back: bool = Field(
        False,
        description="End a run lag_seconds behind the server's clock, so that no row is read twice. Set where rows are "
        "only appended to a table (appendOnly)",
    )

    @field_validator("search")
    @classmethod
    def _is_a_query(cls, text: str | None) -> str | None:
        if text is None:
            return None
        try:
            pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True)
        except ValueError:
            raise ValueError("it is not of the form name=value&name=value") from None
        for name, _ in pairs:
            if name.partition(":")[0] in _OURS:
                raise ValueError(f"the search parameter '{name.partition(':')[0]}' is set by the source itself")
        return text

    def filters(self) -> tuple[tuple[str, str], ...]:
        """The parameters of a search, by name and value."""
        profiles = tuple(("_profile", profile) for profile in self.profile)
        return (*profiles, *parse_qsl(self.search or "", keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Reading:
    """How one table is read: the options of the table, and for what it has not those of the connection."""

    page_size: int
    paging: Paging
    deletes: Deletes
    deletes_from: str | None
    undated: Undated
    bulk: bool
    export_level: str
    filters: tuple[tuple[str, str], ...]
    hold_back: bool


def reading_of(connection: FhirOptions, table: FhirTableOptions, *, where: str) -> Reading:
    """How a table is read. ``where`` begins every message.

    Raises :class:`~connector_lib.errors.OptionError` for options that do not go together.
    """
    chosen = {
        name: getattr(table if name in table.model_fields_set else connection, name)
        for name in _ReadingOptions.model_fields
    }
    reading = Reading(**chosen, filters=table.filters(), hold_back=table.hold_back)
    if reading.bulk and reading.filters:
        raise OptionError(
            f"{where}: a bulk export is of whole resource types",
            hint="leave out profile and search, or set bulk=false",
        )
    if reading.bulk and reading.hold_back and reading.export_level.startswith("group/"):
        raise OptionError(
            f"{where}: rows of an export of a group cannot be appended only",
            hint="such an export may give again what was there before, where patients join the group: keep the table "
            "by its keys, or set bulk=false",
        )
    if reading.deletes == "export" and reading.deletes_from is None:
        raise OptionError(
            f"{where}: deletes=export needs the option 'deletes_from'",
            hint="an export lists what was deleted since an instant only: give the day of the table's first run",
        )
    return reading
