"""What is missing is named all at once, before anything is written, with the SQL or the command that mends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers.workspace.conftest import Command, Ended
from tests.servers.workspace.deployable import DEPLOY, grant, ready, write_ingest_pipeline, writes
from tests.servers.workspace.loopback.server import ADMIN, ANN, BOB, LoopbackWorkspace

VOLUME = "shared.libraries.python_packages"
PIPELINE_ID = "00000000-0000-0000-0000-000000000abc"


@pytest.fixture
def clinic(workspace: LoopbackWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LoopbackWorkspace:
    """All is there, and ann, who logs in, may do nothing."""
    monkeypatch.setenv("DATABRICKS_TOKEN", workspace.token_of(ANN))
    return ready(workspace, tmp_path / "wheels")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_ingest_pipeline(tmp_path / "clinic")


def grant_all(clinic: LoopbackWorkspace, user: str = ANN) -> None:
    grant(clinic, user, "CATALOG", "main", "USE_CATALOG")
    grant(clinic, user, "SCHEMA", "main.clinic", "USE_SCHEMA", "CREATE_TABLE", "CREATE_MATERIALIZED_VIEW")
    grant(clinic, user, "CATALOG", "shared", "USE_CATALOG")
    grant(clinic, user, "SCHEMA", "shared.libraries", "USE_SCHEMA")
    grant(clinic, user, "VOLUME", VOLUME, "READ_VOLUME")
    grant(clinic, user, "CONNECTION", "ehr", "USE_CONNECTION")


def missing(clinic: LoopbackWorkspace, ended: Ended) -> list[str]:
    """The lines about what is missing, of a deployment that wrote nothing."""
    assert ended.code == 1
    assert "cannot be deployed yet; nothing was written. Missing:" in ended.err
    assert writes(clinic) == []
    return [line.strip() for line in ended.err.splitlines()[1:-1]]


def test_every_privilege_is_named_at_once_with_its_grant(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    assert missing(clinic, command("deploy", folder)) == [
        f"{ANN} lacks USE CATALOG on the catalog 'main'",
        f"GRANT USE CATALOG ON CATALOG `main` TO `{ANN}`",
        f"{ANN} lacks USE SCHEMA, CREATE TABLE, CREATE MATERIALIZED VIEW on the schema 'main.clinic'",
        f"GRANT USE SCHEMA, CREATE TABLE, CREATE MATERIALIZED VIEW ON SCHEMA `main`.`clinic` TO `{ANN}`",
        f"{ANN} lacks USE CATALOG on the catalog 'shared'",
        f"GRANT USE CATALOG ON CATALOG `shared` TO `{ANN}`",
        f"{ANN} lacks USE SCHEMA on the schema 'shared.libraries'",
        f"GRANT USE SCHEMA ON SCHEMA `shared`.`libraries` TO `{ANN}`",
        f"{ANN} lacks READ VOLUME on the volume '{VOLUME}'",
        f"GRANT READ VOLUME ON VOLUME `shared`.`libraries`.`python_packages` TO `{ANN}`",
        f"{ANN} lacks USE CONNECTION on the connection 'ehr'",
        f"GRANT USE CONNECTION ON CONNECTION `ehr` TO `{ANN}`",
    ]


def test_who_has_what_it_takes_and_no_more_may_deploy(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    grant_all(clinic)
    ended = command("deploy", folder)
    assert ended.code == 0, ended.err
    assert clinic.pipelines.named("clinic").creator == ANN


@pytest.mark.parametrize(
    ("kind", "name", "privilege"),
    [
        ("CATALOG", "main", "USE_CATALOG"),
        ("SCHEMA", "main.clinic", "USE_SCHEMA"),
        ("SCHEMA", "main.clinic", "CREATE_TABLE"),
        ("SCHEMA", "main.clinic", "CREATE_MATERIALIZED_VIEW"),
        ("CATALOG", "shared", "USE_CATALOG"),
        ("SCHEMA", "shared.libraries", "USE_SCHEMA"),
        ("VOLUME", VOLUME, "READ_VOLUME"),
        ("CONNECTION", "ehr", "USE_CONNECTION"),
    ],
)
def test_each_of_them_is_needed(
    clinic: LoopbackWorkspace, command: Command, folder: Path, kind: str, name: str, privilege: str
) -> None:
    grant_all(clinic)
    clinic.permissions.revoke(ADMIN, [privilege], kind, name, ANN)
    said = " ".join(missing(clinic, command("deploy", folder)))
    assert f"{ANN} lacks" in said
    assert privilege.replace("_", " ") in said


def test_making_the_schema_needs_create_schema(clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
    grant_all(clinic)
    arguments = ("deploy", folder, "--schema", "fresh", "--create-schema")
    assert missing(clinic, command(*arguments)) == [
        f"{ANN} lacks CREATE SCHEMA on the catalog 'main'",
        f"GRANT CREATE SCHEMA ON CATALOG `main` TO `{ANN}`",
    ]
    grant(clinic, ANN, "CATALOG", "main", "CREATE_SCHEMA")
    assert command(*arguments).code == 0


def test_a_connection_that_is_not_there_is_to_be_made_and_may_need_a_grant(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    grant_all(clinic)
    (folder / "ingest.yml").write_text((folder / "ingest.yml").read_text().replace("ehr", "lab"))
    assert missing(clinic, command("deploy", folder)) == [
        "the connection 'lab' is not there",
        "connector-lib connection create lab --source SOURCE",
        f"{ANN} lacks CREATE CONNECTION on the metastore",
        f"GRANT CREATE CONNECTION ON METASTORE TO `{ANN}`",
    ]


def test_a_volume_that_is_not_there_is_to_be_published_to(
    workspace: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    workspace.catalog.add_schema("main.clinic")
    (folder / "ingest.yml").unlink()
    (folder / "transformations" / "tables.py").write_text(
        "from pyspark import pipelines as dp\n\n\n@dp.table\ndef a():\n    return spark.read.table('b.c')\n"
    )
    assert missing(workspace, command("deploy", folder)) == [
        f"the volume '{VOLUME}' is not there",
        f"connector-lib publish --create --volume {VOLUME}",
    ]


def test_a_volume_without_a_release_is_to_be_published_to(
    workspace: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    workspace.catalog.add_schema("main.clinic")
    workspace.catalog.add_volume(VOLUME)
    (folder / "deploy.yml").write_text(DEPLOY)
    ended = command("deploy", folder)
    assert ended.code == 1
    assert "connector-lib publish" in ended.err
    assert writes(workspace) == []


def test_a_folder_of_somebody_else_is_named(clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
    grant_all(clinic)
    ended = command("deploy", folder, "--workspace-folder", f"/Workspace/Users/{BOB}/clinic")
    assert missing(clinic, ended)[0] == f"{ANN} cannot see the workspace folder '/Workspace/Users/{BOB}'"


def test_a_folder_whose_permissions_one_may_not_see_is_tried(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    grant_all(clinic)
    clinic.workspace_files.put_folder(f"/Workspace/Users/{BOB}/pipelines", {ANN: "CAN_EDIT"})
    ended = command("deploy", folder, "--workspace-folder", f"/Workspace/Users/{BOB}/pipelines/clinic")
    assert ended.code == 0, ended.err
    assert f"note: whether {ANN} may write to the workspace folder '/Workspace/Users/{BOB}/pipelines'" in ended.err


def test_a_pipeline_that_one_may_only_run_is_not_changed(
    clinic: LoopbackWorkspace, command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant_all(clinic)
    shared = ("deploy", folder, "--workspace-folder", "/Workspace/Shared/clinic")
    monkeypatch.setenv("DATABRICKS_TOKEN", clinic.token_of(ADMIN))
    assert command(*shared).code == 0
    pipeline = clinic.pipelines.named("clinic")
    pipeline.grants[ANN] = "CAN_RUN"
    monkeypatch.setenv("DATABRICKS_TOKEN", clinic.token_of(ANN))
    before = len(clinic.desk.requests)
    ended = command(*shared, "--continuous")
    assert ended.code == 1
    assert f"{ANN} lacks CAN_MANAGE on the pipeline 'clinic' of {ADMIN}" in ended.err
    assert writes(clinic, before) == []
    pipeline.grants[ANN] = "CAN_MANAGE"
    assert command(*shared, "--continuous").code == 0
    assert pipeline.spec["continuous"] is True


@pytest.mark.parametrize("user", [ADMIN, ANN])
@pytest.mark.parametrize("by", [BOB, "engineers"])
def test_grants_to_somebody_else_that_are_not_seen_are_told_and_block_nothing(
    clinic: LoopbackWorkspace, command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch, user: str, by: str
) -> None:
    clinic.permissions.principals.add("engineers")
    grant_all(clinic, by)
    if user == ANN:
        grant_all(clinic, ANN)
    monkeypatch.setenv("DATABRICKS_TOKEN", clinic.token_of(user))
    (folder / "deploy.yml").write_text(f"{DEPLOY}run_as: {{user_name: {BOB}}}\n")
    ended = command("deploy", folder)
    assert ended.code == 0, ended.err
    assert clinic.pipelines.named("clinic").run_as == {"user_name": BOB}
    told = f"note: {user} sees no grant of USE CATALOG on the catalog 'main' to {BOB}, who may have it by a group"
    # Only an owner sees the grants of others, and nobody their groups.
    assert (told in ended.err) == ((user, by) != (ADMIN, BOB))
    first = len(clinic.desk.requests)
    assert command("deploy", folder).code == 0
    assert writes(clinic, first) == []


def test_a_pipeline_of_streaming_tables_alone_needs_no_right_to_make_materialized_views(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    grant_all(clinic)
    clinic.permissions.revoke(ADMIN, ["CREATE_MATERIALIZED_VIEW"], "SCHEMA", "main.clinic", ANN)
    (folder / "ingest.yml").unlink()
    made = "from pyspark import pipelines as dp\n\ndp.create_streaming_table('received')\n\n\n"
    flow = "@dp.append_flow(target='received')\ndef flow():\n    return spark.readStream.table('main.raw.x')\n"
    (folder / "transformations" / "tables.py").write_text(made + flow)
    ended = command("deploy", folder)
    assert ended.code == 0, ended.err


def test_skip_preflight_names_what_seems_to_be_missing_and_tries(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    grant_all(clinic)
    clinic.permissions.revoke(ADMIN, ["CREATE_TABLE"], "SCHEMA", "main.clinic", ANN)
    assert command("deploy", folder).code == 1
    assert command("plan", folder, "--skip-preflight").code == 0
    ended = command("deploy", folder, "--skip-preflight")
    assert ended.code == 0, ended.err
    assert f"note: {ANN} lacks CREATE TABLE on the schema 'main.clinic'" in ended.err


def test_skip_preflight_needs_a_wheel_all_the_same(
    workspace: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    workspace.catalog.add_schema("main.clinic")
    ended = command("deploy", folder, "--skip-preflight")
    assert ended.code == 1
    assert writes(workspace) == []


def test_a_pipeline_that_one_manages_by_a_group_in_a_group_is_changed(
    clinic: LoopbackWorkspace, command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant_all(clinic)
    shared = ("deploy", folder, "--workspace-folder", "/Workspace/Shared/clinic")
    monkeypatch.setenv("DATABRICKS_TOKEN", clinic.token_of(ADMIN))
    assert command(*shared).code == 0
    pipeline = clinic.pipelines.named("clinic")
    pipeline.grants["engineers"] = "CAN_MANAGE"
    clinic.pipelines.untold_groups[ANN] = ["engineers"]
    monkeypatch.setenv("DATABRICKS_TOKEN", clinic.token_of(ANN))
    ended = command(*shared, "--continuous")
    assert ended.code == 0, ended.err
    assert (
        f"note: {ANN} lacks CAN_MANAGE on the pipeline 'clinic' of {ADMIN}, unless by a group: engineers" in ended.err
    )
    assert pipeline.spec["continuous"] is True
    assert command("delete", "clinic", "--yes").code == 0
