"""Two weeks of a source and of the runs that read it, drawn at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

__all__ = ["DAYS", "PEOPLE", "Day", "Run", "Stop", "When", "Write", "stories", "two_weeks"]

DAYS: Final = 14
PEOPLE: Final = 9
"""Several pages of people, and few enough that one is changed, deleted and made again within two weeks."""

EXAMPLES: Final = 4

When: TypeAlias = Literal["now", "with the last", "at the border", "late"]
"""The time that a change has: that of the source's clock; that of the last change, a tie; exactly the time up to which
was read, which is the first that the next run has to read; or one shortly behind that, long before the clock."""
Stop: TypeAlias = Literal["before the log", "after the log", "half-way", "before the commit"]
"""Where a run is killed: before its offset is logged, before its batch is read, within, or when it is read."""


@dataclass(frozen=True)
class Write:
    """People get one name, at one time, so many seconds after the change before; without a name they are deleted."""

    people: tuple[int, ...]
    name: str | None
    when: When
    seconds: float


@dataclass(frozen=True)
class Run:
    """A run, so many seconds after the last change.

    It is killed where ``stop`` says, and its n-th request fails where ``fails_at`` says so. Before the requests that
    ``meanwhile`` counts, the source is written to.
    """

    seconds: float
    stop: Stop | None = None
    fails_at: int | None = None
    meanwhile: tuple[tuple[int, Write], ...] = ()


@dataclass(frozen=True)
class Day:
    writes: tuple[Write, ...]
    run: Run


_SECONDS: Final = st.sampled_from((0.0, 0.0, 0.004, 0.7, 40.0, 700.0))
_WRITES: Final = st.builds(
    Write,
    people=st.lists(st.integers(0, PEOPLE - 1), min_size=1, max_size=6, unique=True).map(tuple),
    name=st.sampled_from(("ann", "bob", "eve", None)),
    when=st.sampled_from(("now", "with the last", "at the border", "late")),
    seconds=_SECONDS,
)
_DISTURBANCES: Final = st.sampled_from((None, None, "stop", "fault", "writes"))


@st.composite
def _runs(draw: st.DrawFn, *, meanwhile: bool) -> Run:
    seconds = draw(st.sampled_from((0.0, 1.0, 90.0, 90.0)))
    kind = draw(_DISTURBANCES)
    if kind == "stop":
        return Run(
            seconds, stop=draw(st.sampled_from(("before the log", "after the log", "half-way", "before the commit")))
        )
    if kind == "fault":
        return Run(seconds, fails_at=draw(st.integers(1, 12)))
    if kind == "writes" and meanwhile:
        between = st.lists(st.tuples(st.integers(1, 12), _WRITES), min_size=1, max_size=3)
        return Run(seconds, meanwhile=tuple(draw(between)))
    return Run(seconds)


def stories(*, meanwhile: bool) -> st.SearchStrategy[tuple[Day, ...]]:
    """Fourteen days. ``meanwhile`` says whether the source may be written to while a run reads it."""
    day = st.builds(Day, writes=st.lists(_WRITES, max_size=5).map(tuple), run=_runs(meanwhile=meanwhile))
    return st.lists(day, min_size=DAYS, max_size=DAYS).map(tuple)


two_weeks: Final = settings(
    # The same stories each time, and no search for a shorter one, which takes minutes: a story says what happened.
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
"""For tests of stories: few of them, each long."""
