"""Options of a connection and of a table: typed, compared without case, unknown ones refused.

Options come as text: from Spark, which lower-cases their names, from a Unity Catalog connection, from
``connections.yml``. A source says what it takes as a class, and reads them with it:

>>> class ClinicOptions(Options):
...     base_url: str = Field(description="Where the API is")
...     page_size: int = Field(default=100, ge=1, le=1000, description="Records a page")
...     token: SecretStr | None = Field(default=None, description="Bearer token")
>>> ClinicOptions.read({"BASEURL": "https://clinic.example", "page_size": "50"}, where="connection 'clinic'")
ClinicOptions(base_url='https://clinic.example', page_size=50, token=None)
>>> ClinicOptions.read({"base_url": "https://clinic.example", "pagesise": "50"}, where="connection 'clinic'")
Traceback (most recent call last):
connector_lib.errors.OptionError: connection 'clinic': there is no option 'pagesise'
  did you mean 'page_size'? options: base_url, page_size, token
"""

from __future__ import annotations

import json
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, SecretBytes, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from connector_lib.errors import ContractError, OptionError, did_you_mean
from connector_lib.redaction import masked

if TYPE_CHECKING:
    from typing_extensions import Self

    from connector_lib.http.pacing import Pace
    from connector_lib.http.retry import RetryPolicy

__all__ = ["PLATFORM_OPTIONS", "Field", "HttpOptions", "OptionField", "Options", "SecretStr", "plain_option_name"]

PLATFORM_OPTIONS: Final = frozenset(
    {
        # the data source's own
        *("tableName", "tableNameList", "tableConfigs", "isDeleteFlow", "sourceName"),
        *("connectionName", "connectionsFile", "readOnDriver", "rescuedDataColumn", "batchRows"),
        *("snapshotChanges", "primaryKeys", "stateFolder", "allowEmptySnapshot", "appendOnly"),
        # keys of a table's configuration in a pipeline spec that are not for the source
        *("scd_type", "primary_keys", "sequence_by", "cluster_by"),
        # what is in the options of a Unity Catalog connection besides the source's own
        *("databricks.connection", "externalOptionsAllowList"),
    }
)
"""Options that are not for a source, and that every source passes over."""

_SEQUENCES: Final = (list, tuple, set, frozenset)
_UNIONS: Final = (Union, types.UnionType)
_SECRETS: Final = (SecretStr, SecretBytes)


@dataclass(frozen=True, slots=True)
class OptionField:
    """One option, for a list on the screen, a page of docs and a ``connector_spec.yaml``.

    ``type`` is one of ``string``, ``integer``, ``number``, ``boolean``, ``list`` and ``object``; ``choices`` the values
    that it may have, empty where it may have any; ``default`` its value when it is not given, as JSON has it.
    """

    name: str
    type: str
    required: bool
    default: Any
    secret: bool
    description: str
    choices: tuple[str, ...] = ()


