"""``releases`` and ``install-line``: what is in the Volume, who uses it, and how it is installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.servers.workspace.conftest import Command
from tests.servers.workspace.loopback.server import ADMIN, BOB, LoopbackWorkspace
from tests.servers.workspace.profiles import write_profiles
from tests.servers.workspace.published_wheels import FOLDER, VOLUME, put_release, wheel_path


def _listed(command: Command, *options: str) -> dict[str, Any]:
    ended = command("releases", "--json", *options)
    assert ended.code == 0
    (told,) = json.loads(ended.out)["workspaces"]
    assert isinstance(told, dict)
    return told


def test_versions_are_listed_the_newest_first_and_one_is_latest(
    workspace: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    for version in ("0.9.0", "0.11.0rc1", "0.11.0.dev0+h12", "0.10.0"):
        put_release(workspace, tmp_path, version)
    told = _listed(command)
    assert [it["version"] for it in told["releases"]] == ["0.11.0rc1", "0.11.0.dev0+h12", "0.10.0", "0.9.0"]
    assert (told["volume"], told["latest"]) == (VOLUME, "0.10.0")
    assert [it["version"] for it in told["releases"] if it["latest"]] == ["0.10.0"]


def test_plain_output_is_a_table(workspace: LoopbackWorkspace, command: Command, tmp_path: Path) -> None:
    path = put_release(workspace, tmp_path, "0.1.0")
    put_release(workspace, tmp_path, "0.2.0")
    workspace.pipelines.put("fhir prod", ADMIN, environment={"dependencies": [path]})
    ended = command("releases")
    words = [line.split() for line in ended.out.splitlines() if line.strip()]
    assert words[0] == [f"{workspace.url}:", VOLUME]
    assert words[1] == ["version", "state", "size", "pipelines"]
    assert words[-2:] == [
        ["0.2.0", "LATEST", "0.0", "MB"],
        ["0.1.0", "published", "0.0", "MB", "fhir", "prod"],
    ]


def test_an_upload_that_was_never_finished_is_told_apart(
    workspace: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    put_release(workspace, tmp_path, "0.1.0")
    workspace.files.write(wheel_path("0.2.0"), b"the first part")
    states = {it["version"]: it["state"] for it in _listed(command)["releases"]}
    assert states == {"0.2.0": "unfinished", "0.1.0": "published"}


def test_files_of_others_in_the_folder_are_not_listed(
    workspace: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    put_release(workspace, tmp_path, "0.1.0")
    for name in ("requests-2.32.0-py3-none-any.whl", "notes.txt", "connector_lib-latest-py3-none-any.whl"):
        workspace.files.write(f"{FOLDER}/{name}", b"x")
    assert [it["version"] for it in _listed(command)["releases"]] == ["0.1.0"]


def test_a_listing_that_lags_behind_hides_neither_latest_nor_what_a_pipeline_uses_nor_a_checksum(
    workspace: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    workspace.catalog.add_volume(VOLUME)
    workspace.files.listing_lag = 100
    for version in ("0.1.0", "0.2.0"):
        wheel = tmp_path / "fresh" / f"connector_lib-{version}-py3-none-any.whl"
        wheel.parent.mkdir(exist_ok=True)
        path = put_release(workspace, tmp_path, version)
        wheel.write_bytes(workspace.files.content(path))
        for written in (path, f"{path}.sha256", f"{FOLDER}/LATEST"):
            if written in workspace.files.paths():
                workspace.files.remove(written)
        assert command("publish", "--wheel", wheel).code == 0
        workspace.pipelines.put(f"with {version}", ADMIN, environment={"dependencies": [path]})
    told = _listed(command)
    assert [(it["version"], it["state"]) for it in told["releases"]] == [("0.2.0", "published"), ("0.1.0", "published")]


def test_pipelines_are_found_by_their_environment_and_by_their_libraries_with_extras_or_without(
    workspace: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    old, new = put_release(workspace, tmp_path, "0.1.0"), put_release(workspace, tmp_path, "0.2.0")
    pipelines = workspace.pipelines
    pipelines.put("b", ADMIN, environment={"dependencies": ["pyjwt", f"{new}[fhir]"]})
    pipelines.put("a", BOB, libraries=[{"whl": new}, {"glob": {"include": "/Workspace/x/**"}}])
    pipelines.put("c", ADMIN, environment={"dependencies": [old]})
    pipelines.put("d", ADMIN, environment={"dependencies": ["/Volumes/another/place/x/connector_lib/y.whl"]})
    used = {it["version"]: [pipeline["name"] for pipeline in it["pipelines"]] for it in _listed(command)["releases"]}
    assert used == {"0.2.0": ["a", "b"], "0.1.0": ["c"]}


def test_a_version_that_a_pipeline_needs_and_that_is_gone_is_listed_as_gone(
    workspace: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    put_release(workspace, tmp_path, "0.2.0")
    workspace.pipelines.put("left behind", ADMIN, environment={"dependencies": [wheel_path("0.1.0")]})
    gone = _listed(command)["releases"][-1]
    assert (gone["version"], gone["state"], gone["path"]) == ("0.1.0", "gone", None)
    assert [it["name"] for it in gone["pipelines"]] == ["left behind"]


def test_pipelines_that_the_user_may_not_see_do_not_keep_the_list_from_coming(
    workspace: LoopbackWorkspace, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put_release(workspace, tmp_path, "0.1.0")
    workspace.securables.get("CATALOG", "shared").grants[BOB] = {"USE_CATALOG", "USE_SCHEMA", "READ_VOLUME"}
    workspace.pipelines.put("of the admin", ADMIN, environment={"dependencies": [path]})
    workspace.pipelines.put("of bob", BOB, environment={"dependencies": [path]})
    monkeypatch.setenv("DATABRICKS_TOKEN", workspace.token_of(BOB))
    (release,) = _listed(command)["releases"]
    assert [it["name"] for it in release["pipelines"]] == ["of bob"]


def test_without_pipelines_none_is_asked(workspace: LoopbackWorkspace, command: Command, tmp_path: Path) -> None:
    put_release(workspace, tmp_path)
    _listed(command, "--no-pipelines")
    assert workspace.desk.asked("GET /api/2.0/pipelines{any*}") == []


def test_a_volume_with_nothing_in_it_has_no_releases(workspace: LoopbackWorkspace, command: Command) -> None:
    workspace.catalog.add_volume(VOLUME)
    assert _listed(command)["releases"] == []
    assert command("releases").out == f"{workspace.url}: nothing is published in {VOLUME}\n"


def test_a_volume_that_is_not_there_is_an_error(workspace: LoopbackWorkspace, command: Command) -> None:
    ended = command("releases")
    assert (ended.code, f"there is no Volume {VOLUME}" in ended.err) == (1, True)


def test_without_read_volume_the_refusal_is_shown(
    workspace: LoopbackWorkspace, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_release(workspace, tmp_path)
    monkeypatch.setenv("DATABRICKS_TOKEN", workspace.token_of(BOB))
    ended = command("releases")
    assert ended.code == 1
    assert "does not have USE CATALOG" in ended.err
    assert "connector-lib grants" in ended.err


def test_several_workspaces_are_listed_and_one_that_fails_is_named(
    workspace: LoopbackWorkspace, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_release(workspace, tmp_path)
    write_profiles(monkeypatch, tmp_path, {"dev": (workspace, ADMIN), "guest": (workspace, BOB)})
    ended = command("releases", "--profile", "dev", "--profile", "guest", "--json")
    assert ended.code == 1
    dev, guest = json.loads(ended.out)["workspaces"]
    assert [it["version"] for it in dev["releases"]] == ["0.1.0"]
    assert "USE CATALOG" in guest["error"]
    assert "1 of 2 workspaces failed" in ended.err


def test_the_install_lines_of_a_version_need_no_workspace(command: Command, no_login_of_this_machine: None) -> None:
    ended = command("install-line", "0.1.0", "--json")
    assert ended.code == 0
    assert json.loads(ended.out) == {
        "path": wheel_path("0.1.0"),
        "pip": f"%pip install {wheel_path('0.1.0')}",
        "dependencies": [wheel_path("0.1.0")],
        "libraries": [{"whl": wheel_path("0.1.0")}],
    }


def test_the_settings_among_the_install_lines_can_be_pasted_as_yaml(command: Command) -> None:
    ended = command("install-line", "0.1.0", "--volume", "main.libs.wheels")
    path = "/Volumes/main/libs/wheels/connector_lib/connector_lib-0.1.0-py3-none-any.whl"
    first, _, settings = ended.out.partition("# the settings")
    assert first.splitlines()[-1] == f"%pip install {path}"
    assert yaml.safe_load(f"# {settings}") == {"environment": {"dependencies": [path]}, "libraries": [{"whl": path}]}


def test_with_extras_there_is_no_library_entry_and_a_word_says_why(command: Command) -> None:
    ended = command("install-line", "0.1.0", "--extras", "fhir,kafka", "--json")
    told = json.loads(ended.out)
    assert told["dependencies"] == [f"{wheel_path('0.1.0')}[fhir,kafka]"]
    assert told["libraries"] is None
    assert "takes no extras" in ended.err


def test_an_extra_or_a_version_that_is_misspelt_is_wrong_usage(command: Command) -> None:
    assert command("install-line", "0.1.0", "--extras", "fihr").code == 2
    assert command("install-line", "newest").code == 2


def test_latest_is_asked_of_the_workspace_and_written_out(
    workspace: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    put_release(workspace, tmp_path, "0.2.0")
    assert json.loads(command("install-line", "@latest", "--json").out)["path"] == wheel_path("0.2.0")


def test_latest_of_a_volume_with_nothing_in_it_says_how_to_publish(
    workspace: LoopbackWorkspace, command: Command
) -> None:
    workspace.catalog.add_volume(VOLUME)
    ended = command("install-line")
    assert ended.code == 1
    assert "LATEST names no version: nothing is published there" in ended.err
    assert "connector-lib publish" in ended.err


def test_latest_of_an_upload_that_was_never_finished_is_an_error(
    workspace: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    path = put_release(workspace, tmp_path, "0.2.0")
    workspace.files.remove(f"{path}.sha256")
    ended = command("install-line")
    assert (ended.code, "was never finished" in ended.err) == (1, True)


def test_latest_of_a_wheel_that_was_taken_away_names_the_versions_that_are_there(
    workspace: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    put_release(workspace, tmp_path, "0.1.0")
    workspace.files.remove(put_release(workspace, tmp_path, "0.2.0"))
    ended = command("install-line")
    assert (ended.code, "version 0.2.0 is not in" in ended.err, "there are 0.1.0" in ended.err) == (1, True, True)
    assert "give one of 0.1.0, or publish version 0.2.0 from its own sources: 'connector-lib publish'" in ended.err
