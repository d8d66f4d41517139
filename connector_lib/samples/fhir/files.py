"""Writes sample resources as NDJSON, one file a resource type, as FHIR's bulk export does."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from connector_lib.samples.fhir.days import sample_resources
from connector_lib.samples.fhir.resources import RESOURCE_TYPES
from connector_lib.samples.sample_folder import prepare_folder

__all__ = ["write_ndjson"]


def write_ndjson(
    directory: str | os.PathLike[str],
    patients: int,
    seed: int = 0,
    *,
    days: int = 1,
    overwrite: bool = False,
    progress: Callable[[], None] | None = None,
) -> dict[str, int]:
    """Writes what is there at the end of day ``days`` as ``TYPE.ndjson`` and gives the number of lines by type.

    ``progress`` is called after each patient. A file has its name only when all are complete. ``overwrite`` takes away
    the files of an earlier run and leaves everything else in the folder; without it a folder with anything in it is
    refused.

    Raises :class:`~connector_lib.errors.UsageError` for wrong arguments and for a folder that is not empty.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     counts = write_ndjson(folder, 3, seed=1)
    >>> counts["Patient"], counts["Organization"]
    (3, 3)
    """
    resources = sample_resources(patients, seed, days=days)
    folder = Path(directory)
    prepare_folder(folder, [f"{kind}.ndjson" for kind in RESOURCE_TYPES], overwrite=overwrite)
    counts: Counter[str] = Counter()
    with ExitStack() as opened:
        files: dict[str, TextIO] = {}
        for resource in resources:
            kind = resource["resourceType"]
            if kind not in files:
                files[kind] = opened.enter_context(_partial(folder, kind).open("w", encoding="utf-8", newline="\n"))
            files[kind].write(json.dumps(resource, ensure_ascii=False, separators=(",", ":")) + "\n")
            counts[kind] += 1
            if kind == "Patient" and progress is not None:
                progress()
    for kind in files:
        _partial(folder, kind).replace(folder / f"{kind}.ndjson")
    return dict(sorted(counts.items()))


def _partial(folder: Path, kind: str) -> Path:
    # Readers of folders pass over names that start so.
    return folder / f"_{kind}.ndjson.partial"
