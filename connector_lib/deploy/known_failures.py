"""Errors that updates of pipelines end with: what they mean, what to do, and whether they pass by themselves.

A table as data. A pattern is looked for in what the exceptions of the update say; the first entry that fits counts, so
special ones stand before general ones. Names that a pattern takes out of a message are those of things of a workspace
(tables, columns, modules, connections), never values of rows. In ``cause`` and ``remedy`` they stand in braces, and
besides them ``{pipeline}`` (what a command takes for this pipeline), ``{folder}`` (its folder), ``{option}`` (what
brings a command to it: target and profile) and ``{profile}`` (the profile alone).

A full refresh takes what the source no longer has, and with it the history of a table of SCD type 2. It is advised
only where the error's own words leave nothing else than to start from scratch or to undo a change, and says so.

Sources: Databricks, "Error conditions" (https://docs.databricks.com/aws/en/error-messages/error-classes); the messages
of Spark 4.3 (``error-conditions.json``) and of Delta Lake 4 (``delta-error-classes.json``); what pip prints.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from connector_lib.deploy.failure_text import OwnError

__all__ = ["KNOWN_FAILURES", "OWN_FAILURES", "Explanation", "KnownFailure", "explain", "explain_own"]


@dataclass(frozen=True, slots=True)
class KnownFailure:
    """An error that is known. ``passes``: the same update may go well a little later, with nothing changed."""

    name: str
    pattern: re.Pattern[str]
    cause: str
    remedy: str
    passes: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a known error means for one update, with its names put in."""

    name: str
    cause: str
    remedy: str
    passes: bool


def explain(messages: Iterable[str], about: Mapping[str, str]) -> Explanation | None:
    """What is known of the first of ``messages`` that is known at all; ``about`` are the words for ``{pipeline}`` and
    such.

    >>> about = {"pipeline": "fhir_api", "folder": "fhir_api", "option": ""}
    >>> explain(["[NO_TABLES_IN_PIPELINE] Pipelines are expected to have at least one table"], about).name
    'no tables'
    """
    for message in messages:
        for known in KNOWN_FAILURES:
            found = known.pattern.search(message)
            if found is not None:
                return _filled(known, found, about)
    return None


def explain_own(error: OwnError, about: Mapping[str, str]) -> Explanation:
    """What to do about an error of this package: its own hint, and what the table says of its kind.

    >>> error = OwnError("ApiError", "GET https://x/Patient: 429 Too Many Requests", "set a pace")
    >>> explain_own(error, {"pipeline": "x", "folder": "x", "option": ""}).passes
    True
    """
    text = f"{error.kind}: {error.message}"
    fitting = ((known, known.pattern.search(text)) for known in OWN_FAILURES)
    known, found = next((known, found) for known, found in fitting if found is not None)
    filled = _filled(known, found, about)
    remedy = "; ".join(part for part in (error.hint, filled.remedy) if part)
    return Explanation(filled.name, error.message, remedy, filled.passes)


def _filled(known: KnownFailure, found: re.Match[str], about: Mapping[str, str]) -> Explanation:
    words = {"profile": "", **{name: value or "?" for name, value in found.groupdict().items()}, **about}
    return Explanation(known.name, known.cause.format(**words), known.remedy.format(**words), known.passes)


_NAME: Final = r"['\"`]*(?P<{0}>[\w$-]+(?:`?\.`?[\w$-]+)*)['\"`]*"
_DEPLOY: Final = "'connector-lib deploy {folder}{option}'"
_LOSES: Final = "loses what the source no longer has, such as the history of an SCD type 2 table"
_FULL_REFRESH: Final = (
    "'connector-lib start {pipeline} --full-refresh TABLE{option}' reads the table again from the start, and " + _LOSES
)
_GRANTS: Final = (
    "'connector-lib grants --role pipeline --principal <who> --schema <catalog.schema>' prints what a pipeline needs to"
    " run"
)
_CONNECTIONS: Final = (
    "'connector-lib connection list{profile}' lists those that are; 'connector-lib connection create NAME --source S"
    "{profile}' makes one; its name stands in ingest.yml"
)
_EXPECTATION: Final = (
    "look at the rows in the source; 'expect' or 'expect_or_drop' instead of 'expect_or_fail' lets the update go on"
)
_CHECK: Final = "'connector-lib check {folder}' names file and line"


