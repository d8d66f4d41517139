"""Tables of a connection, as a pipeline spec lists them: :func:`ingest`.

What becomes of a table, by what its source gives (``ingestion_type``) and by ``scd_type`` in the spec:

=====================  ============================================  ==============================================
the source gives       on Databricks                                 elsewhere
=====================  ============================================  ==============================================
``cdc``                AUTO CDC                                      a change log and a view (:func:`auto_cdc`)
``cdc_with_deletes``   the same, upserts and deletes in one view     the same, upserts and deletes in one view
``snapshot``           AUTO CDC FROM SNAPSHOT                        what changed between two snapshots, as above
``append``             a streaming table                             a streaming table
=====================  ============================================  ==============================================

``APPEND_ONLY`` makes a streaming table of changes too. Every table has ``_ingest_timestamp``, when the row was read;
it makes no version of a row. With SCD type 1 from snapshots on Databricks it is the time of the last snapshot: there
AUTO CDC takes a column that differs for a change, and leaves none out.

A change column ``_deleted``, and of snapshots ``_snapshot_time``, order and mark what comes from the source; a table
does not have them. A nested sequence orders as well; a nested key such as ``meta.id`` is in the table as ``meta_id``.
"""

from __future__ import annotations

import inspect
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from connector_lib.connector.spec import PipelineSpec, TableSpec, quoted_name
from connector_lib.errors import SpecError
from connector_lib.flows.cdc import auto_cdc
from connector_lib.flows.ingestion_plan import TablePlan, plan_table
from connector_lib.flows.pipeline_files import calling_file, required_beside
from connector_lib.flows.runtime import on_databricks
from connector_lib.flows.source_access import SourceAccess, reach, state_folder

__all__ = ["INGEST_TIMESTAMP", "ingest"]

_LOG = logging.getLogger(__name__)
INGEST_TIMESTAMP: Final = "_ingest_timestamp"
_DELETED: Final = "_deleted"
_SNAPSHOT_TIME: Final = "_snapshot_time"
_SEQUENCE: Final = "_sequence"


def ingest(spec: str | Path | Mapping[str, Any], *, connections: str | Path | None = None) -> None:
    """Defines every table of ``spec``. For module level of a pipeline file.

    Parameters
    ----------
    spec : a pipeline spec (:class:`~connector_lib.connector.spec.PipelineSpec`): a file, absolute or beside the
        pipeline, or its content as a dictionary.
    connections : outside Databricks the file of connections, absolute or beside the pipeline. One that the run was
        given (``connector-lib run --connections FILE``) counts before it; for other places see
        :func:`~connector_lib.flows.source_access.reach`.

    Asks the source how its tables are kept, and Spark for nothing: each table is a flow of the pipeline.

    Raises :class:`~connector_lib.errors.SpecError` for a spec that is wrong, or lacks what the source does not say
    either; :class:`~connector_lib.errors.ConfigurationError` for a file or connection that is not there; and what the
    source raises.

    ::

        from connector_lib.flows.ingestion import ingest

        ingest("ingest.yml")
    """
    frame = inspect.currentframe()
    caller = calling_file(frame.f_back if frame is not None else None)
    loaded = PipelineSpec.load(spec if isinstance(spec, Mapping) else required_beside(spec, caller))
    tables = loaded.tables if on_databricks() else _without_catalogs(loaded.tables)
    access = reach(loaded.connection, connections, caller)
    plans = [plan_table(table, said) for table, said in zip(tables, access.metadata(tables), strict=True)]
    views: set[str] = set()
    for plan in plans:
        _define(plan, access, _view_name(plan.table, views))


def _without_catalogs(tables: tuple[TableSpec, ...]) -> tuple[TableSpec, ...]:
    """The tables by the names that they have where there is one catalog."""
    catalogs = sorted({table.destination_catalog for table in tables if table.destination_catalog is not None})
    if not catalogs:
        return tables
    _LOG.warning(
        "outside Databricks there is one catalog: 'destination_catalog' has no effect (%s)", ", ".join(catalogs)
    )
    named = tuple(replace(table, destination_catalog=None) for table in tables)
    names: set[str] = set()
    for table in named:
        if table.full_name.casefold() in names:
            raise SpecError(
                f"two tables of the spec are called '{table.dotted_name}' where there is one catalog",
                hint="give one of them another 'destination_schema' or 'destination_table'",
            )
        names.add(table.full_name.casefold())
    return named


def _view_name(table: TableSpec, taken: set[str]) -> str:
    """A name for the view that reads the source of ``table``; added to ``taken``."""
    plain = re.sub(r"\W", "_", table.dotted_name)
    names = (f"{plain}__source{suffix}" for suffix in ("", *(f"_{number}" for number in range(2, len(taken) + 3))))
    name = next(name for name in names if name.casefold() not in taken)
    taken.add(name.casefold())
    return name


