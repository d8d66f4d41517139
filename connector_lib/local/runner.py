"""Runs a pipeline folder on this machine, from the lock on its warehouse to the report."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from connector_lib.errors import ConfigurationError, ConnectorLibError, PipelineRunError, WarehouseError
from connector_lib.flows.local_run import LocalRun, local_run
from connector_lib.flows.runtime import recording_sources
from connector_lib.local.cache_folder import cache_folder
from connector_lib.local.checkpoints import Writer, remove_unfinished
from connector_lib.local.class_archive import ClassArchive, class_archive
from connector_lib.local.definitions import (
    Dataset,
    Definitions,
    FlowDefinition,
    SourceLine,
    formats_read,
    observed_rules,
)
from connector_lib.local.engine.graph import PipelineGraph, tables_in_sql
from connector_lib.local.engine.metrics import drain_observations, observe
from connector_lib.local.engine.process import EngineSettings, SparkEngine
from connector_lib.local.events import FlowEvent, parse_event, short_name
from connector_lib.local.failures import location_in, readable
from connector_lib.local.installed_jars import installed_jars
from connector_lib.local.java import JavaRuntime, find_java, java_home_for_spark
from connector_lib.local.journal import Journal
from connector_lib.local.kafka_failures import kafka_failure
from connector_lib.local.kafka_jars import are_fetched, fetched_folder, jars_in, kafka_jars, reads_topics
from connector_lib.local.kafka_sources import TopicSource, check_servers, topic_sources
from connector_lib.local.lock import WarehouseLock
from connector_lib.local.machine import memory_of_machine_mb, sensible_cores, sensible_memory_mb
from connector_lib.local.noted_warnings import recording_warnings
from connector_lib.local.observer import RunObserver
from connector_lib.local.quality import ObservedQuality
from connector_lib.local.reading_order import in_reading_order
from connector_lib.local.report import DatasetResult, RunReport
from connector_lib.local.rules import check_rules
from connector_lib.local.source_files import empty_file_notes
from connector_lib.local.source_paths import check_source_paths
from connector_lib.local.tables import count_rows, table_of
from connector_lib.local.warehouse import Warehouse, open_warehouse
from connector_lib.project.pipeline import PipelineFolder
from connector_lib.redaction import masked, secrets_in_environment

__all__ = ["RunSettings", "run_pipeline"]

CATALOG = "spark_catalog"
"""The one catalog of a local run."""
CONNECTION_FORMAT = "lakeflow_connect"
"""The data source of connections."""
_LONGEST_ARCHIVING = 180.0
"""Seconds."""
_UNDONE = "these materialized views may be empty until the next run rebuilds them: "


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How to run: the warehouse folder, whether to read everything again, cores and memory for Spark, a folder of jars
    for it, and the file of connections.

    None for ``cores`` or ``memory_mb`` takes what suits this machine; None for ``jars`` fetches those of Spark's Kafka
    connector, once, where a pipeline needs them; None for ``connections`` leaves it to the pipeline to find the file.
    """

    warehouse: Path
    full_refresh: bool = False
    cores: int | None = None
    memory_mb: int | None = None
    jars: Path | None = None
    connections: Path | None = None


