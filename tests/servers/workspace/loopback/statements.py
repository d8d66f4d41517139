"""SQL warehouses: statements that wait, run, end, and fail with HTTP 200; GRANT and REVOKE are carried out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from connector_lib.testing.exchange import Reply
from tests.servers.workspace.loopback.core import ApiRefusal, Call, Handler
from tests.servers.workspace.loopback.permissions import Permissions

__all__ = ["WAREHOUSE", "Rows", "Statements"]

WAREHOUSE: Final = "abcdef0123456789"
"""The id of the warehouse that is there from the start."""

Rows: TypeAlias = Sequence[Sequence[str | None]]
_Answer: TypeAlias = Callable[[Mapping[str, str | None]], Rows]

_NAME: Final = r"(?:`(?:[^`]|``)+`|\w+)"
_GRANT: Final = re.compile(
    rf"(?P<verb>GRANT|REVOKE)\s+(?P<privileges>[A-Z ,]+?)\s+ON\s+(?P<kind>[A-Z]+)"
    rf"(?:\s+(?P<name>{_NAME}(?:\.{_NAME})*))?\s+(?P<to>TO|FROM)\s+(?P<principal>{_NAME})",
    re.DOTALL,
)
_FIELDS: Final = frozenset(
    {
        *("statement", "warehouse_id", "wait_timeout", "on_wait_timeout", "parameters", "disposition", "format"),
        *("catalog", "schema", "row_limit", "byte_limit"),
    }
)
_CHUNK_ROWS: Final = 2
_OK_WAIT: Final = re.compile(r"0s|[5-9]s|[1-4]\ds|50s")


class _StatementFailure(Exception):  # noqa: N818 - what the workspace answers
    def __init__(self, message: str, sql_state: str = "42000", error_code: str = "BAD_REQUEST") -> None:
        super().__init__(message)
        self.document = {
            "state": "FAILED",
            "error": {"error_code": error_code, "message": message},
            "sql_state": sql_state,
        }


@dataclass(slots=True)
class _Statement:
    text: str
    user: str
    parameters: dict[str, str | None]
    waits: list[str]
    state: str = ""
    failure: dict[str, Any] | None = None
    columns: Sequence[str] = ()
    rows: Rows = ()


@dataclass(slots=True)
class _Known:
    pattern: re.Pattern[str]
    columns: Sequence[str]
    answer: _Answer


@dataclass(slots=True)
class Statements:
    """Warehouses by id. ``waits`` are the states that a statement is in before its end, one a question.

    ``answer`` and ``refuse`` say what becomes of statements that are neither GRANT nor REVOKE; what nobody answers
    fails as one that the parser does not understand. ``executed`` has the texts of all that succeeded, in order.
    """

    permissions: Permissions
    warehouses: set[str] = field(default_factory=lambda: {WAREHOUSE})
    waits: list[str] = field(default_factory=list)
    executed: list[str] = field(default_factory=list)
    canceled: list[str] = field(default_factory=list)
    _known: list[_Known] = field(default_factory=list)
    _statements: dict[str, _Statement] = field(default_factory=dict)

    def answer(self, pattern: str, columns: Sequence[str], rows: Rows | _Answer) -> None:
        """Statements that ``pattern`` fits wholly get these rows, of text; a function gets the parameters by name. Of
        several the newest answers."""
        given: _Answer = rows if callable(rows) else lambda parameters: rows
        self._known.insert(0, _Known(re.compile(pattern, re.DOTALL), columns, given))

    def refuse(self, pattern: str, message: str, sql_state: str = "42000") -> None:
        """Statements that ``pattern`` fits, GRANT and REVOKE among them, fail with these words."""

        def fail(parameters: Mapping[str, str | None]) -> Rows:
            raise _StatementFailure(message, sql_state)

        self.answer(pattern, (), fail)

    @property
    def routes(self) -> dict[str, Handler]:
        base = "/api/2.0/sql/statements"
        return {
            f"POST {base}": self._execute,
            f"GET {base}/{{id}}": self._get,
            f"POST {base}/{{id}}/cancel": self._cancel,
            f"GET {base}/{{id}}/result/chunks/{{index}}": self._chunk,
        }

    def _execute(self, call: Call) -> Reply:
        body = call.body
        unknown = sorted(set(body) - _FIELDS)
        if unknown or not body.get("statement"):
            raise ApiRefusal(400, "INVALID_PARAMETER_VALUE", f"unknown fields {unknown}, or no statement")
        if body.get("warehouse_id") not in self.warehouses:
            words = f"SQL warehouse {body.get('warehouse_id')} does not exist."
            raise ApiRefusal(404, "RESOURCE_DOES_NOT_EXIST", words)
        if not _OK_WAIT.fullmatch(body.get("wait_timeout", "10s")):
            raise ApiRefusal(400, "INVALID_PARAMETER_VALUE", "wait_timeout must be 0s, or between 5s and 50s")
        parameters = {it["name"]: it.get("value") for it in body.get("parameters", [])}
        statement = _Statement(body["statement"], call.user, parameters, list(self.waits))
        name = f"statement-{len(self._statements) + 1}"
        self._statements[name] = statement
        return self._reply(name, statement)

    def _get(self, call: Call) -> Reply:
        return self._reply(call.parts["id"], self._find(call))

    def _cancel(self, call: Call) -> Reply:
        statement = self._find(call)
        statement.state = statement.state or "CANCELED"
        self.canceled.append(statement.text)
        return Reply.json({})

    def _chunk(self, call: Call) -> Reply:
        return Reply.json(_chunk(self._find(call).rows, int(call.parts["index"])))

    def _find(self, call: Call) -> _Statement:
        found = self._statements.get(call.parts["id"])
        if found is None:
            raise ApiRefusal(404, "NOT_FOUND", f"The statement {call.parts['id']} was not found.")
        return found

    def _reply(self, name: str, statement: _Statement) -> Reply:
        if not statement.state and statement.waits:
            return Reply.json({"statement_id": name, "status": {"state": statement.waits.pop(0)}})
        if not statement.state:
            self._run(statement)
        document: dict[str, Any] = {"statement_id": name, "status": {"state": statement.state}}
        if statement.failure is not None:
            document["status"] = statement.failure
        if statement.state == "SUCCEEDED":
            columns = [{"name": column, "position": place} for place, column in enumerate(statement.columns)]
            chunks = -(-len(statement.rows) // _CHUNK_ROWS)
            document["manifest"] = {
                "format": "JSON_ARRAY",
                "schema": {"column_count": len(columns), "columns": columns},
                "total_row_count": len(statement.rows),
                "total_chunk_count": chunks,
            }
            document["result"] = _chunk(statement.rows, 0) if statement.rows else {}
        return Reply.json(document)

    def _run(self, statement: _Statement) -> None:
        try:
            self._carry_out(statement)
        except _StatementFailure as failure:
            statement.state, statement.failure = "FAILED", failure.document
        else:
            statement.state = "SUCCEEDED"
            self.executed.append(statement.text)

    def _carry_out(self, statement: _Statement) -> None:
        known = next((it for it in self._known if it.pattern.fullmatch(statement.text)), None)
        if known is not None:
            statement.rows, statement.columns = known.answer(statement.parameters), known.columns
            return
        grant = _GRANT.fullmatch(statement.text)
        if grant is None or grant["to"] != {"GRANT": "TO", "REVOKE": "FROM"}[grant["verb"]]:
            raise _StatementFailure("[PARSE_SYNTAX_ERROR] Syntax error at or near the statement.", "42601")
        privileges = [" ".join(it.split()).replace(" ", "_") for it in grant["privileges"].split(",")]
        change = self.permissions.grant if grant["verb"] == "GRANT" else self.permissions.revoke
        name = ".".join(map(_plain, re.findall(_NAME, grant["name"]))) if grant["name"] else "metastore"
        try:
            change(statement.user, privileges, grant["kind"], name, _plain(grant["principal"]))
        except ApiRefusal as refusal:
            document = refusal.reply.document
            raise _StatementFailure(f"[{document['error_code']}] {document['message']}") from None


def _plain(name: str) -> str:
    return name[1:-1].replace("``", "`") if name.startswith("`") else name


def _chunk(rows: Rows, index: int) -> dict[str, Any]:
    start = index * _CHUNK_ROWS
    part: dict[str, Any] = {"chunk_index": index, "row_offset": start, "data_array": rows[start : start + _CHUNK_ROWS]}
    part["row_count"] = len(part["data_array"])
    if start + _CHUNK_ROWS < len(rows):
        part["next_chunk_index"] = index + 1
    return part
