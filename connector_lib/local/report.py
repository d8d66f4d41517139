"""What a run did: the end of ``connector-lib run``, as data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["DatasetResult", "QualityCount", "RunReport"]


@dataclass(frozen=True, slots=True)
class DatasetResult:
    """One dataset of a run.

    ``rows_written`` counts the rows that this run wrote, ``rows`` all that are there now; None where there is
    nothing to count. ``state`` is ``completed``, ``failed``, ``skipped`` or ``not started``. ``seconds`` is
    None where the dataset was never started.
    """

    name: str
    kind: str
    rows_written: int | None
    rows: int | None
    seconds: float | None
    state: str


@dataclass(frozen=True, slots=True)
class QualityCount:
    """How many of the ``checked`` rows of a dataset broke a rule. None: it could not be counted."""

    dataset: str
    rule: str
    action: str
    checked: int | None
    failed: int | None


@dataclass(frozen=True, slots=True)
class RunReport:
    """All that a run has to say. ``seconds`` is the whole time, the start of Spark with it."""

    pipeline: str
    warehouse: str
    state: str
    seconds: float
    datasets: tuple[DatasetResult, ...]
    quality: tuple[QualityCount, ...]
    notes: tuple[str, ...]
    errors: tuple[str, ...]
    engine_messages: tuple[str, ...]
    """What Spark said about the errors, whole: with plans, stacks and perhaps values of rows."""

    def to_json(self) -> dict[str, Any]:
        """The report as JSON types, without ``engine_messages``."""
        document = asdict(self)
        del document["engine_messages"]
        return document