def _known(name: str, pattern: str, cause: str, remedy: str, *, passes: bool = False) -> KnownFailure:
    return KnownFailure(name, re.compile(pattern), cause, remedy, passes)


KNOWN_FAILURES: Final[tuple[KnownFailure, ...]] = (
    _known(
        "no tables",
        r"NO_TABLES_IN_PIPELINE|no tables were found in (?:your|the) pipeline",
        "the files of the pipeline define no table",
        "'connector-lib check {folder}' says what the files lack; a notebook, or a file that 'libraries' does not"
        " name, counts as none",
    ),
    _known(
        "wheel too old",
        r"No module named '(?P<module>connector_lib\.[\w.]+)'",
        "the wheel that the pipeline has pinned has no module {module}: its files are of a newer version",
        f"pin a newer wheel: {_DEPLOY}; 'connector-lib releases{{profile}}' lists what there is",
    ),
    _known(
        "wheel not installed",
        r"No module named '?connector_lib'?(?!\w)",
        "the wheel of connector_lib is not in the pipeline's environment",
        f"{_DEPLOY} puts it there; a pipeline made by hand needs the line that 'connector-lib install-line{{profile}}'"
        " prints under 'environment.dependencies'",
    ),
    _known(
        "module missing",
        r"No module named '?(?P<module>[\w.]+)'?",
        "the pipeline's environment has no module '{module}'",
        f"name its package under 'dependencies' in deploy.yml (an extra of the wheel under 'extras'), then {_DEPLOY}",
    ),
    _known(
        "package index out of reach",
        r"(?is)\A(?=.*\bpip\b)(?=.*(?:Read timed out|ConnectTimeoutError|Temporary failure in name resolution"
        r"|NewConnectionError|Max retries exceeded))",
        "pip could not reach the package index",
        "try again; where the workspace has no way out, put the packages into the Volume and name their files",
        passes=True,
    ),
    _known(
        "wheel not found",
        r"(?:No such file or directory: |Requirement |Could not find file |Invalid requirement: )['\"]?"
        r"(?P<wheel>/Volumes/[\w./-]+\.whl)",
        "the wheel {wheel} is not there, or who the pipeline runs as may not read it",
        "'connector-lib releases{profile}' lists the versions that are there; 'connector-lib grants --principal <who>'"
        f" prints the right to read the Volume; {_DEPLOY} pins another version",
    ),
    _known(
        "packages not installed",
        r"(?:Could not find a version that satisfies the requirement|No matching distribution found for)"
        r" (?P<requirement>[\w.\[\],=<>~!-]+)",
        "pip found no package for a line of the pipeline's environment ({requirement})",
        f"correct 'dependencies' in deploy.yml, then {_DEPLOY}",
    ),
    _known(
        "environment not made",
        r"ENVIRONMENT_PIP_INSTALL_ERROR|ENVIRONMENT_SETUP_ERROR|ENV(?:IRONMENT)?_\w*(?:INSTALL|SETUP)\w*"
        r"|(?i:failed to install (?:python )?(?:librar|depend|package))"
        r"|pip.{0,80}(?:exit(?:ed)?|returned) .{0,20}non-?zero|CalledProcessError.{0,200}\bpip\b",
        "pip could not install the pipeline's environment",
        f"'connector-lib logs {{pipeline}} --verbose{{option}}' shows what pip said; correct 'dependencies' in"
        f" deploy.yml, then {_DEPLOY}",
    ),
    _known(
        "cluster policy",
        r"not authorized to (?:access|use) this cluster policy",
        "who the pipeline runs as may not use its cluster policy",
        "give that user CAN_USE on the policy, or set 'serverless: true' in deploy.yml",
    ),
    _known(
        "secret not found",
        r"Secret does not exist with scope: (?P<scope>[\w.@-]+) and key: (?P<key>[\w.@-]+)",
        "the secret scope '{scope}' has no key '{key}'",
        "'databricks secrets put-secret {scope} {key}' writes it",
    ),
    _known(
        "secret not readable",
        r"does not have READ permission on scope|Secret scope \S+ does not exist|Scope \S+ does not exist",
        "who the pipeline runs as may not read its secret scope, or the scope is not there",
        "'databricks secrets list-scopes' lists the scopes; 'databricks secrets put-acl SCOPE PRINCIPAL READ' gives the"
        " right",
    ),
    _known(
        "privilege missing",
        r"(?:does not have|[Mm]issing|lacks?|[Rr]equires?)(?: the)?(?: privileges?)?"
        r" (?P<privilege>(?:USE|CREATE|READ|WRITE) [A-Z]+(?: [A-Z]+)?|SELECT|MODIFY|MANAGE|BROWSE|EXECUTE)"
        r"(?: privileges?)? on (?:the )?(?P<kind>[A-Za-z]+(?: [A-Z][a-z]+)?) " + _NAME.format("name"),
        "who the pipeline runs as has no {privilege} on the {kind} {name}",
        f"GRANT {{privilege}} ON {{kind}} {{name}} TO `who the pipeline runs as`; {_GRANTS}",
    ),
    _known(
        "connection not found",
        r"[Cc]onnection(?: name)? " + _NAME.format("name") + r" (?:does not exist|was not found)",
        "the connection {name} that the pipeline reads is not in this workspace",
        _CONNECTIONS,
    ),
    _known(
        "connection not found",
        r"CONNECTION_NOT_FOUND|CONNECTION_DOES_NOT_EXIST",
        "the connection that the pipeline reads is not in this workspace",
        _CONNECTIONS,
    ),
    _known(
        "option not allowed",
        r"(?i:externalOptionsAllowList)",
        "the connection does not let the pipeline give one of its options",
        "'connector-lib connection update NAME --prompt <secret>{profile}' writes the list of the options that the"
        " source takes; a workspace shows no secrets, so each that the connection has is given again",
    ),
    _known(
        "artifact not allowed",
        r"(?i:artifact allow-?list)",
        "the metastore lets compute load only the files that its list of allowed artifacts names",
        "somebody with MANAGE ALLOWLIST on the metastore adds the path; or set 'serverless: true' in deploy.yml",
    ),
    _known(
        "storage not readable",
        r"AccessDenied|AccessDeniedException|This request is not authorized to perform this operation"
        r"|UNAUTHORIZED_ACCESS|EXTERNAL_LOCATION_\w*(?:DENIED|NOT_FOUND|DOES_NOT_EXIST)|Access Denied",
        "who the pipeline runs as may not read the storage that it reads",
        f"give READ FILES on its external location, or READ VOLUME on its Volume; {_GRANTS}",
    ),
    _known(
        "permission",
        r"PERMISSION_DENIED|INSUFFICIENT_PERMISSIONS|INSUFFICIENT_PRIVILEGES|Insufficient privileges",
        "who the pipeline runs as lacks a right",
        f"{_GRANTS}, and --apply --warehouse ID runs it",
    ),
    _known(
        "expectation broken",
        r"Violated expectations: '(?P<rule>[^']*)'",
        "rows broke the expectation '{rule}', which is to stop the update",
        _EXPECTATION,
    ),
    _known(
        "expectation broken",
        r"EXPECTATION_VIOLATION|failed to meet the expectation",
        "rows broke an expectation, which is to stop the update",
        _EXPECTATION,
    ),
    _known(
        "table of another pipeline",
        r"already managed by pipeline (?P<other>[\w-]+)",
        "a table of this name belongs to the pipeline {other}",
        f"give this pipeline another schema in deploy.yml, then {_DEPLOY}; or take the table out of the other pipeline",
    ),
    _known(
        "dataset defined twice",
        r"Cannot redefine dataset " + _NAME.format("dataset"),
        "the dataset {dataset} is defined twice",
        f"{_CHECK} of the definitions; a file that is uploaded twice, or under two patterns of 'libraries', defines its"
        " tables twice",
    ),
    _known(
        "dataset defined twice",
        r"PIPELINE_DUPLICATE_IDENTIFIERS|(?:DUPLICATE_DATASET|DATASET_ALREADY_DEFINED|TABLE_ALREADY_DEFINED)",
        "a dataset is defined twice",
        f"{_CHECK} of the definitions",
    ),
    _known(
        "new columns",
        r"UNKNOWN_FIELD_EXCEPTION|UnknownFieldException|CF_\w*SCHEMA_EVOL\w*",
        "the files have new columns; Auto Loader has noted them and stops once for it",
        "start the pipeline again: 'connector-lib start {pipeline}{option}'",
        passes=True,
    ),
    _known(
        "concurrent change",
        r"DELTA_CONCURRENT_\w+|Concurrent(?:Append|Write|Transaction|DeleteRead|DeleteDelete)Exception"
        r"|MetadataChangedException|ProtocolChangedException|DELTA_METADATA_CHANGED",
        "something else wrote to a table at the same time",
        "start the pipeline again: 'connector-lib start {pipeline}{option}'",
        passes=True,
    ),
    _known(
        "source rows changed",
        r"DELTA_SOURCE_TABLE_IGNORE_CHANGES|DELTA_SOURCE_IGNORE_DELETE|Detected (?:a data update|deleted data)",
        "rows of a table that is read as a stream were changed or deleted",
        "make the table that reads it a materialized view; or read it with the option 'skipChangeCommits' where such"
        f" changes may be left out; or, last, {_FULL_REFRESH}",
    ),
    _known(
        "schema changed",
        r"DELTA_SCHEMA_CHANGED(?:_WITH_\w+)?(?!\w)|DELTA_SCHEMA_CHANGED?_SINCE_ANALYSIS"
        r"|DELTA_STREAMING_METADATA_EVOLUTION",
        "the schema of a table changed while it was read; the next update goes on with the new one",
        "start the pipeline again: 'connector-lib start {pipeline}{option}'; where this error comes each time, undo the"
        " change in the table that is read",
        passes=True,
    ),
    _known(
        "schema change to confirm",
        r"DELTA_STREAMING_CANNOT_CONTINUE_PROCESSING_POST_SCHEMA_EVOLUTION",
        "columns of a table that is read were renamed, dropped or given another type; the stream waits for a word to go"
        " on",
        "'connector-lib logs {pipeline} --verbose{option}' shows the settings that let it go on: write one under"
        f" 'configuration' in deploy.yml, then {_DEPLOY}",
    ),
    _known(
        "schema tracking",
        r"DELTA_STREAMING_SCHEMA_LOCATION_\w+"
        r"|DELTA_STREAMING_SCHEMA_LOG_(?:DESERIALIZE|PARSE|INCOMPATIBLE_DELTA_TABLE|INCOMPATIBLE_PARTITION)\w*",
        "the 'schemaTrackingLocation' of a stream is damaged, or of another stream",
        f"give that stream another 'schemaTrackingLocation' in the pipeline's file, then {_DEPLOY}",
    ),
    _known(
        "full refresh needed",
        r"DELTA_STREAMING_INCOMPATIBLE_SCHEMA_CHANGE\w*|DIFFERENT_DELTA_TABLE_READ_BY_STREAMING_SOURCE"
        r"|STATE_STORE_(?:KEY|VALUE)_(?:SCHEMA_NOT_COMPATIBLE|ROW_FORMAT_VALIDATION_FAILURE)"
        r"|STATE_STORE_COLUMN_FAMILY_SCHEMA_INCOMPATIBLE"
        r"|STATE_STORE_INVALID_(?:VALUE_SCHEMA_EVOLUTION|VARIABLE_TYPE_CHANGE|CONFIG_AFTER_RESTART)"
        r"|STREAMING_STATEFUL_OPERATOR_(?:NOT_MATCH_IN_STATE_METADATA|MISSING_STATE_DIRECTORY)"
        r"|STREAMING_CHECKPOINT_MISSING_METADATA_FILE",
        "a stream cannot go on from where it was: its source or its query has changed",
        f"undo the change in the pipeline's file or in the table that is read; or, last, {_FULL_REFRESH}",
    ),
    _known(
        "schema mismatch",
        r"DELTA_FAILED_TO_MERGE_FIELDS|DELTA_METADATA_MISMATCH|DELTA_MERGE_\w*TYPE\w*|CANNOT_MERGE_\w+"
        r"|INCOMPATIBLE_(?:DATA|SCHEMA|COLUMN)\w*|(?i:schema mismatch)|Failed to merge (?:incompatible|fields)",
        "what is written has other columns or types than the table that is there",
        f"cast the columns in the pipeline's file to what the table has; or, last, {_FULL_REFRESH}",
    ),
    _known(
        "column not found",
        r"UNRESOLVED_COLUMN[\w.]*\][^`\n]*`(?P<column>[\w.`$-]+)`",
        "there is no column `{column}` in what the query reads",
        "correct the name in the file",
    ),
    _known(
        "table not found",
        r"TABLE_OR_VIEW_NOT_FOUND\][^`\n]*(?P<table>`[\w.`$-]+`)",
        "there is no table or view {table}, or who the pipeline runs as may not see it",
        "correct the name, or define it in this pipeline; a table of another schema is written with its schema",
    ),
    _known(
        "table not found",
        r"(?:Failed to read dataset|Dataset) "
        + _NAME.format("table")
        + r"[^\n]*(?:not defined|not found|does not exist)",
        "the pipeline reads a dataset {table} that it does not define",
        f"{_CHECK} of what is defined; correct the name",
    ),
    _known(
        "no schema",
        r"CF_EMPTY_DIR_FOR_SCHEMA_INFERENCE|CANNOT_INFER\w*|UNABLE_TO_INFER_SCHEMA|Unable to infer schema",
        "the schema could not be told from the files: the folder is empty, or its files have none",
        "put a file into the folder, or give the schema in the pipeline's file",
    ),
    _known(
        "path not found",
        r"CF_PATH_DOES_NOT_EXIST\w*|CLOUD_FILE\w*NOT_FOUND|PATH_NOT_FOUND|Path does not exist|FileNotFoundException"
        r"|No such file or directory",
        "a folder or file that the pipeline reads is not there",
        f"look at the paths under 'configuration' in deploy.yml and spark-pipeline.yml, then {_DEPLOY}",
    ),
    _known(
        "data source not known",
        r"DATA_SOURCE_NOT_FOUND|[Ff]ailed to find the data source",
        "the data source of connector_lib is not known there: the wheel, or an extra of it, is not in the environment",
        f"{_DEPLOY} puts the wheel there",
    ),
    _known(
        "quota",
        r"QUOTA_EXCEEDED|QuotaExceeded|[Qq]uota (?:has been )?exceeded|VcpuLimitExceeded|RESOURCE_LIMIT_EXCEEDED",
        "the cloud account has no more quota for machines",
        "set 'serverless: true' in deploy.yml, or ask for more quota",
    ),
    _known(
        "no machines",
        r"INSUFFICIENT_(?:INSTANCE_)?CAPACITY|InsufficientInstanceCapacity|STOCKOUT|ZONE_RESOURCE_POOL_EXHAUSTED"
        r"|(?i:cluster|launch|instance)[^\n]{0,200}(?<!\w)RESOURCE_EXHAUSTED"
        r"|CLOUD_PROVIDER_(?:LAUNCH_FAILURE|RESOURCE\w*)|SkuNotAvailable|AllocationFailed",
        "the cloud had no machine of the kind that the pipeline asks for",
        "try again later: 'connector-lib start {pipeline}{option}'; or set 'serverless: true' in deploy.yml",
        passes=True,
    ),
    _known(
        "serverless not available",
        r"(?i:serverless(?: compute| pipelines?)? (?:is|are) not (?:enabled|available|supported))",
        "this workspace has no serverless pipelines",
        f"set 'serverless: false' in deploy.yml, then {_DEPLOY}",
    ),
    _known(
        "start of the cluster",
        r"EXECUTION_SERVICE_STARTUP_FAILURE|CLUSTER_(?:LAUNCH|SETUP|CREATION)\w*"
        r"|(?i:failed to (?:launch|start) (?:the )?(?:pipeline )?cluster)"
        r"|INSTANCE_UNREACHABLE|SPOT_INSTANCE_TERMINATION|BOOTSTRAP_TIMEOUT"
        r"|DRIVER_(?:UNREACHABLE|UNAVAILABLE|NOT_RESPONDING|UNEXPECTED\w*)|NETWORK_CONFIGURATION_FAILURE",
        "the machines of the pipeline did not start, or were lost",
        "try again: 'connector-lib start {pipeline}{option}'",
        passes=True,
    ),
    _known(
        "out of memory",
        r"OutOfMemoryError|OUT_OF_MEMORY|exit code 137|(?i:memory limit exceeded)|UDF_PYSPARK_ERROR\.OOM",
        "a worker or the driver ran out of memory",
        "give the pipeline larger machines, or let it read less at a time (such as 'maxOffsetsPerTrigger')",
    ),
    _known(
        "limit of an API",
        r"(?i:http|status|code|error)\W{0,9}429\b|TooManyRequests|Too Many Requests"
        r"|REQUEST_LIMIT_EXCEEDED|(?i:rate[ -]limit(?:ed\b| (?:(?:was|is|has been) )?(?:exceeded|reached)))",
        "an API answered 429: its limit is reached",
        "try again later: 'connector-lib start {pipeline}{option}'; set a pace below the limit in the options of the"
        " connection",
        passes=True,
    ),
    _known(
        "network",
        r"UnknownHostException|SocketTimeoutException|ConnectException|Connection (?:reset|refused|timed out)"
        r"|Temporary failure in name resolution|TEMPORARILY_UNAVAILABLE|503 Service Unavailable",
        "a server could not be reached, or broke off",
        "try again: 'connector-lib start {pipeline}{option}'; where it stays so, ask whether serverless compute of the"
        " workspace may reach that host",
        passes=True,
    ),
    _known(
        "not allowed in a pipeline",
        r"(?i:magic commands?|%run|%pip)[^\n]*not supported"
        r"|(?i:not supported in (?:a )?(?:dlt|delta live tables|(?:declarative )?pipelines?))"
        r"|PIPELINE_\w*UNSUPPORTED\w*",
        "a file of the pipeline does what pipelines cannot do",
        _CHECK,
    ),
    _known(
        "syntax error",
        r"SyntaxError|IndentationError|PARSE_SYNTAX_ERROR",
        "a file of the pipeline has a syntax error",
        _CHECK,
    ),
)
"""Errors of Databricks, Spark, Delta Lake and pip."""

