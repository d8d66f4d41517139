"""The lines that install a release, as pip and Databricks read them."""

from __future__ import annotations

import pytest
from databricks.sdk.service.pipelines import PipelineLibrary

from connector_lib.deploy.install_lines import check_extras, environment_dependency, library_entry, pip_line
from connector_lib.errors import UsageError

_PATH = "/Volumes/a/b/c/connector_lib/connector_lib-0.1.0-py3-none-any.whl"


def test_without_extras_the_path_is_the_dependency() -> None:
    assert environment_dependency(_PATH) == _PATH
    assert pip_line(_PATH) == f"%pip install {_PATH}"


def test_extras_follow_the_path_in_brackets_and_are_quoted_for_the_shell_of_a_notebook() -> None:
    assert environment_dependency(_PATH, ["fhir", "kafka"]) == f"{_PATH}[fhir,kafka]"
    assert pip_line(_PATH, ["fhir"]) == f'%pip install "{_PATH}[fhir]"'


def test_the_library_entry_is_one_that_the_pipelines_api_knows() -> None:
    assert PipelineLibrary.from_dict(library_entry(_PATH)).as_dict() == library_entry(_PATH)


def test_an_extra_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    check_extras(["fhir"])
    with pytest.raises(UsageError, match=r"no extra 'fihr'\n.*did you mean 'fhir'\? its extras are .*kafka"):
        check_extras(["fihr"])
