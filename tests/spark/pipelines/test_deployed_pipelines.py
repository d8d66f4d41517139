"""From an empty workspace to tables: published, deployed, fetched back, and run on real Spark by what was fetched.

Nothing of this repository is in the second half: the pipeline's files come from the workspace, and ``connector_lib``
from the wheel in the Volume that the pipeline's settings pin.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.workspace import ObjectType

from connector_lib.local.tables import read_rows, stored_tables
from connector_lib.local.warehouse import existing_warehouse
from connector_lib.samples.hl7v2 import DAMAGES, write_files
from tests.servers.workspace.loopback.server import LoopbackWorkspace
from tests.spark.pipelines.comparable_rows import without_folder, without_times
from tests.spark.pipelines.conftest import FirstRun, LocalPipeline
from tests.spark.pipelines.fhir_runs import FHIR_PIPELINE, copy_with_tables, free_port

pytestmark = [pytest.mark.spark, pytest.mark.slow]

REPOSITORY = Path(__file__).parents[3]
HL7V2_FILES = REPOSITORY / "pipelines" / "hl7v2_files"
COMMAND = "import sys; from connector_lib.cli import main; sys.exit(main())"
FETCHED_COMMAND = f"""\
import sys, connector_lib
place = sys.argv.pop(1)
assert connector_lib.__file__.startswith(place), connector_lib.__file__
{COMMAND}
"""
FHIR_TABLES = ("patients", "encounters")
ALL_ROWS = 10_000_000


@dataclass(frozen=True, slots=True)
class DeployedPipeline:
    """A pipeline as the workspace has it. ``folder`` holds its files, fetched back."""

    name: str
    settings: Mapping[str, Any]
    folder: Path

    @property
    def set_options(self) -> list[str]:
        """Its configuration, as ``connector-lib run`` takes it."""
        return [word for key, value in self.settings["configuration"].items() for word in ("--set", f"{key}={value}")]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came back from the workspace: the pipelines, and a folder into which the wheel that they pin is
    installed. ``messages`` are the files that hl7v2_files reads; ``fhir_source`` is the folder that was deployed."""

    site: Path
    wheel: Path
    hl7v2_files: DeployedPipeline
    fhir_api: DeployedPipeline
    messages: Path
    fhir_source: Path
    connections: Path
    port: str

    @property
    def command(self) -> list[str]:
        """``connector-lib`` of the fetched wheel; for :attr:`environment`."""
        return [sys.executable, "-c", FETCHED_COMMAND, str(self.site)]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.site)}