OWN_FAILURES: Final[tuple[KnownFailure, ...]] = (
    _known(
        "option", r"^OptionError: ", "", "'connector-lib connection check NAME{profile}' tries the connection's options"
    ),
    _known("pipeline spec", r"^SpecError: ", "", f"correct ingest.yml, then {_DEPLOY}"),
    _known("rule", r"^PipelineRuleError: ", "", _CHECK),
    _known("configuration", r"^(?:ConfigurationError|UsageError): ", "", f"correct it, then {_DEPLOY}"),
    _known(
        "requirement missing",
        r"^MissingRequirementError: ",
        "",
        f"name the extra under 'extras' in deploy.yml, then {_DEPLOY}",
    ),
    _known("limit of an API", r"^(?:ApiError|PagingError): .*?: 429\b", "", "try again later", passes=True),
    _known(
        "login to an API",
        r"^ApiError: .*?: 401\b",
        "",
        "'connector-lib connection update NAME --prompt <secret>{profile}' asks for the new secret; --options takes it"
        " from a file",
    ),
    _known("right at an API", r"^ApiError: .*?: 403\b", "", ""),
    _known("API down", r"^ApiError: .*?: 5\d\d\b", "", "", passes=True),
    _known("API asked for what is not there", r"^ApiError: .*?: [34]\d\d\b", "", ""),
    _known(
        "API out of reach",
        r"^ApiError: .*?: (?:no (?:answer|connection) in time|connection refused|the connection|the host's name"
        r"|the answer was cut short)",
        "",
        "where it stays so, ask whether serverless compute of the workspace may reach that host",
        passes=True,
    ),
    _known(
        "offset",
        r"^OffsetError: ",
        "",
        _FULL_REFRESH,
    ),
    _known("unknown table", r"^UnknownTableError: ", "", f"correct 'source_table' in ingest.yml, then {_DEPLOY}"),
    _known(
        "conversion",
        r"^ConversionError: ",
        "",
        "the source has changed a type: a newer wheel may know it; the table then needs a full refresh, which"
        f" {_LOSES}",
    ),
    _known("contract", r"^ContractError: ", "", "the connector has a fault: tell its author"),
    _known("broker", r"^BrokerError: ", "", ""),
    _known("error of connector_lib", r"", "", ""),
)
"""Errors of this package by the name of their class; the last entry fits all."""