class Options(BaseModel):
    """What a connection, or a table, may be given: a subclass has one field an option, in ``snake_case``.

    A field of the type ``SecretStr`` is a secret: it shows in no message, and commands refuse it as an argument. An
    option that must not be called as its field can have an ``alias``. What one option alone cannot say (a password is
    needed where there is a user) is a ``model_validator`` that raises ValueError.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        platform = {plain_option_name(name) for name in PLATFORM_OPTIONS}
        seen: dict[str, str] = {}
        for name in _names(cls):
            plain = plain_option_name(name)
            if plain in platform:
                raise ContractError(f"{cls.__name__}: the platform has an option '{name}' already; take another name")
            if plain in seen:
                raise ContractError(f"{cls.__name__}: '{seen[plain]}' and '{name}' are one name without case and '_'")
            seen[plain] = name

    @classmethod
    def read(cls, options: Mapping[str, str], *, where: str, passed_over: Iterable[str] = ()) -> Self:
        """The options as a checked object.

        ``options`` holds text by name; names are compared without case and underscores, since Spark hands ``pageSize``
        over as ``pagesize``. A list is a JSON array or ``a,b``, an object is JSON; an empty value counts as not given.
        ``where`` begins every message, such as ``connection 'clinic'``. ``passed_over`` are names, beside those of
        :data:`PLATFORM_OPTIONS`, that are somebody else's.

        Raises OptionError for what is missing, unknown, given twice or not of its type. No message has a value of a
        secret option.
        """
        others = {plain_option_name(name) for name in (*PLATFORM_OPTIONS, *passed_over)}
        fields = {plain_option_name(name): (name, field) for name, field in _names(cls).items()}
        given: dict[str, Any] = {}
        given_as: dict[str, str] = {}
        as_given: Mapping[str, object] = options
        for name, value in as_given.items():
            plain = plain_option_name(name)
            if plain not in fields:
                if plain in others:
                    continue
                raise cls._unknown(name, where)
            field_name, field = fields[plain]
            if field_name in given_as:
                raise OptionError(f"{where}: '{given_as[field_name]}' and '{name}' are the same option; give it once")
            given_as[field_name] = name
            if not isinstance(value, str) or value.strip():
                given[field_name] = _from_text(value, field.annotation, f"{where}: the option '{field_name}'")
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            secrets = {str(given[name]) for name, field in _names(cls).items() if _is_secret(field) and name in given}
            raise OptionError(masked(_said(error, where), secrets), hint=cls._hint(error)) from None

    @classmethod
    def fields(cls) -> list[OptionField]:
        """What there is to give, in the order of the class."""
        return [_described(name, field) for name, field in _names(cls).items()]

    @classmethod
    def secret_names(cls) -> frozenset[str]:
        """The names of the options that are secret."""
        return frozenset(name for name, field in _names(cls).items() if _is_secret(field))

    def secret_values(self) -> frozenset[str]:
        """The secrets that were given, for what takes them out of texts."""
        return frozenset(_secrets_in([getattr(self, name) for name in type(self).model_fields]))

    @classmethod
    def _unknown(cls, name: str, where: str) -> OptionError:
        known = list(_names(cls))
        listed = f"options: {', '.join(known)}" if known else "it takes no options"
        return OptionError(f"{where}: there is no option '{name}'", hint=f"{did_you_mean(name, known)}{listed}")

    @classmethod
    def _hint(cls, error: ValidationError) -> str:
        """What the options that are wrong are, in the author's words."""
        wrong = {str(detail["loc"][0]) for detail in error.errors(include_input=False) if detail["loc"]}
        described = {name: field.description for name, field in _names(cls).items()}
        return "; ".join(f"{name}: {described[name]}" for name in described if name in wrong and described[name])


def plain_option_name(name: str) -> str:
    """``name`` as it is compared: without case, ``_`` and ``-``.

    >>> plain_option_name("Base_URL") == plain_option_name("baseUrl")
    True
    """
    return name.replace("_", "").replace("-", "").casefold()


def _names(options: type[Options]) -> dict[str, FieldInfo]:
    """The fields by the names that they are given by."""
    return {field.alias or name: field for name, field in options.model_fields.items()}


def _leaves(annotation: Any) -> Iterator[Any]:
    """The plain types in an annotation, without ``Annotated``, ``None`` and what only holds others."""
    if get_origin(annotation) is Literal or not get_args(annotation):
        yield annotation
        return
    for inner in get_args(annotation):
        yield from _leaves(inner)


def _alternatives(annotation: Any) -> list[Any]:
    """What a field may be: the members of a union but for None, without ``Annotated``."""
    if hasattr(annotation, "__metadata__"):
        return _alternatives(annotation.__origin__)
    if get_origin(annotation) in _UNIONS:
        return [one for member in get_args(annotation) for one in _alternatives(member)]
    return [] if annotation is type(None) else [annotation]


def _is_secret(field: FieldInfo) -> bool:
    return any(leaf in _SECRETS for leaf in _leaves(field.annotation))


def _holds(annotation: Any, kinds: tuple[type, ...]) -> bool:
    kind = get_origin(annotation) or annotation
    return isinstance(kind, type) and issubclass(kind, kinds)