def _define(plan: TablePlan, access: SourceAccess, view: str) -> None:
    if plan.keeping == "appended":
        _define_appended(plan, access)
    elif plan.keeping == "snapshots" and on_databricks():
        _define_from_snapshots(plan, access, view)
    elif plan.keeping == "snapshots":
        _define_from_snapshot_changes(plan, access, view)
    else:
        _define_from_changes(plan, access, view)


def _define_appended(plan: TablePlan, access: SourceAccess) -> None:
    from pyspark import pipelines as dp

    table = plan.table

    @dp.table(name=table.full_name, cluster_by=_clustering(table))
    def rows() -> DataFrame:
        return _stamped(access.stream(table, {"appendOnly": "true"}))


def _define_from_changes(plan: TablePlan, access: SourceAccess, view: str) -> None:
    from pyspark import pipelines as dp

    table = plan.table
    has_deletes = plan.keeping == "changes and deletes"
    assert plan.sequence is not None
    nested = _nested_names(plan)

    @dp.temporary_view(name=view)
    def changes() -> DataFrame:
        upserts = access.stream(table)
        if not has_deletes:
            return _stamped(upserts, nested)
        deletes = access.stream(table, {"isDeleteFlow": "true"})
        return _stamped(
            upserts.select("*", F.lit(False).alias(_DELETED)).unionByName(
                deletes.select("*", F.lit(True).alias(_DELETED))
            ),
            nested,
        )

    helpers = [*([_DELETED] if has_deletes else []), *([_SEQUENCE] if plan.sequence in nested else [])]
    auto_cdc(
        table.full_name,
        view,
        [nested.get(key, key) for key in plan.keys],
        nested.get(plan.sequence, plan.sequence),
        scd_type=plan.scd_type,
        apply_as_deletes=_DELETED if has_deletes else None,
        except_column_list=helpers or None,
        track_history_except_column_list=_not_tracked(plan),
        cluster_by=table.cluster_by,
    )


def _define_from_snapshots(plan: TablePlan, access: SourceAccess, view: str) -> None:
    from pyspark import pipelines as dp

    table = plan.table
    nested = _nested_names(plan)

    @dp.temporary_view(name=view)
    def snapshot() -> DataFrame:
        return _stamped(access.whole(table), nested)

    dp.create_streaming_table(table.full_name, cluster_by=_clustering(table))
    # Open-source pyspark.pipelines, against which the types are checked, has no such flow.
    create_flow: Any = dp.create_auto_cdc_from_snapshot_flow  # type: ignore[attr-defined]
    tracking = _not_tracked(plan)
    create_flow(
        target=table.full_name,
        source=view,
        keys=[nested.get(key, key) for key in plan.keys],
        stored_as_scd_type=plan.scd_type,
        **({"track_history_except_column_list": tracking} if tracking else {}),
    )


def _define_from_snapshot_changes(plan: TablePlan, access: SourceAccess, view: str) -> None:
    from pyspark import pipelines as dp

    table = plan.table
    nested = _nested_names(plan)
    options = {
        "snapshotChanges": "true",
        "primaryKeys": json.dumps(list(plan.keys)),
        "stateFolder": str(state_folder(table.dotted_name)),
    }

    @dp.temporary_view(name=view)
    def changes() -> DataFrame:
        return _stamped(access.stream(table, options), nested)

    auto_cdc(
        table.full_name,
        view,
        [nested.get(key, key) for key in plan.keys],
        _SNAPSHOT_TIME,
        scd_type=plan.scd_type,
        apply_as_deletes=_DELETED,
        except_column_list=[_DELETED, _SNAPSHOT_TIME],
        track_history_except_column_list=_not_tracked(plan),
        cluster_by=table.cluster_by,
    )


def _stamped(rows: DataFrame, nested: Mapping[str, str] | None = None) -> DataFrame:
    """``rows`` with the time when they were read, and nested columns under names of their own."""
    lifted = [F.expr(_path_in_sql(path)).alias(name) for path, name in (nested or {}).items()]
    return rows.select("*", *lifted, F.current_timestamp().alias(INGEST_TIMESTAMP))


def _nested_names(plan: TablePlan) -> dict[str, str]:
    """The keys and the sequence that are not at the top level, and what they are called there."""
    names = {key: key.replace(".", "_") for key in plan.keys if _is_nested(key)}
    if plan.sequence is not None and _is_nested(plan.sequence):
        names.setdefault(plan.sequence, _SEQUENCE)
    return names


def _is_nested(column: str) -> bool:
    return "." in column and "`" not in column


def _path_in_sql(path: str) -> str:
    return ".".join(map(quoted_name, path.split(".")))


def _not_tracked(plan: TablePlan) -> list[str] | None:
    return [INGEST_TIMESTAMP] if plan.scd_type == 2 else None


def _clustering(table: TableSpec) -> list[str] | None:
    """The columns that a table is clustered by, where that means something."""
    if not table.cluster_by:
        return None
    if on_databricks():
        return list(table.cluster_by)
    _LOG.warning("table '%s': 'cluster_by' has no effect outside Databricks", table.dotted_name)
    return None
