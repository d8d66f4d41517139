"""SQL statements through a warehouse of a workspace, each followed to its end.

The API answers HTTP 200 for a statement that failed; what became of it is in ``status.state`` (Databricks REST API,
"Statement Execution").
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from connector_lib.deploy.workspace import Workspace
from connector_lib.errors import WorkspaceError
from connector_lib.redaction import masked

if TYPE_CHECKING:
    from databricks.sdk.service.sql import StatementResponse

__all__ = ["StatementRows", "run_statement"]

_WAIT_IN_CALL: Final = "30s"
"""How long the workspace keeps a call open for the end of its statement; 50 s at most."""
_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 5.0
_LONGEST_SHOWN: Final = 300


@dataclass(frozen=True, slots=True)
class StatementRows:
    """What a statement gave: its columns, and its rows of text, where None is NULL."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]


def run_statement(
    workspace: Workspace,
    warehouse: str,
    statement: str,
    *,
    parameters: Mapping[str, str] | None = None,
    timeout: float = 1200.0,
    secrets: Iterable[str] = (),
    sleep: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> StatementRows:
    """Runs ``statement`` in the warehouse of the id ``warehouse`` and gives its rows when it has ended.

    ``parameters`` are text for ``:name`` in the statement. After ``timeout`` seconds, which the start of a sleeping
    warehouse counts into, the statement is canceled.

    Raises WorkspaceError that names the statement, where it failed, was canceled, or cannot be asked for;
    ``error_code`` is its SQLSTATE where there is one.

    >>> run_statement(workspace, "abcdef0123456789", "SELECT count(*) AS n FROM main.hl7.adt").rows  # doctest: +SKIP
    (('42',),)
    """
    from databricks.sdk.service.sql import (
        ExecuteStatementRequestOnWaitTimeout,
        StatementParameterListItem,
        StatementState,
    )

    api = workspace.client.statement_execution
    shown = _shown(statement)
    try:
        with workspace.asking(f"run a statement in the warehouse '{warehouse}': {shown}", secrets=secrets):
            answer = api.execute_statement(
                statement,
                warehouse,
                parameters=[
                    StatementParameterListItem(name, value=value) for name, value in (parameters or {}).items()
                ],
                wait_timeout=_WAIT_IN_CALL,
                on_wait_timeout=ExecuteStatementRequestOnWaitTimeout.CONTINUE,
            )
    except WorkspaceError as error:
        # What is no id at all is a parameter that is not valid.
        if error.status == 404 or (error.status == 400 and "not a valid endpoint id" in error.message):
            raise _no_warehouse(workspace, warehouse, error) from None
        raise
    statement_id = answer.statement_id or ""
    end, pause = clock() + timeout, _FIRST_PAUSE_SECONDS
    while answer.status is not None and answer.status.state in (StatementState.PENDING, StatementState.RUNNING):
        if clock() >= end:
            with workspace.asking(f"cancel a statement that did not end within {timeout:g} s: {shown}"):
                api.cancel_execution(statement_id)
            raise WorkspaceError(
                f"{workspace.host}: the statement did not end within {timeout:g} s and was canceled: {shown}",
                hint=f"does the warehouse '{warehouse}' start, and is it free?",
            )
        sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        with workspace.asking(f"see how the statement goes: {shown}", secrets=secrets):
            answer = api.get_statement(statement_id)
    if answer.status is None or answer.status.state is not StatementState.SUCCEEDED:
        raise _failure(workspace, answer, shown, secrets)
    return _rows(workspace, answer, shown)


def _no_warehouse(workspace: Workspace, warehouse: str, error: WorkspaceError) -> WorkspaceError:
    return WorkspaceError(
        f"{workspace.host}: there is no SQL warehouse '{warehouse}' that {workspace.user} may use",
        hint=f"'databricks warehouses list{workspace.option}' lists them with their ids",
        status=error.status,
        error_code=error.error_code,
    )


def _failure(workspace: Workspace, answer: StatementResponse, shown: str, secrets: Iterable[str]) -> WorkspaceError:
    status = answer.status
    state = status.state.value if status and status.state else "without a state"
    error = status.error if status else None
    said = masked(" ".join(((error.message if error else None) or "the workspace gives no reason").split()), secrets)
    code = error.error_code.value if error and error.error_code else None
    sql_state = status.sql_state if status else None
    return WorkspaceError(
        f"{workspace.host}: the statement ended {state}: {shown}: {said}", error_code=sql_state or code
    )


def _rows(workspace: Workspace, answer: StatementResponse, shown: str) -> StatementRows:
    schema = answer.manifest.schema if answer.manifest else None
    columns = tuple(column.name or "" for column in (schema.columns if schema else None) or ())
    rows: list[tuple[str | None, ...]] = []
    result = answer.result
    while result is not None:
        rows.extend(tuple(row) for row in result.data_array or ())
        if result.next_chunk_index is None:
            break
        with workspace.asking(f"read the rows of the statement: {shown}"):
            result = workspace.client.statement_execution.get_statement_result_chunk_n(
                answer.statement_id or "", result.next_chunk_index
            )
    return StatementRows(columns, tuple(rows))


def _shown(statement: str) -> str:
    one_line = " ".join(statement.split())
    return one_line if len(one_line) <= _LONGEST_SHOWN else f"{one_line[:_LONGEST_SHOWN]}…"