def _from_text(value: Any, annotation: Any, where: str) -> Any:
    """``value`` as pydantic wants it for the type ``annotation``: text stays text but for lists and objects."""
    alternatives = _alternatives(annotation)
    if not isinstance(value, str) or str in alternatives:
        return value
    text = value.strip()
    sequence = any(_holds(one, _SEQUENCES) for one in alternatives)
    if sequence and not text.startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    if sequence or any(_holds(one, (dict, Mapping, BaseModel)) for one in alternatives):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            # Without the cause: it holds the text.
            raise OptionError(f"{where} is no JSON", hint='as ["a", "b"]' if sequence else 'as {"a": "b"}') from None
    if all(get_origin(one) is Literal for one in alternatives):
        choices = [choice for one in alternatives for choice in get_args(one)]
        return next((choice for choice in choices if str(choice).casefold() == text.casefold()), value)
    if any(one in _SECRETS for one in alternatives):
        return value
    return text


def _said(error: ValidationError, where: str) -> str:
    """What is wrong, without a value that was given."""
    parts = []
    for detail in error.errors(include_url=False, include_input=False):
        place = ".".join(str(part) for part in detail["loc"])
        text = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "missing":
            parts.append(f"the option '{place}' is missing")
        elif place:
            parts.append(f"the option '{place}': {text[0].lower()}{text[1:]}")
        else:
            parts.append(text)
    return f"{where}: {'; '.join(parts)}"


def _described(name: str, field: FieldInfo) -> OptionField:
    alternatives = _alternatives(field.annotation)
    choices = tuple(str(choice) for one in alternatives if get_origin(one) is Literal for choice in get_args(one))
    secret = _is_secret(field)
    default = None if field.is_required() or secret else field.get_default(call_default_factory=True)
    return OptionField(
        name=name,
        type=_type_name(alternatives),
        required=field.is_required(),
        default=to_jsonable_python(default),
        secret=secret,
        description=field.description or "",
        choices=choices,
    )


_TYPE_NAMES: Final[tuple[tuple[tuple[type, ...], str], ...]] = (
    (_SEQUENCES, "list"),
    ((dict, Mapping, BaseModel), "object"),
    ((bool,), "boolean"),
    ((int,), "integer"),
    ((float,), "number"),
)
"""The first that holds; ``bool`` before ``int``, of which it is one."""


def _type_name(alternatives: list[Any]) -> str:
    for kinds, name in _TYPE_NAMES:
        if any(_holds(one, kinds) for one in alternatives):
            return name
    return "string"


def _secrets_in(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
        elif isinstance(value, SecretBytes):
            yield value.get_secret_value().decode(errors="replace")
        elif isinstance(value, Mapping):
            yield from _secrets_in(value.values())
        elif isinstance(value, _SEQUENCES):
            yield from _secrets_in(value)


class HttpOptions(Options):
    """Options that every source of an HTTP API has. A base of its options' class."""

    timeout_seconds: float = Field(default=30.0, gt=0, description="Longest wait for an answer, in seconds")
    max_attempts: int = Field(
        default=3, ge=1, le=100, description="How often a request is sent before it counts as failed"
    )
    longest_wait_seconds: float = Field(
        default=300.0, ge=0, description="Longest wait that the server may ask for; a longer one is a failure at once"
    )
    deadline_seconds: float | None = Field(
        default=None, gt=0, description="Longest time of one read of a table, in seconds"
    )
    requests_per_second: float | None = Field(
        default=None, gt=0, description="Pace that is kept; as fast as it goes if not given"
    )
    next_link_policy: Literal["refuse", "rewrite"] = Field(
        default="refuse",
        description="What to do with a link to the next page that leads to another server: end with an error, "
        "or ask the server of base_url for it",
    )

    def pace(self) -> Pace | None:
        """The pace that requests keep; None for none."""
        # Not at the top: who lists options needs no HTTP client.
        from connector_lib.http.pacing import Pace

        return None if self.requests_per_second is None else Pace(self.requests_per_second)

    def retry_policy(self) -> RetryPolicy:
        """How requests are repeated."""
        from connector_lib.http.retry import RetryPolicy

        return RetryPolicy(
            max_attempts=self.max_attempts,
            longest_wait=self.longest_wait_seconds,
            timeout=self.timeout_seconds,
            deadline=self.deadline_seconds,
        )
