"""A command imports what it needs and no more: the list of commands and every help are there at once."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from connector_lib.cli.command_list import COMMANDS

PIPELINE = Path(__file__).parents[3] / "pipelines" / "hl7v2_files"
MESSAGE = b"MSH|^~\\&|LAB|GHH|||20260101||ORU^R01|1|P|2.5\rPID|1||123^^^GHH^MR||DOE^JANE\r"
REPORT = """\
import contextlib, io, json, sys
before = set(sys.modules)
{imports}
code = 0
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    {statement}
print(json.dumps([code, sorted(set(sys.modules) - before)]))
"""
HEAVY = {"confluent_kafka", "databricks", "google", "numpy", "pandas", "pyarrow", "pyspark", "requests", "urllib3"}


def modules_after(statement: str, *arguments: object, imports: str = "") -> set[str]:
    """The modules that a fresh process has imported; ``statement`` sets ``code``, which has to be 0."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT.format(imports=imports, statement=statement), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    code, modules = json.loads(done.stdout)
    assert code == 0
    return set(modules)


def modules_of(*arguments: object) -> set[str]:
    """The modules that ``connector-lib`` with these arguments imports."""
    return modules_after("code = main(sys.argv[1:])", *arguments, imports="from connector_lib.cli import main")


def packages(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def test_the_list_of_commands_takes_hardly_more_than_typer_itself() -> None:
    listed, typer_alone = modules_of("--help"), modules_after("import typer; typer.main")
    ours = {name for name in listed if name.startswith("connector_lib")}
    assert packages(listed) & (HEAVY | {"pydantic", "rich", "yaml"}) == set()
    assert {name for name in ours if name.startswith("connector_lib.cli.")} <= {
        "connector_lib.cli.app",
        "connector_lib.cli.command_list",
    }
    # 12 of them are the parser's, which 'import connector_lib' gives to everybody.
    assert len(ours) < 30
    assert len(listed - ours - typer_alone) < 60


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_the_help_of_a_command_imports_nothing_heavy(command: str) -> None:
    assert packages(modules_of(command, "--help")) & HEAVY == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ("parse", "message.hl7"),
        ("check", PIPELINE),
        ("grants", "--principal", "ann@example.com"),
        ("merge", "fhir", "--out", "merged.py"),
    ],
    ids=lambda arguments: str(arguments[0]),
)
def test_a_command_that_asks_no_workspace_imports_neither_sdk_nor_spark(
    arguments: tuple[object, ...], tmp_path: Path
) -> None:
    (tmp_path / "message.hl7").write_bytes(MESSAGE)
    here = [tmp_path / str(it) if it in ("message.hl7", "merged.py") else it for it in arguments]
    assert packages(modules_of(*here)) & HEAVY == set()


def test_the_line_that_installs_a_version_imports_no_sdk() -> None:
    modules = modules_of("install-line", "0.1.0")
    # Whether it is installed is looked up, which imports the empty package above it.
    assert packages(modules) & (HEAVY - {"databricks"}) == set()
    assert not any(name.startswith("databricks.") for name in modules)


def test_a_bundle_takes_the_fields_of_the_sdk_and_no_spark(tmp_path: Path) -> None:
    modules = modules_of("bundle", PIPELINE, "--out", tmp_path / "bundle", "--catalog", "main", "--wheel", "0.1.0")
    assert packages(modules) & {"pyspark", "pyarrow", "numpy", "pandas", "confluent_kafka"} == set()


@pytest.mark.parametrize("module", sorted({command.module for command in COMMANDS.values()}))
def test_a_module_adds_the_commands_that_the_list_names_for_it(module: str) -> None:
    app = typer.Typer()
    importlib.import_module(f"connector_lib.cli.{module}").register(app)
    added = {command.name for command in app.registered_commands} | {group.name for group in app.registered_groups}
    assert added == {name for name, command in COMMANDS.items() if command.module == module}


def test_every_module_with_commands_is_in_the_list() -> None:
    import connector_lib.cli

    (folder,) = connector_lib.cli.__path__
    files = [path for path in Path(folder).glob("*.py") if "\ndef register(" in path.read_text(encoding="utf-8")]
    assert {path.stem for path in files} == {command.module for command in COMMANDS.values()}