def run_pipeline(pipeline: PipelineFolder, settings: RunSettings, observer: RunObserver | None = None) -> RunReport:
    """Runs ``pipeline`` once: all that is new in its sources, or everything with ``full_refresh``.

    A flow that fails gives a report with the state ``failed`` and its errors. Everything that keeps the run
    from being started raises a :class:`~connector_lib.errors.ConnectorLibError`.
    """
    began = time.monotonic()
    check_source_paths(pipeline)
    observer = observer or RunObserver()
    java = find_java()
    jars = _jars(pipeline, settings.jars, java, observer)
    settings.warehouse.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = WarehouseLock(
        settings.warehouse.resolve() / "lock",
        f"pipeline {pipeline.name}",
        now=_now,
        on_wait=observer.note,
    )
    with lock:
        warehouse = open_warehouse(settings.warehouse)
        remove_unfinished(warehouse.checkpoints)
        journal = Journal(warehouse.journal)
        for interruption in journal.interruptions():
            observer.note(_interrupted(interruption.pipeline, interruption.since, interruption.materialized_views))
        observer.phase("starting Spark")
        shutil.rmtree(warehouse.scratch, ignore_errors=True)
        (warehouse.scratch / "tmp").mkdir(parents=True)
        archive = class_archive(java, installed_jars(), cache_folder())
        java_options = archive.options() if archive is not None else ()
        recorded = archive if archive is not None and archive.is_written_with(java_options) else None
        engine = SparkEngine(
            EngineSettings(
                cores=settings.cores or sensible_cores(),
                memory_mb=settings.memory_mb or sensible_memory_mb(memory_of_machine_mb()),
                java_home=java_home_for_spark(java, warehouse.scratch / "java"),
                tables=warehouse.tables,
                metastore=warehouse.metastore,
                scratch=warehouse.scratch,
                log=warehouse.spark_log,
                lock_fd=lock.fd,
                jars=jars,
                java_options=java_options,
            )
        )
        try:
            report = _Run(pipeline, settings, warehouse, journal, engine, observer).execute(began)
            if recorded and report.state == "completed":
                _keep_classes(recorded, engine, observer)
            return report
        finally:
            if recorded:
                # Nothing of the run is left to be done; the archive would take its time.
                engine.close(patience=0)
                recorded.discard()
            else:
                engine.close()
            shutil.rmtree(warehouse.scratch, ignore_errors=True)


def _keep_classes(archive: ClassArchive, engine: SparkEngine, observer: RunObserver) -> None:
    observer.phase("keeping Spark's classes, so that the next runs start faster (once; Ctrl-C skips it)")
    with contextlib.suppress(KeyboardInterrupt):
        if engine.close(patience=_LONGEST_ARCHIVING):
            archive.keep()


def _jars(pipeline: PipelineFolder, given: Path | None, java: JavaRuntime, observer: RunObserver) -> tuple[Path, ...]:
    needed = reads_topics(pipeline.files)
    if given is not None:
        return jars_in(given, for_topics=needed)
    if not needed:
        return ()
    folder = fetched_folder()
    if are_fetched(folder):
        return kafka_jars(java, folder)
    observer.phase("fetching Spark's Kafka connector (10 MB, once)")
    jars = kafka_jars(java, folder)
    observer.note(f"kept in {folder}: {', '.join(jar.name for jar in jars)}")
    return jars


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _interrupted(pipeline: str, since: str, views: tuple[str, ...]) -> str:
    unfinished = f"the run of '{pipeline}' that began {since} did not finish"
    if not views:
        return f"{unfinished}; the next run of it goes on from the last batch that was finished"
    return f"{unfinished}; these materialized views may be empty until the next run of it rebuilds them: " + ", ".join(
        views
    )


@dataclass(slots=True)
class _FlowProgress:
    state: str = "not started"
    started: float | None = None
    seconds: float | None = None