def run(*arguments: object, environment: Mapping[str, str]) -> str:
    """Runs ``connector-lib`` of this installation, and gives what it prints as data. Of this machine's environment no
    login is taken over."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DATABRICKS_")}
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *map(str, arguments)],
        cwd=REPOSITORY,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def fetched_folder(client: WorkspaceClient, place: str, folder: Path) -> Path:
    """The folder ``place`` of the workspace with all that is in it, as ``folder``."""
    folder.mkdir(parents=True)
    for it in client.workspace.list(place.removeprefix("/Workspace"), recursive=True):
        assert it.path is not None
        if it.object_type is ObjectType.FILE:
            file = folder / it.path.removeprefix(place.removeprefix("/Workspace") + "/")
            file.parent.mkdir(parents=True, exist_ok=True)
            with client.workspace.download(it.path) as content:
                file.write_bytes(content.read())
    return folder


def deployed_pipeline(client: WorkspaceClient, name: str, base: Path) -> DeployedPipeline:
    """The only pipeline of that name, with its files below ``base``."""
    (found,) = client.pipelines.list_pipelines(filter=f"name LIKE '{name}'")
    assert found.pipeline_id is not None
    spec = client.pipelines.get(found.pipeline_id).spec
    assert spec is not None
    settings = spec.as_dict()
    return DeployedPipeline(name, settings, fetched_folder(client, settings["root_path"], base / name))


@pytest.fixture(scope="module")
def fetched(tmp_path_factory: pytest.TempPathFactory) -> Fetched:
    base = tmp_path_factory.mktemp("deployed")
    messages, port = base / "hl7 in", free_port()
    write_files(messages, 60, seed=5, damage=tuple(DAMAGES))
    fhir_source = copy_with_tables(base / "source" / "fhir_api", *FHIR_TABLES)
    with LoopbackWorkspace() as workspace:
        environment = {
            "DATABRICKS_HOST": workspace.url,
            "DATABRICKS_TOKEN": workspace.token,
            "DATABRICKS_CONFIG_FILE": str(base / "no_databrickscfg"),
            "FHIR_BASE_URL": f"http://127.0.0.1:{port}/fhir",
        }
        run("publish", "--create", environment=environment)
        connections = FHIR_PIPELINE / "connections.yml"
        run("connection", "create", "fhir", "--connections", connections, environment=environment)
        # The catalog is the one that 'publish' has made: nothing else is in the workspace.
        to = ("--catalog", "shared", "--create-schema", "--watch", "--json")
        from_files = ("--schema", "hl7v2_files", "--set", f"source.storage_path={messages}")
        with ThreadPoolExecutor(2) as side_by_side:
            deployments = [
                side_by_side.submit(run, "deploy", *command, *to, environment=environment)
                for command in ((fhir_source,), (HL7V2_FILES, *from_files))
            ]
        assert [json.loads(it.result())["update"]["state"] for it in deployments] == ["COMPLETED", "COMPLETED"]

        client = WorkspaceClient(host=workspace.url, token=workspace.token)
        hl7v2_files = deployed_pipeline(client, "hl7v2_files", base / "fetched")
        fhir_api = deployed_pipeline(client, "fhir_api", base / "fetched")
        # A requirement of pip: behind the path may be extras in brackets.
        pinned = [it for each in (hl7v2_files, fhir_api) for it in each.settings["environment"]["dependencies"]]
        (path,) = {it.partition("[")[0] for it in pinned}
        wheel = base / path.rpartition("/")[2]
        content = client.files.download(path).contents
        assert content is not None
        wheel.write_bytes(content.read())
        held = workspace.connections.held("fhir")
    site = base / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target"]
    subprocess.run([*install, str(site), str(wheel)], check=True, timeout=120)
    options = {key: value for key, value in held.items() if key not in ("sourceName", "externalOptionsAllowList")}
    fetched_connections = base / "connections.yml"
    fetched_connections.write_text(
        yaml.safe_dump({"connections": {"fhir": {"source": held["sourceName"], "options": options}}})
    )
    return Fetched(site, wheel, hl7v2_files, fhir_api, messages, fhir_source, fetched_connections, port)


def files_in(folder: Path) -> dict[str, bytes]:
    """Contents of the files by their path in ``folder``."""
    files = [it for it in folder.rglob("*") if it.is_file() and "__pycache__" not in it.parts]
    return {it.relative_to(folder).as_posix(): it.read_bytes() for it in files}


def report_of(command: list[str], environment: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """The report of ``connector-lib run``, which runs in ``folder``: Python imports from there first."""
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def tables(warehouse: Path) -> dict[str, list[dict[str, Any]]]:
    return {
        table.name: read_rows(table, ALL_ROWS).to_pylist() for table in stored_tables(existing_warehouse(warehouse))
    }


def test_what_arrived_is_the_pipelines_files_as_they_are_and_nothing_of_what_is_for_people_and_laptops(
    fetched: Fetched,
) -> None:
    for pipeline, source in ((fetched.hl7v2_files, HL7V2_FILES), (fetched.fhir_api, fetched.fhir_source)):
        arrived, there = files_in(pipeline.folder), files_in(source)
        assert arrived.pop(".connector_lib_deployment.json")
        assert arrived.keys() == there.keys() - {"README.md", "deploy.yml", "connections.yml"}
        assert all(content == there[path] for path, content in arrived.items())
        (glob,) = [it["glob"]["include"] for it in pipeline.settings["libraries"]]
        assert glob == f"{pipeline.settings['root_path']}/transformations/**"
        assert any(path.startswith("transformations/") for path in arrived)


def test_deployed_files_with_the_published_wheel_give_the_tables_of_the_source_folders(
    fetched: Fetched, first_run: FirstRun, tmp_path: Path
) -> None:
    def fhir_api(command: list[str], environment: Mapping[str, str], folder: Path, warehouse: Path) -> None:
        sample = ["--patients", "4", "--seed", "1", "--days", "2"]
        serve = [*command, "sample", "fhir", "--serve", "--port", fetched.port, *sample, "--"]
        options = ["--connections", str(fetched.connections), "--warehouse", str(warehouse), "--json"]
        report_of([*serve, *command, "run", str(folder), *options], environment, tmp_path)

    options = [*fetched.hl7v2_files.set_options, "--warehouse", str(tmp_path / "files"), "--json"]
    report_of([*fetched.command, "run", str(fetched.hl7v2_files.folder), *options], fetched.environment, tmp_path)
    fhir_api(fetched.command, fetched.environment, fetched.fhir_api.folder, tmp_path / "fetched")
    fhir_api([sys.executable, "-c", COMMAND], os.environ, fetched.fhir_source, tmp_path / "source")

    from_files = LocalPipeline("hl7v2_files", "", tmp_path / "files").tables()
    for table, rows in first_run.tables.items():
        assert without_times(without_folder(from_files[table])) == without_times(without_folder(rows)), table
    found, wanted = tables(tmp_path / "fetched"), tables(tmp_path / "source")
    assert found.keys() == wanted.keys()
    assert {f"fhir_api.{table}" for table in FHIR_TABLES} <= found.keys()
    for table, rows in wanted.items():
        assert rows
        assert without_times(found[table]) == without_times(rows), table
