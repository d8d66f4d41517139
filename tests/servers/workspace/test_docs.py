"""The commands of README and of the pages on shipping do what they say, in workspaces on loopback."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml
from databricks.sdk.service.pipelines import PipelineSpec

from connector_lib import __version__
from connector_lib.deploy.pipeline_settings import check_fields
from connector_lib.project.deployment import load_deployment
from connector_lib.project.pipeline import load_pipeline_folder
from tests.servers.workspace.conftest import Command
from tests.servers.workspace.loopback.server import ADMIN, LoopbackWorkspace
from tests.servers.workspace.loopback.updates import completed
from tests.servers.workspace.pages import TYPED, follow, section
from tests.servers.workspace.profiles import write_profiles
from tests.servers.workspace.published_wheels import put_release, wheel_path

ROOT = Path(__file__).parents[3]
WAREHOUSE = "1234567890abcdef"
DEPLOYMENT = ("deploy", "pipelines/fhir_api", "--catalog", "main")
CONNECTION = ("connection", "create", "fhir", "--source", "fhir", "--option", "base_url=https://ehr.example.org/fhir")


def page(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


SHIPPING = page("docs/ship_it.md")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the pipelines of this repository in it. Nobody waits between two looks at an update."""
    shutil.copytree(ROOT / "pipelines", tmp_path / "work" / "pipelines")
    monkeypatch.chdir(tmp_path / "work")
    for module in ("deploy", "updates"):
        monkeypatch.setattr(f"connector_lib.cli.{module}.sleep", lambda seconds: None)
    return tmp_path / "work"


@pytest.fixture
def with_catalog(workspace: LoopbackWorkspace) -> LoopbackWorkspace:
    """A workspace with the catalog ``main``, and nothing in it."""
    workspace.catalog.add_schema("main.default")
    return workspace


@pytest.fixture
def with_release(with_catalog: LoopbackWorkspace, tmp_path: Path) -> LoopbackWorkspace:
    """The same with a release in its Volume."""
    put_release(with_catalog, tmp_path)
    return with_catalog


@pytest.fixture
def with_tables(with_catalog: LoopbackWorkspace) -> LoopbackWorkspace:
    """The same with a SQL warehouse that knows the tables of hl7v2_files."""
    tables = re.findall(
        r"^\| (`\w+`(?:, `\w+`)*) \|", section(page("README.md"), "## The tables of HL7 v2"), re.MULTILINE
    )
    names = [name for entry in tables for name in re.findall(r"`(\w+)`", entry)]
    statements = with_catalog.statements
    statements.warehouses.add(WAREHOUSE)
    columns = ("table_name", "table_type", "has_timestamp")
    statements.answer(
        "SELECT t.table_name.*", columns, [[name, "STREAMING_TABLE", "0"] for name in ["received", *names]]
    )
    tables_of_update = {f"main.hl7v2_files_prod.{name}": 7 for name in ["received", *names]}
    with_catalog.updates.usual = completed(tables_of_update)
    statements.answer(r"SELECT count\(.*", ("row_count", "newest"), [["7", None]])
    return with_catalog


def states(workspace: LoopbackWorkspace) -> dict[str, str]:
    """How the newest update of each pipeline ended, by the pipeline's name."""
    held = workspace.pipelines.all.values()
    return {pipeline.spec["name"]: pipeline.latest_updates[0]["state"] for pipeline in held}


def pinned(workspace: LoopbackWorkspace) -> str:
    """The wheel that its one pipeline has, without extras."""
    (pipeline,) = workspace.pipelines.all.values()
    (wheel,) = pipeline.spec["environment"]["dependencies"]
    return str(wheel).partition("[")[0]


