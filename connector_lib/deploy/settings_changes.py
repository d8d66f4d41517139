"""What becomes of a pipeline's settings: those of its files over those it has, and what that changes.

A change of settings replaces them all, so what somebody set by hand in the workspace is sent along. What the files said
at the last deployment and no longer say is taken out.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from connector_lib.project.deployment import is_secret_setting

__all__ = [
    "SettingChange",
    "blanked",
    "dropped_entries",
    "kept_settings",
    "merge_settings",
    "setting_changes",
    "setting_keys",
    "settings_for_new",
]

_BY_KEY: Final = ("configuration", "tags", "environment")
"""Settings that are taken together key by key."""
_OF_THE_SERVICE: Final = (
    *("id", "pipeline_type", "data_sampling", "storage", "edition", "channel", "photon", "target", "parent_path"),
    *("deployment", "creator_user_name", "libraries"),
)
"""Keys that the service fills in itself, and that say nothing about somebody's hand."""
_NEVER_TAKEN_OUT: Final = ("run_as", "name")
_OF_ONE_PIPELINE: Final = frozenset(
    {"id", "pipeline_type", "data_sampling", "storage", "parent_path", "deployment", "creator_user_name"}
)
"""Keys that the service answers, and that no new pipeline takes over."""
_LISTS: Final = ("environment.dependencies", "libraries")
_OWN_WHEEL: Final = "/connector_lib-"


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A setting by its dotted key, and its value before and after; None where there was or will be none. Secrets are
    starred out."""

    key: str
    before: Any
    after: Any


def setting_keys(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The dotted keys of ``settings``, sorted.

    >>> setting_keys({"name": "p", "configuration": {"a.b": "1"}})
    ('configuration.a.b', 'name')
    """
    return tuple(sorted(_flat(settings)))


def blanked(configuration: Mapping[str, str], in_files: Mapping[str, str]) -> tuple[str, ...]:
    """The dotted keys of the settings that the command line takes away: those given without a value (``--set key=``),
    where the files do not leave them blank themselves.

    >>> blanked({"source.file_pattern": "", "source.format": "text"}, {})
    ('configuration.source.file_pattern',)
    """
    return tuple(
        f"configuration.{key}"
        for key, value in configuration.items()
        if not value.strip() and in_files.get(key, "-").strip()
    )


def merge_settings(
    current: Mapping[str, Any], wanted: Mapping[str, Any], spoken_before: Collection[str]
) -> dict[str, Any]:
    """The settings to send: ``wanted`` over ``current``. ``spoken_before`` are the keys of :func:`setting_keys` at the
    last deployment; those that are no longer wanted are taken out.

    >>> merge_settings({"channel": "PREVIEW", "photon": True, "configuration": {"a": "1", "b": "2"}},
    ...                {"name": "p", "configuration": {"a": "3"}}, ["channel"])
    {'photon': True, 'configuration': {'a': '3', 'b': '2'}, 'name': 'p'}
    """
    left = {key: dict(value) if key in _BY_KEY else value for key, value in current.items()}
    for spoken in spoken_before:
        key, _, inner = spoken.partition(".")
        if key in _BY_KEY:
            left.get(key, {}).pop(inner, None)
        elif key not in _NEVER_TAKEN_OUT:
            left.pop(key, None)
    if wanted.get("serverless") and "clusters" not in wanted:
        # The service refuses both (Pipelines API, "serverless").
        left.pop("clusters", None)
    if "schema" in wanted:
        # The older name of the same.
        left.pop("target", None)
    merged = {**left, **wanted}
    for key in _BY_KEY:
        if key in left and key in wanted:
            merged[key] = {**left[key], **wanted[key]}
    return merged


def setting_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[SettingChange]:
    """What differs, sorted by key. False, empty and absent are the same to the service."""
    old, new = _flat(before), _flat(after)
    return [
        SettingChange(key, _shown(key, old.get(key)), _shown(key, new.get(key)))
        for key in sorted({*old, *new})
        if (old.get(key) or None) != (new.get(key) or None)
    ]


def settings_for_new(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a pipeline's settings that another one takes over that is made in its place.

    >>> settings_for_new({"id": "1f0c27ab", "tags": {"team": "lab"}})
    {'tags': {'team': 'lab'}}
    """
    return {key: value for key, value in settings.items() if key not in _OF_ONE_PIPELINE}


def dropped_entries(before: Mapping[str, Any], after: Mapping[str, Any], folder: str) -> dict[str, tuple[str, ...]]:
    """The packages and the source files that a change of settings takes out, by dotted key: not the wheel of this
    package, nor files below ``folder``, the pipeline's own.

    >>> dropped_entries({"environment": {"dependencies": ["pandas==2.2"]}}, {"environment": {"dependencies": []}}, "/W")
    {'environment.dependencies': ('pandas==2.2',)}
    """
    old, new = _flat(before), _flat(after)
    dropped = {
        key: tuple(
            _entry_text(entry)
            for entry in old.get(key) or ()
            if entry not in (new.get(key) or ()) and _OWN_WHEEL not in str(entry) and f"{folder}/" not in str(entry)
        )
        for key in _LISTS
    }
    return {key: entries for key, entries in dropped.items() if entries}


def _entry_text(entry: Any) -> str:
    return entry if isinstance(entry, str) else json.dumps(entry, ensure_ascii=False)


def kept_settings(current: Mapping[str, Any], wanted: Mapping[str, Any], merged: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys that stay as somebody set them in the workspace, since no file speaks of them."""
    ours, sent = _flat(wanted), _flat(merged)
    return tuple(
        key
        for key, value in sorted(_flat(current).items())
        if value and key in sent and key not in ours and key.partition(".")[0] not in _OF_THE_SERVICE
    )


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    return dict(_entries(settings))


def _entries(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if key in _BY_KEY and isinstance(value, Mapping):
            yield from ((f"{key}.{inner}", entry) for inner, entry in value.items())
        else:
            yield key, value


def _shown(key: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {inner: _shown(inner, entry) for inner, entry in value.items()}
    if isinstance(value, list):
        return [_shown(key, entry) for entry in value]
    return "*****" if isinstance(value, str) and is_secret_setting(key, value) else value
