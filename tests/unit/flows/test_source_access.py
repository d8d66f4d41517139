"""How a pipeline reaches a connection outside Databricks: which file, which options, and what the run is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from connector_lib.connector.spec import TableSpec
from connector_lib.errors import ConfigurationError, OptionError, UnknownTableError
from connector_lib.flows.local_run import LocalRun, current_local_run, local_run
from connector_lib.flows.source_access import SourceAccess, reach, state_folder

if TYPE_CHECKING:
    from tests.databricks_stand_in import SessionWithoutServer

CONNECTORS = Path(__file__).parents[2] / "data" / "connectors"
COLUMNS = {"type": "struct", "fields": [{"name": "id", "type": "long", "nullable": True, "metadata": {}}]}


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, session: SessionWithoutServer) -> Path:
    """The file of a pipeline; the working folder is elsewhere. The source has the table 'events'."""
    monkeypatch.syspath_prepend(str(CONNECTORS))
    monkeypatch.delenv("CONNECTOR_LIB_CONNECTIONS", raising=False)
    metadata = {"ingestion_type": "append"}
    (tmp_path / "journal.json").write_text(json.dumps({"events": {"metadata": metadata, "columns": COLUMNS}}))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    root = tmp_path / "pipeline"
    (root / "transformations").mkdir(parents=True)
    (root / "spark-pipeline.yml").touch()
    file = root / "transformations" / "ingest.py"
    file.touch()
    return file


def write_connections(file: Path, journal: Path, **options: str) -> Path:
    lines = "".join(f"\n      {name}: {value}" for name, value in {"file": str(journal), **options}.items())
    file.write_text(f"connections:\n  clinic:\n    source: journal\n    options:{lines}\n")
    return file


def file_of(access: SourceAccess) -> Path:
    return Path(access.options["connectionsFile"])


@pytest.fixture
def everywhere(
    pipeline: Path, tmp_path: Path, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> dict[str, Path]:
    """A file of connections in every place, the first to count first. A test takes places away."""
    journal = tmp_path / "journal.json"
    names = ("run", "argument", "setting", "variable")
    files = {name: write_connections(tmp_path / f"{name}.yml", journal) for name in names}
    files["beside"] = write_connections(pipeline.parents[1] / "connections.yml", journal)
    files["here"] = write_connections(Path("connections.yml").absolute(), journal)
    settings["connector.connections"] = str(files["setting"])
    monkeypatch.setenv("CONNECTOR_LIB_CONNECTIONS", str(files["variable"]))
    return files


def test_the_file_of_the_run_counts_before_all_others(everywhere: dict[str, Path], pipeline: Path) -> None:
    with local_run(LocalRun(Path("/state"), everywhere["run"])):
        assert file_of(reach("clinic", everywhere["argument"], pipeline)) == everywhere["run"]


def test_then_that_of_the_pipelines_file_then_the_setting_then_the_variable(
    everywhere: dict[str, Path], pipeline: Path, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert file_of(reach("clinic", everywhere["argument"], pipeline)) == everywhere["argument"]
    assert file_of(reach("clinic", None, pipeline)) == everywhere["setting"]
    settings["connector.connections"] = ""
    assert file_of(reach("clinic", None, pipeline)) == everywhere["variable"]
    monkeypatch.delenv("CONNECTOR_LIB_CONNECTIONS")
    assert file_of(reach("clinic", None, pipeline)) == everywhere["beside"]
    everywhere["beside"].unlink()
    assert file_of(reach("clinic", None, pipeline)) == everywhere["here"]


def test_a_setting_may_be_relative_to_the_pipeline(
    everywhere: dict[str, Path], pipeline: Path, settings: dict[str, str]
) -> None:
    settings["connector.connections"] = "connections.yml"
    assert file_of(reach("clinic", None, pipeline)) == everywhere["beside"]


def test_without_a_file_the_error_says_where_to_put_one(pipeline: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"connections(.|\n)*--connections FILE"):
        reach("clinic", None, pipeline)


def test_the_data_source_is_registered_and_given_names_instead_of_secrets(
    pipeline: Path, tmp_path: Path, session: SessionWithoutServer
) -> None:
    file = write_connections(tmp_path / "c.yml", tmp_path / "journal.json", password="canary")
    access = reach("clinic", file, pipeline)
    assert access.options == {"connectionName": "clinic", "connectionsFile": str(file)}
    assert list(session.dataSource.registered) == ["lakeflow_connect"]


def test_the_run_is_told_the_secrets_of_the_connection(
    pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLINIC", "canary bird")
    file = write_connections(tmp_path / "c.yml", tmp_path / "journal.json", password="${CLINIC}")
    with local_run(LocalRun(Path("/state"), file)) as _:
        reach("clinic", None, pipeline)
        run = current_local_run()
        assert run is not None
        assert run.secrets == {"canary bird"}
        assert "canary" not in repr(run)


def test_a_wrong_option_of_the_connection_is_named_before_anything_is_read(pipeline: Path, tmp_path: Path) -> None:
    file = write_connections(tmp_path / "c.yml", tmp_path / "journal.json", pasword="canary")
    with pytest.raises(OptionError, match=r"connection 'clinic'(.|\n)*did you mean 'password'") as caught:
        reach("clinic", file, pipeline)
    assert "canary" not in str(caught.value)


def test_metadata_comes_from_the_connector(pipeline: Path, tmp_path: Path) -> None:
    file = write_connections(tmp_path / "c.yml", tmp_path / "journal.json")
    access = reach("clinic", file, pipeline)
    assert access.metadata([TableSpec("events", "e")]) == [{"ingestion_type": "append"}]
    with pytest.raises(UnknownTableError, match="did you mean 'events'"):
        access.metadata([TableSpec("event", "e")])
    with pytest.raises(OptionError, match=r"'onli'(.|\n)*did you mean 'only'"):
        access.metadata([TableSpec("events", "e", options={"onli": "x"})])


def test_the_state_of_a_table_is_in_the_folder_of_the_run(settings: dict[str, str]) -> None:
    settings["connector.state_folder"] = "/elsewhere"
    with local_run(LocalRun(Path("/state"))):
        assert state_folder("lab.a/b") == Path("/state/lab.a%2Fb.snapshots")
    assert state_folder("a") == Path("/elsewhere/a.snapshots")


def test_without_a_folder_for_state_the_error_names_the_setting(settings: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=r"the table 'a' is made of snapshots(.|\n)*connector\.state_folder"):
        state_folder("a")
