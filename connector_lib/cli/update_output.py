"""An update on the screen: its progress on the error stream, its end on the output.

One moving line on a terminal, plain lines elsewhere.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TextIO

from connector_lib.cli.output import data_console, visible
from connector_lib.cli.workspace_options import print_document, say
from connector_lib.deploy.updates import UpdateEnd, UpdateObserver

if TYPE_CHECKING:
    from rich.table import Table

    from connector_lib.deploy.update_events import DatasetProgress
    from connector_lib.deploy.update_failure import UpdateFailure
    from connector_lib.deploy.watched_pipeline import WatchedPipeline
    from connector_lib.deploy.workspace import Workspace

__all__ = ["end_document", "follow", "print_end", "say_why", "update_address"]

_GOES_ON: Final = "the update goes on; 'connector-lib watch {pipeline} --update {update}{option}' watches it again"
_WORKING: Final = frozenset({"starting", "running"})
_QUIET: Final = frozenset({"waiting", "queued", "starting"})
_OVER: Final = frozenset({"completed", "failed", "skipped", "stopped", "excluded", "idle"})


def follow(workspace: Workspace, pipeline: WatchedPipeline, watch: Callable[[UpdateObserver], UpdateEnd]) -> UpdateEnd:
    """What ``watch`` gives, while its observer shows the progress on the error stream.

    Ctrl-C leaves the update running, and says how to go on watching it.
    """
    with _progress_on(sys.stderr, lambda update_id: update_address(workspace, pipeline, update_id)) as observer:
        try:
            return watch(observer)
        except KeyboardInterrupt:
            if observer.update_id:
                observer.line(_GOES_ON.format(update=observer.update_id, **pipeline.words(workspace)))
            raise


def print_end(workspace: Workspace, pipeline: WatchedPipeline, end: UpdateEnd, *, as_json: bool) -> int:
    """Prints how the update ended, on the error stream also why it failed; gives the exit code of the command."""
    if as_json:
        print_document(end_document(workspace, pipeline, end))
    else:
        _print_tables(pipeline, end)
    say_why(workspace, pipeline, end)
    return 0 if end.completed else 1


def say_why(workspace: Workspace, pipeline: WatchedPipeline, end: UpdateEnd) -> None:
    """Says on the error stream why the update failed and what to do, or who canceled it; of others nothing."""
    if end.failure is not None:
        say(_failure_text(pipeline, end, end.failure))
    elif end.state == "CANCELED":
        by = f" by {end.stopped_by}" if end.stopped_by else "; the workspace does not say by whom"
        say(f"error: the update {end.update_id} of {pipeline.argument} was canceled{by}")
        again = "  'connector-lib start {pipeline}{option}' starts another one"
        say(again.format(**pipeline.words(workspace)))


def end_document(workspace: Workspace, pipeline: WatchedPipeline, end: UpdateEnd) -> dict[str, Any]:
    """The end of an update as JSON types."""
    return {"pipeline_id": pipeline.id, "url": update_address(workspace, pipeline, end.update_id), **end.to_json()}


def update_address(workspace: Workspace, pipeline: WatchedPipeline, update_id: str) -> str:
    """Where a browser shows the update."""
    return f"{workspace.host}/pipelines/{pipeline.id}/updates/{update_id}"


def _failure_text(pipeline: WatchedPipeline, end: UpdateEnd, failure: UpdateFailure) -> str:
    lines = [f"error: the update {end.update_id} of {pipeline.argument} failed: {failure.cause}"]
    where = [f"dataset {failure.dataset}"] if failure.dataset else []
    where += [failure.place] if failure.place else []
    lines += [f"  at {', '.join(where)}"] if where else []
    lines += [f"  the workspace says: {failure.said}"] if failure.said and failure.said != failure.cause else []
    lines += [f"  {failure.remedy}"] if failure.remedy else []
    return "\n".join(map(visible, lines))


def _print_tables(pipeline: WatchedPipeline, end: UpdateEnd) -> None:
    from rich.text import Text

    console = data_console()
    title = f"{pipeline.argument}: {end.state} in {end.seconds:.0f} s"
    if end.earlier:
        title += f", the {'update' if len(end.earlier) == 1 else f'{len(end.earlier)} updates'} before it failed"
    if not end.datasets:
        console.print(Text(title))
        return
    table = _table(title, ("dataset",), ("rows written", "rows dropped"), ("state",))
    for dataset in end.datasets:
        table.add_row(Text(visible(dataset.name)), _number(dataset.rows), _number(dataset.dropped), dataset.state)
    console.print(table)
    rules = [(dataset.name, rule) for dataset in end.datasets for rule in dataset.expectations]
    if rules:
        quality = _table("quality rules", ("dataset", "rule"), ("held", "broken"), ())
        for name, rule in rules:
            quality.add_row(Text(visible(name)), Text(visible(rule.name)), _number(rule.passed), _number(rule.failed))
        console.print(quality)


def _table(title: str, names: Sequence[str], numbers: Sequence[str], words: Sequence[str]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, title=Text(title), title_justify="left", pad_edge=False, padding=(0, 1, 0, 0))
    for name in names:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    for name in words:
        table.add_column(name, no_wrap=True)
    return table


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


class _Progress(UpdateObserver):
    """Plain lines: a line for every state of the update, and for every dataset that ran or ended."""

    def __init__(
        self, write: Callable[[str], object], address: Callable[[str], str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.update_id = ""
        self._write = write
        self._address = address
        self._clock = clock
        self._began = clock()

    def line(self, text: str) -> None:
        """Writes a line without a time."""
        self._write(visible(text))

    def update(self, update_id: str) -> None:
        """Says where the update is."""
        self.update_id = update_id
        self.line(f"update {update_id}: {self._address(update_id)}")

    def state(self, state: str) -> None:
        """Writes the state."""
        self._timed(state)

    def dataset(self, dataset: DatasetProgress) -> None:
        """Writes a dataset that runs or has ended."""
        if dataset.state not in _QUIET:
            self._timed(f"{dataset.name}: {_told(dataset)}")

    def note(self, text: str) -> None:
        """Writes the note."""
        self._timed(f"note: {text}")

    def _timed(self, text: str) -> None:
        self.line(f"{self._clock() - self._began:6.1f} s  {text}")


class _LiveProgress(_Progress):
    """Keeps one line that says what runs now, above it the datasets that have ended."""

    def __init__(self, write: Callable[[str], object], show: Callable[[str], object], address: Callable[[str], str]):
        super().__init__(write, address)
        self._show = show
        self._state = "starting"

    def state(self, state: str) -> None:
        """Shows the state."""
        self._state = state
        self._show(state)

    def dataset(self, dataset: DatasetProgress) -> None:
        """Writes a dataset that has ended."""
        if dataset.state in _OVER:
            self.line(f"  {dataset.name:<32} {_told(dataset)}")

    def progress(self, datasets: Sequence[DatasetProgress]) -> None:
        """Shows how many datasets have ended, and which run."""
        over = sum(dataset.state in _OVER for dataset in datasets)
        running = ", ".join(f"{it.name} {_number(it.rows)}" for it in datasets if it.state in _WORKING)
        counted = f" {over} of {len(datasets)} datasets" if datasets else ""
        self._show(f"{self._state}{counted}{': ' if running else ''}{running}")


def _told(dataset: DatasetProgress) -> str:
    broken = sum(rule.failed for rule in dataset.expectations)
    parts = [dataset.state]
    parts += [f"{dataset.rows:,} rows"] if dataset.rows is not None else []
    parts += [f"{broken:,} broke a rule"] if broken else []
    return ", ".join(parts)


@contextmanager
def _progress_on(stream: TextIO, address: Callable[[str], str]) -> Iterator[_Progress]:
    if not stream.isatty():

        def write(text: str) -> None:
            stream.write(f"{text}\n")
            stream.flush()

        yield _Progress(write, address)
        return
    from rich.console import Console
    from rich.markup import escape

    console = Console(file=stream, highlight=False)
    with console.status("starting", refresh_per_second=4) as status:
        yield _LiveProgress(
            lambda text: console.print(text, markup=False, soft_wrap=True),
            lambda text: status.update(escape(visible(text))),
            address,
        )
