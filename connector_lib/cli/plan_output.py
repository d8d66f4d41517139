"""A plan of a deployment in words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import typer

from connector_lib.cli.output import visible

if TYPE_CHECKING:
    from connector_lib.deploy.pipeline_files import FileLeftOut
    from connector_lib.deploy.plan import DeployPlan
    from connector_lib.deploy.settings_changes import SettingChange

__all__ = ["left_out_names", "print_plan", "setting_lines"]

_MOST_NAMED: Final = 20
_ACTIONS: Final = {
    "create": "will be created",
    "change": "will be changed in place",
    "recreate": "will be deleted with its tables, and created anew",
    "none": "keeps its settings",
}


def print_plan(plan: DeployPlan) -> None:
    """Prints what the plan would do, on the standard output."""
    for line in _lines(plan):
        typer.echo(visible(line))


def setting_lines(changes: Sequence[SettingChange], kept: Sequence[str] = ()) -> Iterator[str]:
    """The changes of settings, before and after, and what stays as it was set in the workspace."""
    if changes:
        yield "settings"
        for change in changes:
            yield f"  {change.key}: {_value(change.before)} -> {_value(change.after)}"
    if kept:
        yield f"  set in the workspace, kept: {', '.join(kept)}"


def _lines(plan: DeployPlan) -> Iterator[str]:
    known = f" ({plan.pipeline.id})" if plan.pipeline is not None else ""
    yield f"pipeline {plan.name}{known} {_ACTIONS[plan.action]}"
    yield f"  workspace {plan.host}"
    yield f"  folder    {plan.folder}"
    yield f"  wheel     {plan.wheel or 'none, see below'}"
    yield f"  schema    {'.'.join(plan.schema)}{' (will be made)' if plan.create_schema else ''}"
    yield from _file_lines(plan)
    yield from setting_lines(plan.changes, plan.kept)
    yield from _listed("permissions to grant", (f"{it.level} to {it.principal}" for it in plan.permissions))
    yield from _listed("to be aware of", plan.notes)
    yield from _listed("asks for --yes", plan.to_confirm)
    yield from _listed("full refresh needed, since the SCD type changed", plan.refresh)
    blocking = [it for it in plan.missing if it.blocks]
    yield from _listed("missing", (f"{it.what}\n    {it.mend}" for it in blocking))
    yield from _listed("not known", (f"{it.what}\n    {it.mend}" for it in plan.missing if not it.blocks))
    if plan.changes_nothing and not blocking:
        yield "nothing to do: all is in the workspace as it should be"


def _file_lines(plan: DeployPlan) -> Iterator[str]:
    files = plan.files
    yield f"files: {len(files.upload)} to upload, {len(files.remove)} to remove, {len(files.same)} as they should be"
    by_hand = "  (changed by hand in the workspace; that is overwritten)"
    for path in files.upload:
        yield f"  + {path}{by_hand if path in files.by_hand else ''}"
    for path in files.remove:
        yield f"  - {path}{by_hand if path in files.by_hand else ''}"
    yield from _listed("not uploaded", (f"{it.path}: {it.why}" for it in plan.left_out[:_MOST_NAMED]))
    if len(plan.left_out) > _MOST_NAMED:
        yield f"  and {len(plan.left_out) - _MOST_NAMED} more"


def left_out_names(left_out: Sequence[FileLeftOut]) -> str:
    """What of a pipeline folder stays on this machine, in one line."""
    more = len(left_out) - _MOST_NAMED
    return ", ".join(it.path for it in left_out[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _listed(title: str, entries: Iterable[str]) -> Iterator[str]:
    for number, entry in enumerate(entries):
        if number == 0:
            yield title
        yield f"  {entry}"


def _value(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
