"""``deploy --dev``: a developer's own copy, with a wheel of the source tree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.servers.workspace.conftest import Command
from tests.servers.workspace.deployable import grant, ready, write_pipeline, writes
from tests.servers.workspace.loopback.server import ADMIN, ANN, LoopbackWorkspace
from tests.servers.workspace.published_wheels import FOLDER, VOLUME
from tests.unit.deploy.wheels import small_wheel

DEV_WHEEL = re.compile(rf"{FOLDER}/connector_lib-0\.1\.0\.dev0\+h[0-9a-f]+-py3-none-any\.whl")


@pytest.fixture
def clinic(workspace: LoopbackWorkspace, tmp_path: Path) -> LoopbackWorkspace:
    ready(workspace, tmp_path / "wheels")
    for user in ("admin", "ann"):
        workspace.catalog.add_schema(f"main.clinic_dev_{user}")
    return workspace


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_pipeline(tmp_path / "clinic")


def test_a_wheel_of_the_source_tree_is_published_and_pinned(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    ended = command("deploy", folder, "--dev")
    assert ended.code == 0, ended.err
    pipeline = clinic.pipelines.named("clinic_dev_admin")
    (wheel,) = pipeline.spec["environment"]["dependencies"]
    assert DEV_WHEEL.fullmatch(wheel)
    assert clinic.files.content(wheel)
    assert (pipeline.spec["schema"], pipeline.spec["development"]) == ("clinic_dev_admin", True)
    assert pipeline.spec["root_path"] == f"/Workspace/Users/{ADMIN}/connector_lib/clinic_dev_admin"
    # Nobody else gets it.
    assert clinic.files.content(f"{FOLDER}/LATEST") == b"0.1.0\n"
    first = len(clinic.desk.requests)
    assert command("deploy", folder, "--dev").code == 0
    assert writes(clinic, first) == []
    assert "connector-lib start" in ended.err
    assert "--dev" in ended.err


def test_two_developers_do_not_meet(
    clinic: LoopbackWorkspace, command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        "connector_lib.deploy.wheel_building.build_dev_wheel",
        lambda built, say: small_wheel(tmp_path / "dev", "0.1.0.dev0+abc"),
    )
    assert command("deploy", folder, "--dev").code == 0
    for kind, name in (("CATALOG", "main"), ("CATALOG", "shared")):
        grant(clinic, ANN, kind, name, "USE_CATALOG", "USE_SCHEMA")
    grant(clinic, ANN, "SCHEMA", "main.clinic_dev_ann", "CREATE_TABLE", "CREATE_MATERIALIZED_VIEW")
    grant(clinic, ANN, "VOLUME", VOLUME, "READ_VOLUME")
    monkeypatch.setenv("DATABRICKS_TOKEN", clinic.token_of(ANN))
    refused = command("deploy", folder, "--dev")
    assert f"{ANN} lacks WRITE VOLUME on the volume '{VOLUME}'" in refused.err
    grant(clinic, ANN, "VOLUME", VOLUME, "WRITE_VOLUME")
    ended = command("deploy", folder, "--dev")
    assert ended.code == 0, ended.err
    assert [it.spec["name"] for it in clinic.pipelines.all.values()] == ["clinic_dev_admin", "clinic_dev_ann"]


def test_a_plan_of_it_uploads_no_wheel(
    clinic: LoopbackWorkspace, command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        "connector_lib.deploy.wheel_building.build_dev_wheel",
        lambda built, say: small_wheel(tmp_path / "dev", "0.1.0.dev0+abc"),
    )
    ended = command("plan", folder, "--dev")
    assert ended.code == 0, ended.err
    assert "connector_lib-0.1.0.dev0+abc-py3-none-any.whl" in ended.out
    assert writes(clinic) == []


def test_it_takes_no_other_wheel(clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
    ended = command("deploy", folder, "--dev", "--wheel", "0.1.0")
    assert ended.code == 2
    assert "--dev builds a wheel of its own" in ended.err
    assert clinic.desk.requests == []
