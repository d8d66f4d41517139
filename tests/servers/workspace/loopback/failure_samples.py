"""Failures of updates as the service reports them: the exceptions of the oldest event, and what is to be told of them.

The words are those of Databricks' error conditions, Spark, Delta Lake, pip, and Python's and IPython's tracebacks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["SAMPLES", "Sample", "from_notebook", "from_worker"]


@dataclass(frozen=True, slots=True)
class Sample:
    """``message`` is that of the innermost exception, ``outer`` of one around it; ``known`` is the name of the failure;
    ``tells`` and ``hints`` are parts of the cause and of what to do; ``hides`` is what must not be shown."""

    message: str
    known: str
    tells: str
    hints: str = ""
    passes: bool = False
    hides: str = ""
    outer: str = ""

    @property
    def messages(self) -> tuple[str, ...]:
        """The messages of the exceptions, the outermost first."""
        return (self.outer, self.message) if self.outer else (self.message,)


def from_notebook(
    last_line: str, file: str = "/Workspace/Users/a@b.c/p/transformations/ingest.py", line: int = 5
) -> str:
    """What the service makes of an exception at module level of a file: IPython's traceback in colours, wrapped."""
    return (
        f"Failed to execute python command for notebook '{file}' with id RunnableCommandId(7) and error AnsiResult("
        "\x1b[0;31m---------------------------------------------------------------------------\x1b[0m\n"
        f"\x1b[0;31m{last_line.partition(':')[0]}\x1b[0m                       Traceback (most recent call last)\n"
        f'File \x1b[0;32m{file}:{line}\x1b[0m\n      1 \n----> {line} ingest("ingest.yml")\n\n'
        "File /databricks/python/lib/python3.11/site-packages/connector_lib/flows/ingestion.py:82, in ingest()\n"
        f"     81 x\n\n\x1b[0;31m{last_line},None,Map(),Map(),List(),List(),Map())"
    )


def from_worker(last_lines: str) -> str:
    """What Spark makes of an exception in a Python worker."""
    return (
        "[STREAM_FAILED] Query [id = 3c0c6fb7, runId = 1d5b6f5c] terminated with exception: [PYTHON_EXCEPTION] An"
        " exception was thrown from the Python worker: Traceback (most recent call last):\n"
        '  File "/databricks/spark/python/pyspark/worker.py", line 1964, in main\n    process()\n'
        '  File "/databricks/python/lib/python3.11/site-packages/connector_lib/http/client.py", line 90, in _send\n'
        f"    raise error\n{last_lines}\n SQLSTATE: XXKST"
    )


_JOB_ABORTED: Final = (
    "Job aborted due to stage failure: Task 0 in stage 3.0 failed 4 times, most recent failure: Lost task"
)

_STREAM: Final = "org.apache.spark.sql.streaming.StreamingQueryException: the stream ended"

