"""What a connection is to hold, against what the workspace says that it holds.

An update replaces all options, and secrets cannot be read back: those that are shown are carried over, a secret has to
be given again or is gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from connector_lib.connector.options import plain_option_name
from connector_lib.deploy.connections import CONNECTION_TYPES, WorkspaceConnection
from connector_lib.deploy.connector_spec import SourceTerms
from connector_lib.deploy.workspace import Workspace
from connector_lib.errors import OptionError, WorkspaceError

__all__ = [
    "ConnectionUpdate",
    "OptionChange",
    "check_is_ours",
    "differences",
    "filled_up",
    "plan_update",
    "secrets_to_give",
]

Change: TypeAlias = Literal["set", "set anew", "changed", "kept", "removed"]

_PLATFORM: Final = ("sourceName", "externalOptionsAllowList")
_MASK: Final = re.compile(r"[*•]+|[\[<(]?redacted[\])>]?", re.IGNORECASE)
"""What some workspaces show in the place of a value."""


@dataclass(frozen=True, slots=True)
class OptionChange:
    """What becomes of one option. ``old`` and ``new`` are None where there is nothing to show, as of a secret."""

    option: str
    change: Change
    old: str | None = None
    new: str | None = None


@dataclass(frozen=True, slots=True)
class ConnectionUpdate:
    """An update that is ready: all options that it sends, and what they change.

    ``forgotten`` are the secrets that it does not give and that the connection holds, or could hold: they are gone
    after it.
    """

    options: Mapping[str, str] = field(repr=False)
    changes: tuple[OptionChange, ...]
    forgotten: tuple[str, ...]

    @property
    def changes_anything(self) -> bool:
        """Whether there is something to send."""
        return any(it.change != "kept" for it in self.changes)


def check_is_ours(workspace: Workspace, connection: WorkspaceConnection, source: str | None = None) -> None:
    """Raises WorkspaceError where ``connection`` is of a type that no source is read by, or for another source."""
    if connection.type not in CONNECTION_TYPES:
        raise WorkspaceError(
            f"{workspace.host}: the connection '{connection.name}' is of the type {connection.type or 'unknown'}, and"
            f" belongs to {connection.owner or 'nobody known'}: no source is read through it",
            hint=f"take another name; sources are read through {' and '.join(CONNECTION_TYPES)}",
        )
    if source is not None and connection.source not in (None, source):
        raise WorkspaceError(
            f"{workspace.host}: the connection '{connection.name}' is for the source '{connection.source}', not"
            f" '{source}'",
            hint="take another name, or leave --source out",
        )


def filled_up(connection: WorkspaceConnection, terms: SourceTerms, given: Mapping[str, str]) -> dict[str, str]:
    """``given``, and what the workspace shows of the other options of the source."""
    replaced = {plain_option_name(name) for name in given}
    known = {plain_option_name(it.name) for it in terms.options.fields()}
    shown = _shown(connection, terms)
    return {name: value for name, value in shown.items() if plain_option_name(name) in known - replaced} | dict(given)


def _shown(connection: WorkspaceConnection, terms: SourceTerms) -> dict[str, str]:
    """The options of the source that the workspace shows, without secrets and without what it masks."""
    return {
        name: value
        for name, value in connection.options.items()
        if name not in _PLATFORM and not terms.is_secret(name) and not _MASK.fullmatch(value)
    }


def secrets_to_give(connection: WorkspaceConnection, terms: SourceTerms) -> tuple[str, ...]:
    """The secrets that an update of ``connection`` has to be given again, since the workspace shows none."""
    return tuple(_forgotten(connection, terms, _shown(connection, terms)))


def plan_update(connection: WorkspaceConnection, terms: SourceTerms, given: Mapping[str, str]) -> ConnectionUpdate:
    """The update that gives ``connection`` the options ``given`` on top of those that it shows. An option that is given
    empty is taken away.

    Raises OptionError where the source could not be made with what comes out.
    """
    where = f"connection '{connection.name}'"
    try:
        new = terms.checked(filled_up(connection, terms, given), where)
    except OptionError as error:
        shown = _shown(connection, terms)
        raise OptionError(
            error.message,
            hint=f"{error.hint + '; ' if error.hint else ''}an update replaces all options, and the workspace shows"
            f" these alone: {', '.join(shown) or 'none'}. Give the others again",
        ) from None
    sent = {**new, **terms.platform_options()}
    forgotten = tuple(_forgotten(connection, terms, new))
    return ConnectionUpdate(sent, tuple(_changes(connection, terms, sent)), forgotten)


def differences(connection: WorkspaceConnection, terms: SourceTerms, given: Mapping[str, str]) -> list[str]:
    """What is wrong with ``connection``, a sentence each: its source, its allow-list, its options against those of the
    source and against ``given``."""
    return [*_platform_differences(connection, terms), *_option_differences(connection, terms, given)]


def _platform_differences(connection: WorkspaceConnection, terms: SourceTerms) -> Iterator[str]:
    if connection.source is None:
        yield "it has no sourceName: a read does not know its source"
    elif connection.source != terms.source:
        yield f"its sourceName is '{connection.source}', not '{terms.source}'"
    allowed = {plain_option_name(name) for name in connection.allow_list}
    missing = [name for name in terms.allow_list if plain_option_name(name) not in allowed]
    if missing:
        yield f"its externalOptionsAllowList lacks {', '.join(missing)}: a read with one of them fails"


def _option_differences(connection: WorkspaceConnection, terms: SourceTerms, given: Mapping[str, str]) -> Iterator[str]:
    shown = _shown(connection, terms)
    known = {plain_option_name(it.name) for it in terms.options.fields()}
    for name in shown:
        if plain_option_name(name) not in known:
            yield f"it holds '{name}', which the source does not know"
    held = {plain_option_name(name): value for name, value in shown.items()}
    # A workspace that shows no option of the source shows none that is missing either.
    for name in terms.required if held else ():
        if plain_option_name(name) not in held and not terms.is_secret(name):
            yield f"it lacks '{name}', which the source needs"
    for name, value in given.items():
        there = held.get(plain_option_name(name), value)
        if there != value and not terms.is_secret(name):
            yield f"it holds {name} = {there}, not {value}"


def _forgotten(connection: WorkspaceConnection, terms: SourceTerms, new: Mapping[str, str]) -> Iterator[str]:
    there = {plain_option_name(name) for name in connection.options}
    given = {plain_option_name(name) for name in new}
    for name in sorted(terms.options.secret_names()):
        plain = plain_option_name(name)
        if plain not in given and (plain in there or (_none_is_secret(terms, new) and _could_be(terms, name, new))):
            yield name


def _none_is_secret(terms: SourceTerms, options: Mapping[str, str]) -> bool:
    return not any(map(terms.is_secret, options))


def _could_be(terms: SourceTerms, secret: str, options: Mapping[str, str]) -> bool:
    """Whether the source takes the secret beside ``options``: where it does not, the connection cannot hold it."""
    try:
        terms.options.read({**options, secret: "a secret"}, where="")
    except OptionError:
        return False
    return True


def _changes(connection: WorkspaceConnection, terms: SourceTerms, sent: Mapping[str, str]) -> Iterator[OptionChange]:
    shown = {name: connection.options[name] for name in _PLATFORM if name in connection.options}
    shown |= _shown(connection, terms)
    held = {plain_option_name(name): value for name, value in shown.items()}
    for name, value in sent.items():
        old = held.get(plain_option_name(name))
        if terms.is_secret(name) and name not in _PLATFORM:
            yield OptionChange(name, "set anew")
        elif old is None:
            yield OptionChange(name, "set", None, value)
        else:
            yield OptionChange(name, "kept" if old == value else "changed", old, value)
    stays = {plain_option_name(name) for name in sent}
    for name, value in shown.items():
        if plain_option_name(name) not in stays:
            yield OptionChange(name, "removed", value)