@dataclass(slots=True)
class _Run:
    pipeline: PipelineFolder
    settings: RunSettings
    warehouse: Warehouse
    journal: Journal
    engine: SparkEngine
    observer: RunObserver
    progress: dict[str, _FlowProgress] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    engine_messages: list[str] = field(default_factory=list)
    sources: dict[str, SourceLine] = field(default_factory=dict)
    """Where each flow is defined."""
    targets: dict[str, str] = field(default_factory=dict)
    """The table that each flow writes: no two write one, but a flow can have a name of its own."""
    topics: dict[str, list[TopicSource]] = field(default_factory=dict)
    """What each flow reads from Kafka, by itself or through a temporary view."""
    secrets: frozenset[str] = field(default_factory=lambda: secrets_in_environment(os.environ), repr=False)

    def execute(self, began: float) -> RunReport:
        # The metastore keeps names in lower case, the checkpoints as they are given: one spelling, one checkpoint.
        database = (self.pipeline.database or "default").lower()
        if self.pipeline.catalog not in (None, CATALOG):
            self.notes.append(f"catalog '{self.pipeline.catalog}' is not on this machine: tables are in {CATALOG}")
        spark = self.engine.spark
        if database != "default":
            spark.sql(f"CREATE DATABASE IF NOT EXISTS `{database}`").collect()
        else:
            spark.catalog.databaseExists("default")
        self.warehouse.mark_complete()
        checkpoints = self.warehouse.add_pipeline(self.pipeline.name)

        self.observer.phase("reading the pipeline")
        graph = PipelineGraph(spark, self.pipeline, CATALOG, database)
        given = self.settings.connections
        run = LocalRun(self.warehouse.source_state_of(self.pipeline.name), given.absolute() if given else None)
        with recording_sources() as sources, recording_warnings() as warned, local_run(run):
            definitions = self._load(graph, run)
        self.secrets = self.secrets.union(run.secrets)
        self.notes.extend(warned)
        topics = topic_sources(definitions, self.pipeline.configuration)
        self.secrets = self.secrets.union(*(source.secrets for source in topics))
        check_rules(definitions, lambda name: _full_name(name, database), tables_in_sql)
        definitions.check_refused(lambda said: self._words(said, topics))
        check_servers(topics)
        ordered = in_reading_order(definitions, lambda name: _full_name(name, database), tables_in_sql)
        tables = [d for d in ordered if d.kind in ("streaming table", "materialized view")]
        if not tables:
            raise ConfigurationError(
                f"{self.pipeline.root}: the transformation files define no table",
                hint="a table is a function under '@dp.table' or '@dp.materialized_view'",
            )
        full = {d.name: _full_name(d.name, database) for d in tables}
        streaming = [full[d.name] for d in tables if d.kind == "streaming table"]
        names = {name.lower(): short_name(name, database) for name in full.values()}
        temporary = {d.name for d in definitions.datasets if d.kind == "temporary view"}
        for flow in definitions.flows:
            flow_name, target = _full_name(flow.name, database), _full_name(flow.target, database)
            self.sources[short_name(flow_name, database)] = flow.source
            self.topics[short_name(flow_name, database)] = [
                topic for topic in topics if topic.flow == flow.name or topic.target in temporary
            ]
            self.targets[short_name(flow_name, database)] = names.get(target.lower(), flow.target)
            if target.lower() in map(str.lower, streaming):
                self._check_writer(flow, flow_name, target)
        for other in sorted({name.split(".")[1] for name in full.values()} - {database, "default"}):
            spark.sql(f"CREATE DATABASE IF NOT EXISTS `{other.replace('`', '``')}`").collect()
        quality = ObservedQuality()
        declared = observed_rules(definitions)
        if declared:
            observe(spark, quality.put_query, quality.add_batch)
        self.observer.flows([short_name(name, database) for name in full.values()])
        before = {} if self.settings.full_refresh else self._rows(streaming)

        run_id = str(uuid.uuid4())
        views = [short_name(full[d.name], database) for d in tables if d.kind == "materialized view"]
        self.journal.began(run_id, self.pipeline.name, _now(), views)
        self.observer.phase("running")
        if self.settings.full_refresh:
            shutil.rmtree(run.state_folder, ignore_errors=True)
        state = "stopped"
        try:
            state = self._run_graph(graph, checkpoints, database, _concurrent_flows(definitions, self.settings))
        finally:
            undone = [view for view in views if self._progress_of(view).state != "completed"]
            self.journal.ended(run_id, _now(), state=state, unfinished_views=undone)
        if undone:
            self.notes.append(_UNDONE + ", ".join(undone))
        if declared:
            drain_observations()
        self.notes.extend(empty_file_notes(sources))
        after = self._rows(list(full.values()))
        results = tuple(self._result(d, full[d.name], before, after, database) for d in tables)
        return RunReport(
            pipeline=self.pipeline.name,
            warehouse=str(self.warehouse.root),
            state=state,
            seconds=round(time.monotonic() - began, 1),
            datasets=results,
            quality=quality.counts(
                declared,
                idle=self._idle(tables, full, database),
                shared=frozenset(temporary),
            ),
            notes=tuple(self.notes),
            errors=tuple(self.errors),
            engine_messages=tuple(self.engine_messages),
        )

    def _load(self, graph: PipelineGraph, run: LocalRun) -> Definitions:
        try:
            return graph.load_definitions()
        except ConnectorLibError as error:
            where = location_in(error, self.pipeline.files)
            raise type(error)(_at(where, error.message), hint=error.hint) from error
        except (Exception, SystemExit) as error:  # noqa: BLE001 - raised again, in other words
            where = location_in(error, self.pipeline.files)
            self.secrets = self.secrets.union(run.secrets)
            # Secrets of the environment are taken out of the cause where it is shown; there nobody knows of others.
            cause = None if run.secrets else error
            raise PipelineRunError(_at(where, f"{type(error).__name__}: {self._words(str(error))}")) from cause

    def _check_writer(self, flow: FlowDefinition, flow_name: str, target: str) -> None:
        _, database, table = target.split(".", 2)
        try:
            self.warehouse.check_writer(Writer(self.pipeline.name, database, table, flow_name.rpartition(".")[2]))
        except WarehouseError as error:
            raise WarehouseError(f"{flow.source}: {error.message}", hint=error.hint) from error

    def _run_graph(self, graph: PipelineGraph, checkpoints: Path, database: str, concurrent_flows: int | None) -> str:
        from pyspark.errors import PySparkException

        try:
            refresh = self.settings.full_refresh
            for message in graph.run(checkpoints, full_refresh=refresh, concurrent_flows=concurrent_flows):
                event = parse_event(message)
                if event is not None:
                    self._note_event(event, database)
        except PySparkException as error:
            self.engine_messages.append(masked(str(error), self.secrets))
            if not self.errors:
                self.errors.append(self._words(str(error)))
            return "failed"
        return "failed" if self.errors else "completed"

    def _note_event(self, event: FlowEvent, database: str) -> None:
        name = short_name(event.flow, database)
        table = self.targets.get(name, name)
        flow = self._progress_of(table)
        flow.state = event.state
        if event.state == "starting":
            flow.started = time.monotonic()
        if flow.started is not None:
            flow.seconds = round(time.monotonic() - flow.started, 1)
        if event.state == "failed":
            self.engine_messages.append(masked(event.detail, self.secrets))
            source = self.sources.get(name)
            where = f"{source}: " if source is not None else ""
            self.errors.append(
                f"{where}the flow '{name}' failed: {self._words(event.detail, self.topics.get(name, ()))}"
            )
        self.observer.flow(table, event.state, flow.seconds)

    def _words(self, said: str, topics: Sequence[TopicSource] = ()) -> str:
        return masked(kafka_failure(said, topics) or readable(said), self.secrets)

    def _rows(self, full_names: list[str]) -> dict[str, int]:
        counts = {}
        for name in full_names:
            _, database, table = name.split(".", 2)
            stored = table_of(self.warehouse, database, table)
            if stored is not None:
                counts[name] = count_rows(stored)
        return counts

    def _idle(self, tables: list[Dataset], full: dict[str, str], database: str) -> frozenset[str]:
        """The streaming tables that are done: without a batch there was nothing to check."""
        names = {d.name: short_name(full[d.name], database) for d in tables if d.kind == "streaming table"}
        return frozenset(name for name, short in names.items() if self._progress_of(short).state == "completed")

    def _progress_of(self, name: str) -> _FlowProgress:
        return self.progress.setdefault(name, _FlowProgress())

    def _result(
        self, dataset: Dataset, full: str, before: dict[str, int], after: dict[str, int], database: str
    ) -> DatasetResult:
        name = short_name(full, database)
        flow = self._progress_of(name)
        rows = after.get(full)
        written = None if rows is None else rows - before.get(full, 0)
        return DatasetResult(name, dataset.kind, written, rows, flow.seconds, flow.state)


def _concurrent_flows(definitions: Definitions, settings: RunSettings) -> int | None:
    """How many flows run at the same time. Each stream of a connection starts a Python process, and Spark waits 10
    seconds for it: too many at once and none of them is there in time (seen on 4.3.0)."""
    if CONNECTION_FORMAT not in formats_read(definitions):
        return None
    return max(2, settings.cores or sensible_cores())


def _full_name(name: str, database: str) -> str:
    parts = name.replace("`", "").split(".")
    return ".".join({1: [CATALOG, database, *parts], 2: [CATALOG, *parts]}.get(len(parts), parts))


def _at(where: tuple[Path, int] | None, message: str) -> str:
    return message if where is None else f"{where[0]}:{where[1]}: {message}"
