"""What a method of Spark, or a name of a package, gives when it is called, and which rule that breaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from connector_lib.project.early_calls import instead_of
from connector_lib.project.syntax.sql_text import statements, tables_read
from connector_lib.project.syntax.values import (
    PLAIN,
    SESSION,
    UNKNOWN,
    Constant,
    Frame,
    FramePart,
    PartialText,
    Symbol,
    Value,
    frames_in,
)

__all__ = ["Arguments", "Called", "attribute_of_frame", "called_method", "called_symbol", "canonical_path", "text_of"]

_ACTIONS: Final = {
    *("approxQuantile", "checkpoint", "collect", "corr", "cov", "first", "foreach", "foreachPartition", "head"),
    *("isEmpty", "localCheckpoint", "show", "tail", "take", "toArrow", "toLocalIterator", "toPandas"),
}
_UNMISTAKABLE_ACTIONS: Final = {"foreachPartition", "toLocalIterator", "toPandas"}
"""What nothing but a DataFrame has."""
_SPARK_ONLY: Final = {
    *("crossJoin", "dropDuplicates", "exceptAll", "intersectAll", "mapInArrow", "mapInPandas", "orderBy", "selectExpr"),
    *("sortWithinPartitions", "unionAll", "unionByName", "withColumn", "withColumnRenamed", "withColumns"),
    *("withColumnsRenamed", "withMetadata", "withWatermark"),
}
_GROUPINGS: Final = {"cube", "groupBy", "groupby", "groupingSets", "pivot", "rollup"}
_PLAIN_ATTRIBUTES: Final = {
    "columns",
    "dtypes",
    "executionInfo",
    "isStreaming",
    "plot",
    "rdd",
    "schema",
    "sparkSession",
}
_PLAIN_METHODS: Final = {"explain", "isLocal", "printSchema", "sameSemantics", "semanticHash"}
_READS_FILES: Final = {"csv", "jdbc", "json", "load", "orc", "parquet", "text", "xml"}
_OLDER_NAMES: Final = {
    "apply_changes": "create_auto_cdc_flow",
    "apply_changes_from_snapshot": "create_auto_cdc_from_snapshot_flow",
    "create_streaming_live_table": "create_streaming_table",
    "create_target_table": "create_streaming_table",
    "view": "temporary_view",
}
_FLOW_SOURCES: Final = {"read_event_hubs", "read_files", "read_kafka"}
_GIVES_SESSION: Final = {"active", "active_session", "getActiveSession", "getOrCreate", "newSession"}


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of a call. ``whole`` is False where some come from a ``*`` or ``**``."""

    positional: tuple[Value, ...] = ()
    keywords: Mapping[str, Value] = field(default_factory=dict)
    whole: bool = True

    def get(self, place: int | None, name: str) -> Value | None:
        """The argument ``name``, which may stand at ``place``; None where it is not given."""
        if name in self.keywords:
            return self.keywords[name]
        return self.positional[place] if place is not None and place < len(self.positional) else None

    def all(self) -> tuple[Value, ...]:
        """Every one of them."""
        return (*self.positional, *self.keywords.values())

    def reads(self) -> frozenset[str]:
        """The tables that the DataFrames among them are made of."""
        return frozenset().union(*(frame.reads for frame in frames_in(self.all())))


@dataclass(frozen=True, slots=True)
class Called:
    """What a call gives, and what it does that a pipeline must not.

    ``problem``: an ``action`` computes; an ``early`` call matters over the tables ``reads`` if they are the pipeline's,
    with ``instead`` of it; a ``write`` writes, ``instead`` is the SQL command if there is one.
    """

    value: Value
    problem: Literal["action", "early", "write"] | None = None
    reads: frozenset[str] = frozenset()
    instead: str = ""


def canonical_path(path: str) -> str:
    """The path of an imported name as today's interface has it.

    >>> canonical_path("dlt.view")
    'pyspark.pipelines.temporary_view'
    """
    top, _, rest = path.partition(".")
    if top == "dlt":
        return f"pyspark.pipelines.{_OLDER_NAMES.get(rest, rest)}".rstrip(".")
    if path == "pyspark.pipelines.view":
        return "pyspark.pipelines.temporary_view"
    return path


def text_of(value: Value | None) -> str | None:
    """The text that ``value`` is; None where the file does not say."""
    return value.value if isinstance(value, Constant) and isinstance(value.value, str) else None


