"""Tables kept up to date by changes: AUTO CDC on Databricks, a change log and a view over it elsewhere.

Sources: https://docs.databricks.com/aws/en/ldp/developer/ldp-python-ref-apply-changes; Spark 4.3,
``pyspark.pipelines.create_auto_cdc_flow``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from pyspark.sql import functions as F

from connector_lib.connector.spec import quoted_name
from connector_lib.errors import ConfigurationError, did_you_mean
from connector_lib.flows.change_log import ADDED_COLUMNS, ChangeLog, bare
from connector_lib.flows.runtime import on_databricks, setting, where_to_write

__all__ = ["CDC_SETTING", "auto_cdc", "cdc_is_native"]

_LOG = logging.getLogger(__name__)
CDC_SETTING: Final = "connector.cdc"
"""The setting that chooses AUTO CDC outside Databricks: ``native`` or ``view``, which is the default."""


def auto_cdc(
    target: str,
    source_view: str,
    keys: Sequence[str],
    sequence_by: str | Sequence[str],
    *,
    scd_type: Literal[1, 2] = 1,
    apply_as_deletes: str | None = None,
    column_list: Sequence[str] | None = None,
    except_column_list: Sequence[str] | None = None,
    track_history_column_list: Sequence[str] | None = None,
    track_history_except_column_list: Sequence[str] | None = None,
    comment: str | None = None,
    cluster_by: Sequence[str] | None = None,
    table_properties: Mapping[str, str] | None = None,
) -> None:
    """Defines the table ``target`` from the changes that the stream ``source_view`` gives.

    On Databricks it is ``dp.create_streaming_table`` and ``dp.create_auto_cdc_flow``. Elsewhere a streaming table
    ``<target>__changes`` keeps all changes, and ``target`` is a materialized view computed from it; with the setting
    ``connector.cdc: native`` it is Spark's own ``create_auto_cdc_flow``, which needs a catalog that can merge.

    Parameters
    ----------
    target : the table's name.
    source_view : a temporary view or streaming table of this pipeline, one row a change.
    keys : the columns that say which row of the table a change is about.
    sequence_by : the column that says which of two changes is the later one; of several, the first that differs.
    scd_type : 1 for the newest row of each key, 2 for all of its versions, with ``__START_AT`` and ``__END_AT``.
    apply_as_deletes : a SQL condition; a change that meets it deletes its key. NULL does not meet it.
    column_list, except_column_list : the columns of the table, or those of the changes that it does not have.
    track_history_column_list, track_history_except_column_list : for SCD type 2, the columns whose change makes a new
        version, or those that never do. Without either every column does but keys and sequence.
    comment, cluster_by, table_properties : of the table. ``cluster_by`` has no effect outside Databricks.

    Columns are at the top level, without qualifiers; one with a dot in its name is in backticks.

    What comes out is described in :mod:`connector_lib.flows.change_log`. A change without a key or a sequence ends
    the flow with an error that names table and column.

    Raises :class:`~connector_lib.errors.ConfigurationError` where arguments do not fit one another, naming table and
    argument.

    ::

        @dp.temporary_view
        def patient_changes():
            return streaming_table("feed").where("entity = 'patient'")

        auto_cdc("patients", "patient_changes", ["id"], "changed_at", apply_as_deletes="operation = 'DELETE'")
    """
    log = _checked(
        target,
        source_view,
        scd_type,
        {
            "keys": list(keys),
            "sequence_by": [sequence_by] if isinstance(sequence_by, str) else list(sequence_by),
            "column_list": list(column_list or ()),
            "except_column_list": list(except_column_list or ()),
            "track_history_column_list": list(track_history_column_list or ()),
            "track_history_except_column_list": list(track_history_except_column_list or ()),
        },
        apply_as_deletes,
    )
    if cdc_is_native():
        about = {"comment": comment, "cluster_by": list(cluster_by or ()) or None}
        _native(log, scd_type, {**about, "table_properties": dict(table_properties or {}) or None})
        return
    if cluster_by:
        _LOG.warning("table '%s': 'cluster_by' has no effect outside Databricks", target)
    _by_views(log, scd_type, comment, table_properties)


def cdc_is_native() -> bool:
    """Whether the engine itself applies changes: on Databricks, and where the setting ``connector.cdc`` says so.

    Raises :class:`~connector_lib.errors.ConfigurationError` for another value of it.
    """
    if on_databricks():
        return True
    value = setting(CDC_SETTING, "view")
    if value in ("view", "native"):
        return value == "native"
    raise ConfigurationError(
        f"the setting '{CDC_SETTING}' is 'view' or 'native', not '{value}'",
        hint=f"{did_you_mean(value, ('view', 'native'))}{where_to_write(CDC_SETTING)}",
    )


def _by_views(log: ChangeLog, scd_type: int, comment: str | None, properties: Mapping[str, str] | None) -> None:
    from pyspark import pipelines as dp

    dp.table(name=log.name, comment=f"Every change of {log.target}, for good")(log.changes)
    dp.materialized_view(name=log.target, comment=comment, table_properties=dict(properties or {}))(
        log.latest if scd_type == 1 else log.versions
    )


def _native(log: ChangeLog, scd_type: Literal[1, 2], about: Mapping[str, Any]) -> None:
    from pyspark import pipelines as dp

    dp.create_streaming_table(log.target, **{name: value for name, value in about.items() if value is not None})
    names = {
        "column_list": log.only,
        "except_column_list": log.without,
        "track_history_column_list": log.tracked,
        "track_history_except_column_list": () if scd_type == 1 or log.tracked else _untracked(log),
    }
    dp.create_auto_cdc_flow(
        target=log.target,
        source=log.source,
        keys=[_as_given(key) for key in log.keys],
        sequence_by=_as_given(log.sequence[0]) if len(log.sequence) == 1 else F.struct(*map(_as_given, log.sequence)),
        apply_as_deletes=F.expr(log.deletes) if log.deletes else None,
        stored_as_scd_type=scd_type,
        **{name: list(map(_as_given, columns)) for name, columns in names.items() if columns},  # type: ignore[arg-type]
    )


def _untracked(log: ChangeLog) -> list[str]:
    """With the sequence, if the table has it: a version for each change otherwise."""
    has = {name.lower() for name in log.only}
    lacks = {name.lower() for name in (*log.without, *log.untracked)}
    in_table = [name for name in log.sequence if name.lower() not in lacks and (not has or name.lower() in has)]
    return [*log.untracked, *in_table]


def _as_given(column: str) -> str:
    """A bare name as ``col()`` takes it: backticks where it would not be one name without them."""
    return quoted_name(column) if "." in column or "`" in column else column


def _checked(
    target: str, source: str, scd_type: int, given: Mapping[str, list[str]], apply_as_deletes: str | None
) -> ChangeLog:
    if scd_type not in (1, 2):
        raise _wrong(target, f"'scd_type' is 1 or 2, not {scd_type!r}")
    if apply_as_deletes is not None and not apply_as_deletes.strip():
        raise _wrong(target, "'apply_as_deletes' is empty", "leave it out, or give a SQL condition")
    names = {argument: _bare_names(target, argument, columns) for argument, columns in given.items()}
    for argument in ("keys", "sequence_by"):
        if not names[argument]:
            raise _wrong(target, f"'{argument}' names no column")
    for one, other in _EXCLUSIVE:
        if names[one] and names[other]:
            raise _wrong(target, f"'{one}' and '{other}' exclude each other", "give one of them")
    history = names["track_history_column_list"] or names["track_history_except_column_list"]
    if history and scd_type == 1:
        raise _wrong(target, "'track_history_…' is for SCD type 2", "leave it out, or give scd_type=2")
    _check_table_has(target, names, names["keys"], "key")
    _check_table_has(target, names, names["track_history_column_list"], "tracked column")
    return ChangeLog(
        target,
        source,
        keys=names["keys"],
        sequence=names["sequence_by"],
        deletes=apply_as_deletes,
        only=names["column_list"],
        without=names["except_column_list"],
        tracked=names["track_history_column_list"],
        untracked=names["track_history_except_column_list"],
    )


_EXCLUSIVE: Final = (
    ("column_list", "except_column_list"),
    ("track_history_column_list", "track_history_except_column_list"),
)


def _bare_names(target: str, argument: str, columns: list[str]) -> tuple[str, ...]:
    names: dict[str, str] = {}
    for column in columns:
        name = bare(column.strip())
        if not name:
            raise _wrong(target, f"'{argument}' holds an empty name")
        if name == column.strip() and "." in name:
            raise _wrong(
                target,
                f"'{argument}' holds '{column}', which is no column at the top level",
                f"select it under a name of its own in the source view; `{column}` if the dot is part of the name",
            )
        if name.lower() in names:
            raise _wrong(target, f"'{argument}' holds the column '{column}' twice")
        if name.lower() in ADDED_COLUMNS:
            raise _wrong(target, f"'{argument}' holds '{column}', a name of the change log's own columns")
        names[name.lower()] = name
    return tuple(names.values())


def _check_table_has(target: str, names: Mapping[str, tuple[str, ...]], columns: tuple[str, ...], what: str) -> None:
    only, without = ({name.lower() for name in names[listed]} for listed in _EXCLUSIVE[0])
    for column in columns:
        if (only and column.lower() not in only) or column.lower() in without:
            raise _wrong(target, f"the {what} '{column}' is not among the table's columns")


def _wrong(target: str, message: str, hint: str = "") -> ConfigurationError:
    return ConfigurationError(f"table '{target}': {message}", hint=hint)
