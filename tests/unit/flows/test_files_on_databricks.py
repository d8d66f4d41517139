"""The stream that Auto Loader is asked for, read from the plan that Spark's own reader makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from connector_lib.errors import ConfigurationError
from connector_lib.flows.files import read_files

pytestmark = pytest.mark.usefixtures("databricks", "without_server")
VOLUME = "/Volumes/main/hl7/inbox"


def plan_of(**options: Any) -> Any:
    frame: Any = read_files(VOLUME, **options)
    return frame._plan.plan(None)


def sources(plan: Any) -> list[Any]:
    branches = (plan.set_op.left_input, plan.set_op.right_input)
    return [branch.project.input.filter.input.read.data_source for branch in branches]


def test_both_branches_are_auto_loader_streams_of_the_folder() -> None:
    small, large = sources(plan_of())
    assert [small.format, large.format] == ["cloudFiles", "cloudFiles"]
    assert [list(small.paths), list(large.paths)] == [[VOLUME], [VOLUME]]
    assert small.options["cloudFiles.format"] == large.options["cloudFiles.format"] == "binaryFile"


def test_the_options_are_documented_ones_that_lose_nothing() -> None:
    small, _ = sources(plan_of(pattern="*.hl7", max_bytes_per_batch=1000))
    assert dict(small.options) == {
        "cloudFiles.format": "binaryFile",
        "cloudFiles.includeExistingFiles": "true",
        "cloudFiles.allowOverwrites": "false",
        "cloudFiles.maxBytesPerTrigger": "1000b",
        "cloudFiles.schemaEvolutionMode": "none",
        "cloudFiles.partitionColumns": "",
        "ignoreCorruptFiles": "false",
        "ignoreMissingFiles": "false",
        "pathGlobFilter": "*.hl7",
        "recursiveFileLookup": "true",
    }


@pytest.mark.parametrize(
    ("notifications", "more"),
    [
        ("managed", {"cloudFiles.useManagedFileEvents": "true"}),
        ("classic", {"cloudFiles.useNotifications": "true", "cloudFiles.backfillInterval": "1 day"}),
    ],
)
def test_new_files_are_told_of_by_notifications_where_they_are_asked_for(
    notifications: str, more: dict[str, str]
) -> None:
    without, with_them = (dict(sources(plan_of(notifications=asked))[0].options) for asked in ("", notifications))
    assert with_them == {**without, **more}


def test_the_schema_is_given_so_that_nothing_is_inferred() -> None:
    small, _ = sources(plan_of())
    assert small.schema == "path string, modificationTime timestamp, length bigint, content binary"


def test_text_is_read_whole_and_only_by_the_branch_that_has_content() -> None:
    small, large = sources(plan_of(format="text"))
    assert (small.options["cloudFiles.format"], small.options["wholetext"]) == ("text", "true")
    assert large.options["cloudFiles.format"] == "binaryFile"


def test_only_the_branch_for_small_files_asks_for_content() -> None:
    plan = plan_of()
    small, large = plan.set_op.left_input.project, plan.set_op.right_input.project
    assert small.expressions[2].unresolved_attribute.unparsed_identifier == "content"
    assert '"content"' not in str(large.expressions).replace('name: "content"', "")
    assert len(small.expressions) == len(large.expressions) == 4


def test_the_branches_are_complementary() -> None:
    plan = plan_of(max_file_bytes=7)
    small = plan.set_op.left_input.project.input.filter.condition
    large = plan.set_op.right_input.project.input.filter.condition
    assert large.unresolved_function.function_name == "not"
    assert large.unresolved_function.arguments[0] == small
    assert str(small).count("long: 7") + str(small).count("integer: 7") == 2


def test_a_folder_in_a_volume_is_not_looked_for_on_this_machine() -> None:
    assert sources(plan_of())[0].paths == [VOLUME]


def test_a_pattern_in_the_path_is_refused_here_too() -> None:
    with pytest.raises(ConfigurationError, match=r"'source\.storage_path' must be a folder, not a pattern"):
        read_files("/Volumes/main/hl7/*/inbox")