def test_readme_brings_two_pipelines_into_an_empty_workspace(
    with_catalog: LoopbackWorkspace, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = follow(section(page("README.md"), "## On Databricks"), command, monkeypatch.setenv)
    assert [line.split()[1] for line, _ in done] == ["publish", "deploy", "connection", "deploy"]
    assert states(with_catalog) == {"hl7v2_files": "COMPLETED", "fhir_api": "COMPLETED"}


def test_the_page_on_shipping_goes_from_an_empty_workspace_to_a_verified_pipeline(
    with_tables: LoopbackWorkspace, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = {line.split("connector-lib ")[1]: ended for line, ended in follow(SHIPPING, command, monkeypatch.setenv)}
    assert "hl7v2_files_prod will be created" in done["plan pipelines/hl7v2_files --target prod"].out
    assert "hl7v2_files_dev_admin: deleted" in done["delete pipelines/hl7v2_files --dev --yes"].out
    assert "[fhir]" in done["install-line 0.1.0 --extras fhir"].out
    assert (
        "SELECT ON SCHEMA `main`.`hl7v2_files_prod`"
        in done["grants --principal analysts --schema main.hl7v2_files_prod"].out
    )
    verified = done[f"verify pipelines/hl7v2_files --target prod --warehouse {WAREHOUSE}"].out
    assert verified.count("main.hl7v2_files_prod.") == 16
    assert states(with_tables) == {"hl7v2_files_prod": "COMPLETED"}
    (pipeline,) = with_tables.pipelines.all.values()
    assert pipeline.spec["notifications"] == [
        {"email_recipients": ["hl7@example.org"], "alerts": ["on-update-failure"]}
    ]
    assert Path("hl7v2_bundle/databricks.yml").is_file()
    assert Path("_generated_fhir_python_source.py").is_file()
    shown = "".join(ended.out + ended.err for ended in done.values())
    assert TYPED not in shown


@pytest.mark.parametrize("block", re.findall(r"^```yaml\n(.*?)^```", SHIPPING, re.DOTALL | re.MULTILINE))
def test_settings_that_the_page_on_shipping_shows_are_ones_that_there_are(block: str, folder: Path) -> None:
    shown = yaml.safe_load(block)
    if shown.keys() & {"root_path", "environment"}:
        check_fields(shown, PipelineSpec)
        return
    (folder / "pipelines" / "hl7v2_files" / "deploy.yml").write_text(block, encoding="utf-8")
    pipeline = load_pipeline_folder(folder / "pipelines" / "hl7v2_files")
    for target in [None, *shown.get("targets", {})]:
        load_deployment(pipeline, target)


def test_the_page_on_versions_brings_a_newer_one_to_two_workspaces(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with LoopbackWorkspace() as dev, LoopbackWorkspace() as prod:
        write_profiles(monkeypatch, tmp_path, {"dev": (dev, ADMIN), "prod": (prod, ADMIN)})
        for profile, workspace in (("dev", dev), ("prod", prod)):
            workspace.catalog.add_schema("main.default")
            put_release(workspace, tmp_path, "0.0.9")
            assert command(*CONNECTION, "--profile", profile).code == 0
        assert command(*DEPLOYMENT, "--profile", "prod").code == 0
        before = pinned(prod)
        done = follow(page("docs/pin_and_upgrade.md"), command, monkeypatch.setenv)
        (plan,) = [ended.out for line, ended in done if " plan " in line]
        assert "0.0.9" in plan
        assert (before, pinned(prod), pinned(dev)) == (wheel_path("0.0.9"), *[wheel_path(__version__)] * 2)


@pytest.mark.parametrize(("name", "deployments"), [("kafka", 1), ("event_hubs", 3), ("kinesis", 1)])
def test_the_pages_on_events_bring_their_pipeline_into_a_workspace(
    name: str, deployments: int, with_release: LoopbackWorkspace, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = follow(page(f"docs/{name}.md"), command, monkeypatch.setenv, only=("deploy",))
    assert len(done) == deployments
    assert states(with_release) == {f"hl7v2_{name}": "COMPLETED"}


@pytest.mark.parametrize("pipeline", sorted(folder.name for folder in (ROOT / "pipelines").iterdir()))
def test_a_pipeline_is_deployed_as_its_readme_says(
    pipeline: str, with_release: LoopbackWorkspace, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = follow(page(f"pipelines/{pipeline}/README.md"), command, monkeypatch.setenv, only=("connection", "deploy"))
    assert "deploy" in [line.split()[1] for line, _ in done]
    assert states(with_release) == {pipeline: "COMPLETED"}


def test_a_connector_of_ones_own_comes_along(
    with_release: LoopbackWorkspace, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command("new-source", "clinic").code == 0
    monkeypatch.chdir("clinic_connector")
    # As 'pip install --editable .' has it.
    metadata = Path("clinic_connector-0.1.0.dist-info")
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: clinic-connector\nVersion: 0.1.0\n")
    entry_point = "clinic = clinic_connector.source:ClinicSource"
    (metadata / "entry_points.txt").write_text(f"[connector_lib.sources]\n{entry_point}\n")
    monkeypatch.syspath_prepend(Path.cwd())
    monkeypatch.setenv("CLINIC_BASE_URL", "http://127.0.0.1:8080/api/v1")
    steps = section(page("docs/write_a_connector.md"), "## Minute 14: Databricks").replace("```text", "```sh")
    done = follow(steps, command, monkeypatch.setenv, only=("connection", "deploy"))
    assert len(done) == 2
    assert states(with_release) == {"clinic": "COMPLETED"}
