"""How a table of a pipeline spec is kept: what the spec says, and where it says nothing, what the source says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from connector_lib.connector.interface import INGESTION_TYPES, TableMetadata
from connector_lib.connector.spec import TableSpec
from connector_lib.errors import ContractError, SpecError

__all__ = ["Keeping", "TablePlan", "plan_table"]

Keeping: TypeAlias = Literal["changes", "changes and deletes", "snapshots", "appended"]
"""``changes``: a stream of changes, by key and sequence. ``changes and deletes``: two of them. ``snapshots``: the whole
table each time. ``appended``: every record for good."""

_KEEPING: Final[dict[str, Keeping]] = {
    "cdc": "changes",
    "cdc_with_deletes": "changes and deletes",
    "snapshot": "snapshots",
    "append": "appended",
}


@dataclass(frozen=True, slots=True)
class TablePlan:
    """A table and how it is kept. ``keys`` and ``sequence`` are columns, nested ones with dots; without use for it,
    there are no keys and the sequence is None."""

    table: TableSpec
    keeping: Keeping
    scd_type: Literal[1, 2] = 1
    keys: tuple[str, ...] = ()
    sequence: str | None = None


def plan_table(table: TableSpec, metadata: TableMetadata) -> TablePlan:
    """How ``table`` is kept, whose source says ``metadata`` of it.

    The spec's ``primary_keys`` and ``sequence_by`` count before those of the source. ``APPEND_ONLY`` keeps every record
    that a stream gives, without deletions. A table to append to that is given an SCD type is kept by its changes.

    Raises :class:`~connector_lib.errors.SpecError` that names the table, where keys or sequence are nowhere to be
    found, or the spec asks for what does not suit the source; :class:`~connector_lib.errors.ContractError` for an
    ingestion type that there is not.

    >>> metadata = {"ingestion_type": "cdc", "primary_keys": ["id"], "cursor_field": "at"}
    >>> plan = plan_table(TableSpec("users", "users"), metadata)
    >>> plan.keeping, plan.scd_type, plan.keys, plan.sequence
    ('changes', 1, ('id',), 'at')
    """
    keeping = _keeping(table, metadata)
    if keeping == "appended":
        return TablePlan(table, keeping)
    keys = table.primary_keys or tuple(metadata.get("primary_keys") or ())
    if not keys:
        raise SpecError(
            f"{_name(table)} is kept by key, and neither the spec nor the source names one",
            hint="name the columns under 'primary_keys', or set 'scd_type: APPEND_ONLY' to keep every record",
        )
    scd_type: Literal[1, 2] = 2 if table.scd_type == "SCD_TYPE_2" else 1
    if keeping == "snapshots":
        if table.sequence_by is not None:
            raise SpecError(
                f"{_name(table)}: 'sequence_by' is for changes, and the source gives snapshots, which are in order",
                hint="leave 'sequence_by' out",
            )
        return TablePlan(table, keeping, scd_type, keys)
    sequence = table.sequence_by or metadata.get("cursor_field")
    if not sequence:
        raise SpecError(
            f"{_name(table)} is made of changes, and neither the spec nor the source names what orders them",
            hint="name the column under 'sequence_by', such as the time of a change",
        )
    return TablePlan(table, keeping, scd_type, keys, sequence)


def _keeping(table: TableSpec, metadata: TableMetadata) -> Keeping:
    said: object = metadata.get("ingestion_type")
    if not isinstance(said, str) or said not in _KEEPING:
        raise ContractError(
            f"the source says of its table '{table.source_table}' that its ingestion type is {said!r}",
            hint=f"a connector's read_table_metadata says one of {', '.join(INGESTION_TYPES)}",
        )
    keeping = _KEEPING[said]
    if table.scd_type == "APPEND_ONLY":
        if keeping == "snapshots":
            raise SpecError(
                f"{_name(table)}: the source gives the whole table each time, which APPEND_ONLY would add up",
                hint="set 'scd_type' to SCD_TYPE_1, or SCD_TYPE_2 to keep all versions",
            )
        return "appended"
    if keeping == "appended" and table.scd_type is not None:
        return "changes"
    return keeping


def _name(table: TableSpec) -> str:
    return f"the table '{table.dotted_name}'"
