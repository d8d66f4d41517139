"""Where a pipeline file runs, the settings and secrets that it was given, and the tables that it reads.

The only module that asks where it runs: everything that differs between Databricks and open-source Spark is
chosen by :func:`on_databricks`. Settings are the entries of ``configuration:`` in ``spark-pipeline.yml``
(the pipeline's *Configuration* on Databricks); Spark hands them to pipeline files through ``spark.conf``.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib import import_module
from typing import overload

from pydantic import SecretStr
from pyspark.sql import DataFrame, SparkSession

from connector_lib.errors import ConfigurationError

__all__ = [
    "SourceFolder",
    "active_session",
    "int_setting",
    "on_databricks",
    "record_source",
    "recording_sources",
    "required_setting",
    "secret",
    "setting",
    "streaming_table",
    "trigger_interval",
    "where_to_write",
]

_LOG = logging.getLogger(__name__)
_REDACTED = "*********(redacted)"
"""What Spark shows instead of a value that ``spark.redaction.regex`` hides."""
_INTERVAL = re.compile(r"[1-9]\d* (second|minute|hour|day)s?")


def on_databricks() -> bool:
    """True inside a Databricks runtime, which sets ``DATABRICKS_RUNTIME_VERSION``; nothing else does.

    >>> on_databricks()
    False
    """
    return bool(os.environ.get("DATABRICKS_RUNTIME_VERSION"))


def active_session() -> SparkSession:
    """The session of the running pipeline, at module level and inside query functions alike."""
    return SparkSession.active()


@overload
def setting(name: str, default: str, *, second_name: str | None = None) -> str: ...
@overload
def setting(name: str, default: None = None, *, second_name: str | None = None) -> str | None: ...
def setting(name: str, default: str | None = None, *, second_name: str | None = None) -> str | None:
    """The value of ``name`` in the pipeline's ``configuration``, or ``default`` where it is absent or blank.

    Works at module level of a pipeline file and inside its query functions. Every value is a string, as it
    is in Spark's configuration; blanks around it are removed.

    Spark Connect (4.3) hides settings in whose name or value ``spark.redaction.regex`` finds something: by default
    words such as ``secret``, ``password`` and ``token``. A hidden one counts as absent. A setting whose own name has
    such a word takes a ``second_name``, at which is looked where ``name`` is absent, blank or hidden.

    ::

        pattern = setting("source.file_pattern", "*.hl7")
        scope = setting("kafka.secretScope", second_name="kafka.scope")
    """
    value = (active_session().conf.get(name, None) or "").strip()
    if value and not value.startswith(_REDACTED):
        return value
    if second_name is not None:
        return setting(second_name, default) if default is not None else setting(second_name)
    if value:
        _LOG.warning("the setting '%s' is hidden by spark.redaction.regex of this compute: it counts as missing", name)
    return default


def required_setting(name: str) -> str:
    """The value of ``name`` in the pipeline's ``configuration``.

    Raises :class:`~connector_lib.errors.ConfigurationError` that names the key, where it is absent or blank.

    ::

        folder = required_setting("source.storage_path")
    """
    value = setting(name)
    if value is None:
        raise ConfigurationError(f"the setting '{name}' is missing", hint=where_to_write(name))
    return value


def int_setting(name: str, default: int) -> int:
    """The whole number under ``name`` in the pipeline's ``configuration``, or ``default`` where it is absent.

    Raises :class:`~connector_lib.errors.ConfigurationError` that names the key, where the value is no whole
    number.

    ::

        limit = int_setting("source.max_file_bytes", 256 * 1024 * 1024)
    """
    value = setting(name)
    if value is None:
        return default
    try:
        return int(value)
    except ValueError:
        raise ConfigurationError(
            f"the setting '{name}' must be a whole number, not '{value}'", hint=where_to_write(name)
        ) from None


def secret(
    scope: str | None, key: str, environment_variable: str, *, option: str, second_option: str | None = None
) -> SecretStr:
    """A secret: on Databricks the value under ``key`` of the secret scope ``scope``, elsewhere the value of
    ``environment_variable``.

    For module level of a pipeline file: a query function may not ask for it on Databricks. The value shows itself only
    by ``get_secret_value()``; it belongs into no setting, since settings are shown to everybody who sees the pipeline.
    Line ends behind it are removed.

    Raises :class:`~connector_lib.errors.ConfigurationError` that names scope, key and variable, where there is no
    value; ``option`` is the setting that ``scope`` came from, ``second_option`` the one that was looked at where the
    first was absent or hidden (see :func:`setting`).

    ::

        SCOPE = setting("kafka.secretScope", second_name="kafka.scope")
        PASSWORD = secret(
            SCOPE, "kafka-password", "KAFKA_PASSWORD", option="kafka.secretScope", second_option="kafka.scope"
        )
    """
    options = f"'{option}'" if second_option is None else f"'{option}' or '{second_option}'"
    if not on_databricks():
        value = os.environ.get(environment_variable, "").rstrip("\r\n")
        if not value:
            raise ConfigurationError(
                f"the environment variable {environment_variable} is not set, or empty: outside Databricks it holds"
                f" what is the secret '{key}' of the scope in {options} there",
                hint=f"set it in the shell that starts the run: read -rs {environment_variable};"
                f" export {environment_variable}",
            )
        return SecretStr(value)
    if scope is None:
        instead = "a name without 'secret' in it" if second_option is None else f"'{second_option}'"
        raise ConfigurationError(
            f"the setting '{option}' is missing, or hidden by spark.redaction.regex of this compute: use {instead}"
            f" for the secret scope that holds the secret '{key}'",
            hint=f"{where_to_write(second_option or option)}; a scope that has 'secret', 'password' or 'token' in its"
            " own name may be hidden under any setting",
        )
    return SecretStr(_value_in_scope(scope, key, environment_variable, options))


def _value_in_scope(scope: str, key: str, environment_variable: str, options: str) -> str:
    # Works in modules and notebooks alike, where `dbutils` itself is a name of notebooks only:
    # https://docs.databricks.com/aws/en/dev-tools/sdk-python (Databricks Utilities).
    dbutils = import_module("databricks.sdk.runtime").dbutils
    hint = (
        f"'databricks secrets put-secret {scope} {key}' writes it, 'databricks secrets list-acls {scope}' says who may"
        f" read it; outside Databricks the variable {environment_variable} takes its place"
    )
    try:
        value = str(dbutils.secrets.get(scope=scope, key=key)).rstrip("\r\n")
    except Exception as error:  # Which one it is differs by runtime, and no class of it is documented.
        raise ConfigurationError(
            f"the secret '{key}' of the scope '{scope}' (setting {options}) cannot be read: {type(error).__name__}",
            hint=hint,
        ) from error
    if not value:
        raise ConfigurationError(f"the secret '{key}' of the scope '{scope}' (setting {options}) is empty", hint=hint)
    return value


def trigger_interval(name: str = "trigger.interval") -> dict[str, str]:
    """How often a table of a continuous pipeline looks for new data: its ``spark_conf``, from the setting ``name``.

    A value is a number and a unit, such as ``10 seconds``; without one Databricks takes its own (five seconds for
    streams). It says nothing to a triggered pipeline. A run elsewhere reads what is there and ends, so the setting
    has no effect there, and the log says so.

    Raises :class:`~connector_lib.errors.ConfigurationError` for another form. Source:
    https://docs.databricks.com/aws/en/ldp/pipeline-mode (``pipelines.trigger.interval``).

    ::

        @dp.table(spark_conf=trigger_interval())
        def received(): ...
    """
    value = setting(name)
    if value is None:
        return {}
    if not _INTERVAL.fullmatch(value):
        raise ConfigurationError(
            f"the setting '{name}' must be a number and a unit, such as '10 seconds', not '{value}'",
            hint=where_to_write(name),
        )
    if not on_databricks():
        _LOG.warning("the setting '%s' is for continuous pipelines on Databricks: it has no effect on this run", name)
        return {}
    return {"pipelines.trigger.interval": value}


def where_to_write(name: str) -> str:
    """What to do about a wrong or missing setting ``name``, as the hint of an error."""
    return (
        f"write '{name}: <value>' under 'configuration:' in spark-pipeline.yml,"
        f" or give '--set {name}=<value>' to connector-lib run"
    )


def streaming_table(name: str) -> DataFrame:
    """The rows of the streaming table ``name``, of this pipeline or another, as a stream: each row once.

    For query functions. It is ``spark.readStream.table`` with the session of the pipeline, which a transformation file
    then need not ask for. Where no table has that name, the flow fails with Spark's ``TABLE_OR_VIEW_NOT_FOUND``.

    ::

        @dp.table
        def adt():
            return streaming_table("received").where("parsed.message_type = 'ADT'")
    """
    return active_session().readStream.table(name)


@dataclass(frozen=True, slots=True)
class SourceFolder:
    """A folder that a pipeline reads: an absolute local path or a URI, and the pattern of the file names, if
    any."""

    path: str
    pattern: str | None = None


_recorded: ContextVar[list[SourceFolder] | None] = ContextVar("recorded_source_folders", default=None)


@contextmanager
def recording_sources() -> Iterator[list[SourceFolder]]:
    """Gives a list to which every folder is added that is read by a definition registered inside the
    ``with`` block.

    A local run uses it to look for files that Spark shows no row for (empty ones). Blocks may be nested; the
    innermost records. Outside of a block nothing is recorded.

    >>> with recording_sources() as folders:
    ...     record_source(SourceFolder("/data/in", "*.hl7"))
    >>> folders
    [SourceFolder(path='/data/in', pattern='*.hl7')]
    """
    folders: list[SourceFolder] = []
    token = _recorded.set(folders)
    try:
        yield folders
    finally:
        _recorded.reset(token)


def record_source(folder: SourceFolder) -> None:
    """Adds ``folder`` to the list of the surrounding :func:`recording_sources`, once; without one it does
    nothing."""
    folders = _recorded.get()
    if folders is not None and folder not in folders:
        folders.append(folder)
