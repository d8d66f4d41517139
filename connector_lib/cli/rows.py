"""Rows on the screen: a table where there is room for one, else a list of values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from connector_lib.cli.output import data_console, visible

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["print_rows"]

_NARROWEST: Final = 12
"""Signs that a value is given at least before the table is turned upright."""


def print_rows(name: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Prints ``rows``, each with a value for every one of ``columns``, as the table ``name``.

    One line a row where the terminal is wide enough, else one line a value; what does not fit is cut off.
    """
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    console = data_console()
    if not rows:
        console.print(f"{name}: no rows")
        return
    cells = [[_cell(row[column]) for column in columns] for row in rows]
    widest = _widest_column(console.width, [max(map(cell_len, column)) for column in zip(columns, *cells, strict=True)])
    if widest is None:
        _print_upright(console, columns, rows)
        return
    table = Table(box=box.SIMPLE_HEAD, title=Text(name), title_justify="left", pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(Text(visible(column)), no_wrap=True, overflow="ellipsis", max_width=widest)
    for row_cells in cells:
        table.add_row(*map(Text, row_cells))
    console.print(table)


def _widest_column(width: int, contents: list[int]) -> int | None:
    """How wide a column may be at most, so that columns of these contents fit into ``width``; None where they
    become too narrow to be read.
    """
    # Two blanks between columns, and one at each edge.
    room = width - 2 * len(contents)
    candidates = range(room, _NARROWEST - 1, -1)
    return next((most for most in candidates if sum(min(most, content) for content in contents) <= room), None)


def _print_upright(console: Console, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """One line a value, for tables with more columns than the terminal has room for."""
    names = {column: visible(column) for column in columns}
    width = max(map(len, names.values()))
    for number, row in enumerate(rows, start=1):
        console.print(f"row {number}")
        for column, name in names.items():
            if row[column] is not None:
                console.print(f"  {name:<{width}}  {_cell(row[column])}", no_wrap=True, overflow="ellipsis")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)
    # A message's carriage returns would tear the terminal's lines apart.
    return visible(text.replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t"))
