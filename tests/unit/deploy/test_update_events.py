"""What the events of an update say, in whatever order they come."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connector_lib.deploy.update_events import DatasetProgress, ExpectationCount, UpdateEvent, UpdateProgress


def event(number: int, kind: str = "flow_progress", **fields: Any) -> UpdateEvent:
    """An event as the API gives it: ``number`` is its second."""
    origin = {"update_id": "u1", **fields.pop("origin", {})}
    return UpdateEvent.from_json(
        {
            "id": f"e{number}",
            "timestamp": f"2026-11-21T10:{number // 60:02}:{number % 60:02}.5Z",
            "event_type": kind,
            "level": "INFO",
            "origin": origin,
            **fields,
        }
    )


def flow(number: int, status: str, dataset: str = "main.clinic.patients", **progress: Any) -> UpdateEvent:
    origin = {"dataset_name": dataset, "flow_name": dataset}
    return event(number, origin=origin, details={"flow_progress": {"status": status, **progress}})


def error(number: int, *messages: str) -> UpdateEvent:
    exceptions = [{"class_name": "X", "message": message} for message in messages]
    return event(number, level="ERROR", message="Failed.", error={"exceptions": exceptions})


def taken_in(*events: UpdateEvent, schema: str = "main.clinic") -> UpdateProgress:
    progress = UpdateProgress(schema)
    for one in events:
        progress.add(one)
    return progress


def test_the_rows_of_a_dataset_are_those_of_all_its_batches() -> None:
    batches = [flow(number, "RUNNING", metrics={"num_output_rows": 10}) for number in range(3)]
    (dataset,) = taken_in(*batches, flow(4, "COMPLETED")).datasets
    assert dataset == DatasetProgress("patients", "completed", 30, 0, ())


def test_the_rows_of_a_table_of_changes_are_those_put_in_and_those_taken_out() -> None:
    metrics = {"num_upserted_rows": 7, "num_deleted_rows": 2}
    (dataset,) = taken_in(flow(1, "COMPLETED", metrics=metrics)).datasets
    assert dataset.rows == 9


def test_a_dataset_without_counts_has_no_number_of_rows() -> None:
    (dataset,) = taken_in(flow(1, "COMPLETED")).datasets
    assert dataset.rows is None


def test_the_counts_of_an_expectation_are_added_up() -> None:
    def quality(passed: int, failed: int) -> dict[str, Any]:
        return {
            "dropped_records": failed,
            "expectations": [{"name": "has id", "passed_records": passed, "failed_records": failed}],
        }

    (dataset,) = taken_in(
        flow(1, "RUNNING", data_quality=quality(5, 1)), flow(2, "COMPLETED", data_quality=quality(2, 0))
    ).datasets
    assert dataset.expectations == (ExpectationCount("has id", 7, 1),)
    assert dataset.dropped == 1


def test_the_order_in_which_events_come_makes_no_difference() -> None:
    events = [
        flow(1, "QUEUED"),
        flow(2, "RUNNING", metrics={"num_output_rows": 4}),
        flow(3, "COMPLETED"),
        error(4, "second"),
        error(2, "first"),
    ]
    for order in permutations(events):
        progress = taken_in(*order)
        assert progress.datasets == (DatasetProgress("patients", "completed", 4, 0, ()),)
        assert progress.oldest_error is not None
        assert progress.oldest_error.raised[0].message == "first"


def test_an_error_with_an_exception_counts_before_an_older_one_without() -> None:
    progress = taken_in(error(1), error(5, "the cause"))
    assert progress.oldest_error is not None
    assert progress.oldest_error.raised[0].message == "the cause"


def test_a_dataset_of_two_flows_has_failed_when_one_of_them_has() -> None:
    def of_flow(number: int, name: str, status: str) -> UpdateEvent:
        origin = {"dataset_name": "patients", "flow_name": name}
        return event(number, origin=origin, details={"flow_progress": {"status": status}})

    (dataset,) = taken_in(of_flow(1, "backfill", "FAILED"), of_flow(2, "live", "COMPLETED")).datasets
    assert dataset.state == "failed"


def test_the_schema_of_the_pipeline_is_taken_off_and_another_is_kept() -> None:
    progress = taken_in(flow(1, "QUEUED", "`main`.`clinic`.`patients`"), flow(2, "QUEUED", "main.raw.patients"))
    assert [dataset.name for dataset in progress.datasets] == ["patients", "main.raw.patients"]


def test_details_that_come_as_text_are_read() -> None:
    details = json.dumps({"flow_progress": {"status": "COMPLETED", "metrics": {"num_output_rows": 3}}})
    (dataset,) = taken_in(event(1, origin={"flow_name": "patients"}, details=details)).datasets
    assert (dataset.state, dataset.rows) == ("completed", 3)


def test_without_details_the_state_is_taken_from_the_words() -> None:
    told = event(1, origin={"flow_name": "patients"}, message="Flow 'patients' is RUNNING.")
    (dataset,) = taken_in(told).datasets
    assert dataset.state == "running"
    ended = event(2, "update_progress", message="Update 6fc8a8 is FAILED.")
    assert ended.update_state == "FAILED"


def test_who_stopped_the_update_is_known() -> None:
    action = {"user_action": {"action": "STOP", "user_name": "bob@example.com"}}
    started = {"user_action": {"action": "START", "user_name": "ann@example.com"}}
    progress = taken_in(event(2, "user_action", details=action), event(1, "user_action", details=started))
    assert progress.stopped_by == "bob@example.com"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_KEYS = st.sampled_from(["id", "timestamp", "origin", "sequence", "level", "event_type", "message", "details", "error"])


@given(st.dictionaries(_KEYS, _JSON))
def test_an_event_of_any_shape_can_be_read(document: dict[str, Any]) -> None:
    assert isinstance(UpdateEvent.from_json(document), UpdateEvent)