SAMPLES: Final = (
    Sample(
        "com.databricks.pipelines.common.errors.DLTAnalysisException: [NO_TABLES_IN_PIPELINE] Pipelines are expected"
        " to have at least one table defined but no tables were found in your pipeline.",
        "no tables",
        "define no table",
        "connector-lib check",
    ),
    Sample(
        from_notebook("ModuleNotFoundError: No module named 'connector_lib'"),
        "wheel not installed",
        "not in the pipeline's environment",
        "connector-lib deploy",
    ),
    Sample(
        from_notebook("ModuleNotFoundError: No module named 'connector_lib.flows.deltas'"),
        "wheel too old",
        "connector_lib.flows.deltas",
        "pin a newer wheel",
    ),
    Sample(
        from_notebook("ModuleNotFoundError: No module named 'jwt'"),
        "module missing",
        "no module 'jwt'",
        "dependencies",
    ),
    Sample(
        "[ENVIRONMENT_PIP_INSTALL_ERROR] Failed to install the environment. pip: ERROR: Could not install packages due"
        " to an OSError: [Errno 2] No such file or directory:"
        " '/Volumes/shared/libraries/python_packages/connector_lib/connector_lib-0.9.0-py3-none-any.whl'",
        "wheel not found",
        "connector_lib-0.9.0-py3-none-any.whl",
        "connector-lib releases",
    ),
    Sample(
        "[ENVIRONMENT_PIP_INSTALL_ERROR] pip: ERROR: Could not find a version that satisfies the requirement"
        " pyjwtt[crypto]>=2.9 (from versions: none)",
        "packages not installed",
        "pyjwtt[crypto]>=2.9",
        "deploy.yml",
    ),
    Sample(
        "[ENVIRONMENT_PIP_INSTALL_ERROR] pip failed: WARNING: Retrying after connection broken by"
        " 'NewConnectionError(...)': /simple/pyjwt/",
        "package index out of reach",
        "could not reach the package index",
        passes=True,
    ),
    Sample(
        "[ENVIRONMENT_SETUP_ERROR.PYTHON_NOTEBOOK_ENVIRONMENT] The environment could not be made.",
        "environment not made",
        "pip could not install",
        "--verbose",
    ),
    Sample(
        "PERMISSION_DENIED: You are not authorized to access this cluster policy", "cluster policy", "cluster policy"
    ),
    Sample(
        "java.lang.IllegalArgumentException: Secret does not exist with scope: clinic and key: kafka-password",
        "secret not found",
        "'clinic' has no key 'kafka-password'",
        "databricks secrets put-secret clinic kafka-password",
    ),
    Sample(
        "PERMISSION_DENIED: User etl@b.c does not have READ permission on scope clinic",
        "secret not readable",
        "secret scope",
        "put-acl",
    ),
    Sample(
        "[INSUFFICIENT_PERMISSIONS] Insufficient privileges: User does not have USE CONNECTION on Connection 'fhir'."
        " SQLSTATE: 42501",
        "privilege missing",
        "no USE CONNECTION on the Connection fhir",
        "GRANT USE CONNECTION ON Connection fhir",
        outer=_STREAM,
    ),
    Sample(
        "PERMISSION_DENIED: User does not have CREATE TABLE and USE SCHEMA on Schema 'main.clinic'.",
        "permission",
        "lacks a right",
        "connector-lib grants",
    ),
    Sample(
        "PERMISSION_DENIED: User does not have READ VOLUME on Volume 'main.landing.hl7'.",
        "privilege missing",
        "READ VOLUME on the Volume main.landing.hl7",
    ),
    Sample(
        "[CONNECTION_NOT_FOUND] Cannot execute this command because the connection name `fhir` was not found."
        " SQLSTATE: 42000",
        "connection not found",
        "the connection fhir",
        "connector-lib connection create",
    ),
    Sample(
        "Option 'page_size' is not part of externalOptionsAllowList of the connection.",
        "option not allowed",
        "does not let the pipeline give",
        "connector-lib connection update",
    ),
    Sample(
        "PERMISSION_DENIED: '/Volumes/shared/libraries/python_packages/connector_lib-0.1.0-py3-none-any.whl' is not in"
        " the artifact allowlist",
        "artifact not allowed",
        "list of allowed artifacts",
        "MANAGE ALLOWLIST",
    ),
    Sample(
        "java.nio.file.AccessDeniedException: s3://clinic-landing/hl7: Access Denied (Status Code: 403)",
        "storage not readable",
        "may not read the storage",
        "READ FILES",
    ),
    Sample(
        "[EXPECTATION_VIOLATION.VERBOSITY_ALL] Flow 'main.clinic.patients' failed to meet the expectation. Violated"
        " expectations: 'has an identifier'. Input data: '{\"family\":\"Meyerhoff\"}'. Output record:"
        ' \'{"family":"Meyerhoff"}\'. Missing input data: false',
        "expectation broken",
        "has an identifier",
        "expect_or_drop",
        hides="Meyerhoff",
    ),
    Sample(
        "Table 'main.clinic.patients' is already managed by pipeline da2fa1fd-b90d-4ee6-b6ca-d7d729bbda3e. A table"
        " should only be managed by one pipeline.",
        "table of another pipeline",
        "da2fa1fd-b90d-4ee6-b6ca-d7d729bbda3e",
        "another schema",
    ),
    Sample(
        from_notebook("AnalysisException: Cannot redefine dataset `main`.`clinic`.`patients`"),
        "dataset defined twice",
        "defined twice",
        "connector-lib check",
    ),
    Sample(
        "[UNKNOWN_FIELD_EXCEPTION.NEW_FIELDS_IN_FILE] Encountered unknown fields during parsing: diagnosis",
        "new columns",
        "new columns",
        passes=True,
    ),
    Sample(
        "[DELTA_CONCURRENT_APPEND] ConcurrentAppendException: Files were added by a concurrent update.",
        "concurrent change",
        "at the same time",
        passes=True,
    ),
    Sample(
        "[DELTA_SOURCE_TABLE_IGNORE_CHANGES] Detected a data update (for example MERGE) in the source table",
        "source rows changed",
        "changed or deleted",
        "--full-refresh",
    ),
    Sample(
        "[DELTA_SCHEMA_CHANGED_WITH_VERSION] Detected schema change in version 5: streaming source schema: a INT"
        " data file schema: a INT, b INT. Please try restarting the query.",
        "schema changed",
        "the next update goes on with the new one",
        "connector-lib start",
        passes=True,
    ),
    Sample(
        "[DELTA_SCHEMA_CHANGE_SINCE_ANALYSIS] The schema of your Delta table has changed in an incompatible way since"
        " your DataFrame or DeltaTable object was created.",
        "schema changed",
        "changed while it was read",
        passes=True,
    ),
    Sample(
        "[DELTA_STREAMING_METADATA_EVOLUTION] The schema, table configuration or protocol of your Delta table has"
        " changed during streaming. Please restart the stream to continue processing using the updated metadata.",
        "schema changed",
        "changed while it was read",
        passes=True,
    ),
    Sample(
        "[DELTA_STREAMING_CANNOT_CONTINUE_PROCESSING_POST_SCHEMA_EVOLUTION] We've detected one or more non-additive"
        " schema change(s) (RENAME COLUMN) between Delta version 3 and 4 in the Delta streaming source.",
        "schema change to confirm",
        "waits for a word",
        "'configuration' in deploy.yml",
    ),
    Sample(
        "[DELTA_STREAMING_SCHEMA_LOCATION_CONFLICT] Detected conflicting schema location while streaming from table",
        "schema tracking",
        "of another stream",
        "schemaTrackingLocation",
    ),
    Sample(
        "[DELTA_STREAMING_INCOMPATIBLE_SCHEMA_CHANGE] Streaming read is not supported on these tables",
        "full refresh needed",
        "cannot go on",
        "loses what the source no longer has, such as the history of an SCD type 2 table",
    ),
    Sample(
        "[STREAMING_STATEFUL_OPERATOR_NOT_MATCH_IN_STATE_METADATA] Streaming stateful operator name does not match",
        "full refresh needed",
        "its query has changed",
        "undo the change",
    ),
    Sample(
        "[DELTA_FAILED_TO_MERGE_FIELDS] Failed to merge fields 'age' and 'age'",
        "schema mismatch",
        "other columns or types",
        "--full-refresh",
    ),
    Sample(
        "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column, variable, or function parameter with name `birthdate` cannot"
        " be resolved. Did you mean one of the following? [`birthDate`]. SQLSTATE: 42703",
        "column not found",
        "no column `birthdate`",
    ),
    Sample(
        "[TABLE_OR_VIEW_NOT_FOUND] The table or view `main`.`clinic`.`visits` cannot be found. SQLSTATE: 42P01",
        "table not found",
        "`main`.`clinic`.`visits`",
    ),
    Sample(
        "Failed to read dataset 'visits'. Dataset is not defined in the pipeline.",
        "table not found",
        "visits",
        "connector-lib check",
    ),
    Sample(
        "[CF_EMPTY_DIR_FOR_SCHEMA_INFERENCE] Cannot infer schema when the input path is empty.",
        "no schema",
        "schema could not be told",
    ),
    Sample(
        "[CF_PATH_DOES_NOT_EXIST_FOR_READ_FILES] Path does not exist: /Volumes/main/landing/hl7/Anna Meyerhoff.hl7",
        "path not found",
        "is not there",
        "spark-pipeline.yml",
        hides="Meyerhoff",
    ),
    Sample(
        "[DATA_SOURCE_NOT_FOUND] Failed to find the data source: connector_lib. SQLSTATE: 42K02",
        "data source not known",
        "data source of connector_lib",
    ),
    Sample("AZURE_QUOTA_EXCEEDED_EXCEPTION: QuotaExceeded", "quota", "no more quota", "serverless"),
    Sample(
        "Failed to launch pipeline cluster 0521-1: Could not launch: AWS_INSUFFICIENT_INSTANCE_CAPACITY_FAILURE",
        "no machines",
        "no machine",
        passes=True,
    ),
    Sample(
        "Failed to launch pipeline cluster 0521-2: RESOURCE_EXHAUSTED: the zone has no such machine",
        "no machines",
        "no machine",
        passes=True,
    ),
    Sample(
        "Serverless compute is not enabled for this workspace.", "serverless not available", "no serverless pipelines"
    ),
    Sample("DLT ERROR CODE: EXECUTION_SERVICE_STARTUP_FAILURE", "start of the cluster", "did not start", passes=True),
    Sample("java.lang.OutOfMemoryError: Java heap space", "out of memory", "ran out of memory", outer=_JOB_ABORTED),
    Sample(
        "com.databricks.common.client.DatabricksServiceHttpClientException: HTTP 429: Too Many Requests",
        "limit of an API",
        "429",
        passes=True,
    ),
    Sample("The API's rate limit was exceeded", "limit of an API", "429", passes=True),
    Sample("java.net.UnknownHostException: ehr.clinic.test", "network", "could not be reached", passes=True),
    Sample("Magic commands (e.g. %run) are not supported in pipelines", "not allowed in a pipeline", "cannot do"),
    Sample(from_notebook("SyntaxError: invalid syntax (ingest.py, line 5)"), "syntax error", "syntax error"),
    Sample(
        from_notebook("OptionError: the option 'base_url' is missing\n  give it in the connection"),
        "option",
        "the option 'base_url' is missing",
        "give it in the connection",
    ),
    Sample(
        from_notebook("SpecError: ingest.yml: Invalid pipeline spec: unknown key 'object'\n  did you mean 'objects'?"),
        "pipeline spec",
        "unknown key 'object'",
        "did you mean 'objects'?",
    ),
    Sample(
        from_worker(
            "connector_lib.errors.ApiError: GET https://ehr/Patient: 429 Too Many Requests after 5 attempts\n"
            "  the API has a limit: set a pace below it, or more attempts"
        ),
        "limit of an API",
        "GET https://ehr/Patient: 429 Too Many Requests after 5 attempts",
        "set a pace below it",
        passes=True,
        outer=_STREAM,
    ),
    Sample(
        from_worker("connector_lib.errors.ApiError: GET https://ehr/Patient: 401 Unauthorized"),
        "login to an API",
        "401 Unauthorized",
        "connector-lib connection update",
    ),
    Sample(
        from_worker("connector_lib.errors.ApiError: GET https://ehr/Patient: 403 Forbidden\n  ask for the right"),
        "right at an API",
        "403 Forbidden",
        "ask for the right",
    ),
    Sample(
        from_worker("connector_lib.errors.ApiError: GET https://ehr/Patient: 502 Bad Gateway after 5 attempts"),
        "API down",
        "502 Bad Gateway",
        passes=True,
    ),
    Sample(
        from_worker("connector_lib.errors.ApiError: GET https://ehr/Patient: no answer in time after 5 attempts"),
        "API out of reach",
        "no answer in time",
        passes=True,
    ),
    Sample(
        from_worker("connector_lib.errors.ApiError: GET https://ehr/Patent: 404 Not Found"),
        "API asked for what is not there",
        "404 Not Found",
    ),
    Sample(
        from_worker("connector_lib.errors.OffsetError: the offset of the table 'Patient' belongs to other options"),
        "offset",
        "belongs to other options",
        "--full-refresh TABLE",
    ),
    Sample(
        from_worker("connector_lib.errors.ConversionError: the column 'birthDate' is no date"),
        "conversion",
        "'birthDate' is no date",
        "full refresh",
    ),
    Sample(
        from_worker("connector_lib.errors.ContractError: rows without progress in the table 'Patient'"),
        "contract",
        "rows without progress",
        "tell its author",
    ),
    Sample(
        from_notebook("MissingRequirementError: signed logins need pyjwt\n  pip install 'connector_lib[fhir]'"),
        "requirement missing",
        "signed logins need pyjwt",
        "extras",
    ),
)
"""One failure or more for every entry of the tables of known failures."""