def attribute_of_frame(frame: Frame, name: str) -> Value | None:
    """The attribute ``name`` of a DataFrame; None where it is a method or a column."""
    if name in ("na", "stat"):
        return FramePart("na" if name == "na" else "stat", frame.reads)
    if name in ("write", "writeStream"):
        return FramePart("writer")
    return PLAIN if name in _PLAIN_ATTRIBUTES else None


def called_method(owner: Value, name: str, given: Arguments) -> Called:
    """What the method ``name`` of ``owner`` gives, called with ``given``."""
    if owner == SESSION:
        return _of_session(name, given)
    if isinstance(owner, Frame):
        return _of_frame(owner, name, given)
    if isinstance(owner, FramePart):
        return _of_part(owner, name, given)
    if owner == UNKNOWN:
        return _of_unknown(name, given)
    return Called(_made_from(given, PLAIN))


def _of_session(name: str, given: Arguments) -> Called:
    if name == "table":
        return Called(_table(given.get(0, "tableName")))
    if name == "sql":
        return _sql(given.get(0, "sqlQuery"))
    if name in ("createDataFrame", "range"):
        return Called(Frame())
    return Called(SESSION if name in _GIVES_SESSION else PLAIN)


def _sql(query: Value | None) -> Called:
    text = query.text if isinstance(query, PartialText) else text_of(query)
    if text is None:
        return Called(Frame())
    first = next(statements(text), None)
    if first is not None and (first.kind == "write" or first.words[0].upper == "CREATE"):
        return Called(PLAIN, "write", instead=first.words[0].upper)
    return Called(Frame(tables_read(text)))


def _table(name: Value | None) -> Frame:
    written = text_of(name)
    return Frame(frozenset() if written is None else frozenset({written}))


def _of_frame(frame: Frame, name: str, given: Arguments) -> Called:
    if name in _ACTIONS or (name == "count" and not given.all()):
        return Called(PLAIN, "action")
    if name in _GROUPINGS:
        return Called(FramePart("groups", frame.reads))
    if name == "writeTo":
        return Called(FramePart("writer"), "write")
    result = Frame(frame.reads | given.reads())
    instead = instead_of(name)
    if instead is not None:
        return Called(result, "early", frame.reads, instead)
    return Called(PLAIN if name in _PLAIN_METHODS else result)


def _of_part(part: FramePart, name: str, given: Arguments) -> Called:
    if part.kind == "reader":
        if name == "table":
            return Called(_table(given.get(0, "tableName")))
        return Called(Frame() if name in _READS_FILES else part)
    if part.kind == "writer":
        return Called(part)
    if part.kind == "groups":
        return Called(part if name in _GROUPINGS else Frame(part.reads))
    if name in ("approxQuantile", "corr", "cov"):
        return Called(PLAIN, "action")
    instead = instead_of(name, of_na=part.kind == "na")
    result = Frame(part.reads)
    return Called(result, "early", part.reads, instead) if instead is not None else Called(result)


def _of_unknown(name: str, given: Arguments) -> Called:
    if name in _UNMISTAKABLE_ACTIONS or (name == "collect" and not given.all()):
        return Called(PLAIN, "action")
    if name in ("groupBy", "rollup"):
        return Called(FramePart("groups"))
    if name in _SPARK_ONLY:
        return Called(Frame(given.reads()))
    return Called(_made_from(given, UNKNOWN))


def _made_from(given: Arguments, otherwise: Value) -> Value:
    """What a function that is not in the file makes of DataFrames is taken for one."""
    return Frame(given.reads()) if any(True for _ in frames_in(given.all())) else otherwise


def called_symbol(path: str, given: Arguments, *, is_of_python: bool) -> Value:
    """What the imported function ``path`` gives; ``is_of_python`` says that it is of Python's own library."""
    package, _, name = path.rpartition(".")
    if path.startswith(("pyspark.sql.SparkSession", "pyspark.sql.session.SparkSession")) or (
        package.startswith("pyspark.sql") and ".SparkSession" in package
    ):
        return SESSION if name in _GIVES_SESSION else Symbol("pyspark.sql.SparkSession.builder")
    if package.startswith("connector_lib.flows"):
        if name == "active_session":
            return SESSION
        if name == "streaming_table":
            return _table(given.get(0, "name"))
        if name in _FLOW_SOURCES:
            return Frame()
    if package == "pyspark.pipelines" and name in ("read", "read_stream"):
        return _table(given.get(0, "name"))
    if package == "builtins":
        return PLAIN
    is_known = is_of_python or path.startswith(("pyspark.", "connector_lib.flows"))
    return _made_from(given, PLAIN if is_known else UNKNOWN)
