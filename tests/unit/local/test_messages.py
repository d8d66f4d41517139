"""What the engine says, read and made readable."""

from __future__ import annotations

import pytest

from connector_lib.local.events import FlowEvent, parse_event, short_name
from connector_lib.local.failures import readable


@pytest.mark.parametrize(
    ("message", "event"),
    [
        ("Flow spark_catalog.default.a is RUNNING.", FlowEvent("spark_catalog.default.a", "running", "")),
        (
            "Flow 'spark_catalog.default.a b' has FAILED.\nError: no",
            FlowEvent("spark_catalog.default.a b", "failed", "Error: no"),
        ),
        (
            "Flow 'c.d.t' SKIPPED due to upstream failure(s).",
            FlowEvent("c.d.t", "skipped", "due to upstream failure(s)."),
        ),
        ("Failed to resolve flow: 'c.d.t'.\nError: no", FlowEvent("c.d.t", "failed", "Error: no")),
        ("Run is COMPLETED.", None),
    ],
)
def test_a_message_says_which_flow_is_how(message: str, event: FlowEvent | None) -> None:
    assert parse_event(message) == event


def test_names_are_short_where_they_can_be() -> None:
    assert [short_name(name, "lab") for name in ("spark_catalog.lab.t", "spark_catalog.other.t", "t")] == [
        "t",
        "other.t",
        "t",
    ]


def test_an_unresolved_column_keeps_its_suggestion_and_loses_the_plan() -> None:
    said = (
        "Error: [UNRESOLVED_COLUMN.WITH_SUGGESTION] A column with name `nothere` cannot be resolved. Did you"
        " mean one of"
        " the following? [`value`]. SQLSTATE: 42703;\n'Project ['nothere]\n+- ~SubqueryAlias"
        " spark_catalog.default.lines\n"
        "   +- ~StreamingRelationV2 x$@7e7419ee, memory, [], [value#10], name=<Unassigned>\n"
    )
    assert readable(said) == (
        "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column with name `nothere` cannot be resolved."
        " Did you mean one of the following? [`value`]."
    )


@pytest.mark.parametrize(
    "said",
    [
        '[CAST_INVALID_INPUT] The value \'DOE^JANE\' of the type "STRING" cannot be cast to "INT". SQLSTATE: 22018',
        "[CANNOT_PARSE_TIMESTAMP] Text 'DOE^JANE' could not be parsed at index 0. SQLSTATE: 22007",
        "[NUMERIC_VALUE_OUT_OF_RANGE] The value DOE^JANE cannot be represented as Decimal(3, 1).",
        "[MALFORMED_RECORD_IN_PARSING] Malformed records are detected in record parsing: [DOE,JANE].\nParse Mode: X",
        (
            'Traceback (most recent call last):\n  File "/p/a.py", line 3, in f\n    int(x)\n'
            "ValueError: invalid literal for int() with base 10: 'DOE^JANE'"
        ),
        'Traceback (most recent call last):\n  File "/p/a.py", line 3, in f\nKeyError: "DOE"',
    ],
)
def test_the_value_of_a_row_is_not_repeated(said: str) -> None:
    assert "DOE" not in readable(said)
    assert readable(said).split("]")[0] == said.split("]")[0] or "Traceback" in said


def test_the_traceback_of_a_python_function_stays() -> None:
    said = (
        "Error: [PYTHON_EXCEPTION] An exception was thrown from the Python worker: Traceback (most recent"
        " call last):\n"
        '  File "/p/a.py", line 14, in boom\n    return 1/0\nZeroDivisionError: division by zero\n SQLSTATE:'
        " 38000"
    )
    assert readable(said).splitlines()[-1] == "ZeroDivisionError: division by zero"


def test_an_error_of_this_package_in_a_python_worker_is_told_in_its_own_words() -> None:
    said = (
        "[STREAM_FAILED] Query [id = 1, runId = 2] terminated with exception: [PYTHON_DATA_SOURCE_ERROR] Failed when"
        " Python streaming data source perform latestOffset: Traceback (most recent call last):\n"
        '  File "/lib/stream.py", line 3, in latestOffset\n    raise error\n'
        "connector_lib.errors.ApiError: GET https://clinic.example/r4: 401 of the table 'Patient'\n"
        "  the token may have run out\n\nDuring handling of the above exception, another exception occurred:\n\n"
        "Traceback (most recent call last):\n"
        "connector_lib.errors.SourceError: the table 'Patient' cannot be read\n  see above SQLSTATE: 38000\n\n"
        "JVM stacktrace:\norg.apache.spark.SparkException\n\tat org.apache.spark.X\n"
    )
    assert readable(said) == "the table 'Patient' cannot be read\n  see above"
