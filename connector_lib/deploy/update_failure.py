"""Why an update failed: the oldest true cause, where it is in the pipeline's files, and what to do."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

from connector_lib.deploy.failure_text import own_error, place_in, plain_message, shown_message
from connector_lib.deploy.known_failures import explain, explain_own
from connector_lib.deploy.update_events import Raised, UpdateEvent, UpdateProgress
from connector_lib.deploy.watched_pipeline import WatchedPipeline
from connector_lib.deploy.workspace import Workspace
from connector_lib.redaction import secrets_in_environment

__all__ = ["UpdateFailure", "failure_of"]


@dataclass(frozen=True, slots=True)
class UpdateFailure:
    """Why an update failed. ``cause`` in plain words; ``said`` is a line of the workspace's own, without values of
    rows, empty where it says nothing more; ``place`` is file and line, empty where the exceptions name none; ``known``
    is the entry's name in the table of known failures, empty for others; ``passes``: the same update may go well a
    little later.
    """

    cause: str
    said: str
    dataset: str
    place: str
    remedy: str
    known: str
    passes: bool

    def to_json(self) -> dict[str, Any]:
        """The failure as JSON types."""
        return asdict(self)


def failure_of(progress: UpdateProgress, workspace: Workspace, pipeline: WatchedPipeline) -> UpdateFailure:
    """Why the update of these events failed: by the oldest event of level ERROR, the innermost of its exceptions first.

    An event whose exceptions are not known is shown by the first of them, one line without what may be a value.
    """
    event = progress.oldest_error
    if event is None:
        return _unexplained(progress, workspace, pipeline)
    secrets = secrets_in_environment(os.environ)
    dataset = progress.shown_name(event.dataset or event.flow)
    names = _names(progress, pipeline, event)
    inner_first = event.raised[::-1]
    about = pipeline.words(workspace)
    place = place_in(inner_first, pipeline.folder)
    where = str(place) if place is not None else ""
    for raised in inner_first:
        own = own_error(raised)
        if own is not None:
            told = explain_own(own, about)
            cause = shown_message(raised, secrets=secrets)
            return UpdateFailure(cause, "", dataset, where, told.remedy, told.name, told.passes)
    outer = event.raised[0] if event.raised else Raised("", event.message)
    said = shown_message(outer, names=names, secrets=secrets)
    known = explain([plain_message(raised.message) for raised in (*inner_first, Raised("", event.message))], about)
    if known is not None:
        return UpdateFailure(known.cause, said, dataset, where, known.remedy, known.name, known.passes)
    root = shown_message(inner_first[0], names=names, secrets=secrets) if event.raised else ""
    return UpdateFailure(
        root or said or "the workspace gives no reason",
        said if root and said != root else "",
        dataset,
        where,
        _all_it_says(about),
        "",
        False,
    )


def _unexplained(progress: UpdateProgress, workspace: Workspace, pipeline: WatchedPipeline) -> UpdateFailure:
    end = progress.end
    said = shown_message(Raised("", end.message)) if end is not None else ""
    remedy = _all_it_says(pipeline.words(workspace))
    return UpdateFailure("the workspace gives no reason", said, "", "", remedy, "", False)


def _all_it_says(about: dict[str, str]) -> str:
    return "'connector-lib logs {pipeline} --verbose{option}' shows all that the workspace says".format(**about)


def _names(progress: UpdateProgress, pipeline: WatchedPipeline, event: UpdateEvent) -> Collection[str]:
    short = [dataset.name for dataset in progress.datasets]
    named = [event.dataset, event.flow, progress.shown_name(event.flow), *short]
    full = [f"{pipeline.schema}.{name}" for name in short] if pipeline.schema else []
    return frozenset(filter(None, (*named, *full, pipeline.schema)))
