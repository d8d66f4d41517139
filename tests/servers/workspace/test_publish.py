"""``publish``: a version comes into the Volume once, whole, and stays what it is."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connector_lib.testing.exchange import ApiRequest
from tests.servers.workspace.conftest import Command
from tests.servers.workspace.loopback.server import ADMIN, BOB, LoopbackWorkspace
from tests.servers.workspace.profiles import write_profiles
from tests.servers.workspace.published_wheels import FOLDER, VOLUME, put_release, wheel_path
from tests.unit.deploy.wheels import small_wheel

_WHEEL = wheel_path("0.1.0")


@pytest.fixture
def volume(workspace: LoopbackWorkspace) -> LoopbackWorkspace:
    """A workspace that has the Volume, with nothing in it."""
    workspace.catalog.add_volume(VOLUME)
    return workspace


@pytest.fixture
def other_workspace() -> Iterator[LoopbackWorkspace]:
    """A second workspace, empty."""
    with LoopbackWorkspace() as server:
        yield server


def _file(tmp_path: Path, version: str = "0.1.0", module: str = "") -> Path:
    return small_wheel(tmp_path / f"{version}-{len(module)}", version, module).path


def test_the_wheel_is_in_the_volume_as_it_was_given_with_its_checksum_and_is_latest(
    volume: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    wheel = _file(tmp_path)
    ended = command("publish", "--wheel", wheel)
    assert ended.code == 0
    assert volume.files.content(_WHEEL) == wheel.read_bytes()
    checksum = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert volume.files.content(f"{_WHEEL}.sha256") == f"{checksum}  {wheel.name}\n".encode()
    assert volume.files.content(f"{FOLDER}/LATEST") == b"0.1.0\n"
    assert ended.out == f"{volume.url}: 0.1.0 was uploaded, and is LATEST: {_WHEEL}\n"


def test_json_says_what_was_done(volume: LoopbackWorkspace, command: Command, tmp_path: Path) -> None:
    ended = command("publish", "--wheel", _file(tmp_path), "--json")
    assert json.loads(ended.out) == {
        "workspaces": [
            {
                "profile": None,
                "host": volume.url,
                "version": "0.1.0",
                "path": _WHEEL,
                "uploaded": True,
                "latest": True,
            }
        ]
    }
    assert "uploading connector_lib-0.1.0" in ended.err


def test_without_a_wheel_the_installed_package_or_its_sources_are_published(
    volume: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    ended = command("publish", "--json")
    (told,) = json.loads(ended.out)["workspaces"]
    fetched = tmp_path / told["path"].rpartition("/")[2]
    fetched.write_bytes(volume.files.content(told["path"]))
    with zipfile.ZipFile(fetched) as archive:
        assert "connector_lib/deploy/releases.py" in archive.namelist()


def test_create_makes_catalog_schema_and_volume_where_they_are_missing(
    workspace: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    ended = command("publish", "--wheel", _file(tmp_path), "--create")
    assert ended.code == 0
    assert workspace.securables.get("VOLUME", VOLUME).info["volume_type"] == "MANAGED"
    made = [line.partition(": ")[2] for line in ended.err.splitlines() if line.endswith("is made")]
    assert made == [
        "the catalog shared is made",
        "the schema shared.libraries is made",
        f"the Volume {VOLUME} is made",
    ]


def test_without_create_a_missing_volume_is_an_error_and_nothing_is_made(
    workspace: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    ended = command("publish", "--wheel", _file(tmp_path))
    assert ended.code == 1
    assert f"there is no Volume {VOLUME}" in ended.err
    assert "publish --create" in ended.err
    assert workspace.securables.of_kind("CATALOG") == []


def test_the_same_wheel_again_is_fine_and_uploads_nothing(
    volume: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    wheel = _file(tmp_path)
    assert command("publish", "--wheel", wheel).code == 0
    uploads = len(volume.desk.asked("PUT /api/2.0/fs/files{path*}"))
    ended = command("publish", "--wheel", wheel)
    assert (ended.code, ended.out) == (0, f"{volume.url}: 0.1.0 is there, and is LATEST: {_WHEEL}\n")
    assert len(volume.desk.asked("PUT /api/2.0/fs/files{path*}")) == uploads


def test_the_same_contents_packed_otherwise_are_the_same_version(
    volume: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    put_release(volume, tmp_path)
    before = volume.files.content(_WHEEL)
    packed_otherwise = tmp_path / "connector_lib-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(_file(tmp_path)) as archive, zipfile.ZipFile(packed_otherwise, "w") as stored:
        for name in archive.namelist():
            stored.writestr(name, archive.read(name))
    assert packed_otherwise.read_bytes() != before
    assert command("publish", "--wheel", packed_otherwise).code == 0
    assert volume.files.content(_WHEEL) == before


@pytest.mark.parametrize("with_checksum", [True, False], ids=["published by the command", "copied there by hand"])
def test_a_version_that_is_there_with_other_contents_is_never_overwritten(
    volume: LoopbackWorkspace, command: Command, tmp_path: Path, with_checksum: bool
) -> None:
    put_release(volume, tmp_path)
    if not with_checksum:
        volume.files.remove(f"{_WHEEL}.sha256")
    before = volume.files.content(_WHEEL)
    ended = command("publish", "--wheel", _file(tmp_path, module="changed = True\n"))
    assert ended.code == 1
    assert "version 0.1.0 is in" in ended.err
    assert "raise the version: __version__ in" in ended.err
    assert "connector_lib/__init__.py" in ended.err
    assert volume.files.content(_WHEEL) == before


def test_a_published_version_whose_wheel_was_taken_away_comes_back_only_as_what_it_was(
    volume: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    put_release(volume, tmp_path)
    before = volume.files.content(_WHEEL)
    volume.files.remove(_WHEEL)
    ended = command("publish", "--wheel", _file(tmp_path, module="changed = True\n"))
    assert (ended.code, "never overwritten" in ended.err) == (1, True)
    assert command("publish", "--wheel", _file(tmp_path)).code == 0
    assert volume.files.content(_WHEEL) == before


def test_an_upload_that_was_cut_off_is_an_error_and_whole_after_the_next(
    volume: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    wheel = _file(tmp_path)
    volume.files.cut_uploads = [100]
    ended = command("publish", "--wheel", wheel)
    assert ended.code == 1
    assert f"is not what was sent (100 of {wheel.stat().st_size} bytes)" in ended.err
    assert "run the same command again" in ended.err
    assert volume.files.paths() == [_WHEEL]
    assert command("publish", "--wheel", wheel).code == 0
    assert volume.files.content(_WHEEL) == wheel.read_bytes()


def test_after_an_upload_that_was_cut_off_the_version_may_hold_other_contents_since_nobody_had_it(
    volume: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    volume.files.cut_uploads = [100]
    assert command("publish", "--wheel", _file(tmp_path)).code == 1
    mended = _file(tmp_path, module="mended = True\n")
    assert command("publish", "--wheel", mended).code == 0
    assert volume.files.content(_WHEEL) == mended.read_bytes()


def test_a_checksum_that_was_cut_off_is_written_again(
    volume: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    wheel = _file(tmp_path)
    put_release(volume, tmp_path)
    whole = volume.files.content(f"{_WHEEL}.sha256")
    volume.files.write(f"{_WHEEL}.sha256", whole[:20])
    assert command("publish", "--wheel", wheel).code == 0
    assert volume.files.content(f"{_WHEEL}.sha256") == whole


def test_a_latest_that_was_cut_off_names_nothing_and_is_written_again(
    volume: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    put_release(volume, tmp_path, "0.10.0")
    volume.files.write(f"{FOLDER}/LATEST", b"0.1")
    assert command("publish", "--wheel", _file(tmp_path, "0.10.0")).code == 0
    assert volume.files.content(f"{FOLDER}/LATEST") == b"0.10.0\n"


def test_stopped_after_any_request_the_next_publish_makes_it_whole(
    no_login_of_this_machine: None, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = ("publish", "--wheel", _file(tmp_path), "--create")
    ends: list[int] = []
    states: list[dict[str, bytes]] = []
    while 0 not in ends:
        with LoopbackWorkspace() as server:
            monkeypatch.setenv("DATABRICKS_HOST", server.url)
            monkeypatch.setenv("DATABRICKS_TOKEN", server.token)
            ends.append(_stopped_at(server, len(ends) + 1, lambda: command(*publish).code))
            assert command(*publish).code == 0
            states.append({path: server.files.content(path) for path in server.files.paths()})
    assert ends[:-1] == [130] * (len(ends) - 1)
    assert len(ends) > 10
    assert states == [states[-1]] * len(states)
    assert sorted(states[-1]) == [f"{FOLDER}/LATEST", _WHEEL, f"{_WHEEL}.sha256"]


def _stopped_at(server: LoopbackWorkspace, wanted: int, run: Callable[[], int]) -> int:
    """Runs a command and presses Ctrl-C when its request of that number was carried out and not yet answered."""
    ended = threading.Event()

    def press(number: int, _: ApiRequest) -> None:
        if number == wanted:
            signal.pthread_kill(main_thread, signal.SIGINT)
            ended.wait(10)

    main_thread = threading.get_ident()
    server.desk.before_reply = press
    code = run()
    ended.set()
    server.desk.before_reply = None
    return code


def test_the_answer_to_an_upload_that_arrived_may_be_lost(
    volume: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    wheel = _file(tmp_path)
    volume.desk.fail(f"PUT /api/2.0/fs/files{_WHEEL}", 503, after=True)
    ended = command("publish", "--wheel", wheel, "--json")
    assert ended.code == 0
    assert json.loads(ended.out)["workspaces"][0]["uploaded"] is True
    assert volume.files.content(_WHEEL) == wheel.read_bytes()


def test_a_workspace_that_answers_429_is_asked_again(
    volume: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    volume.desk.fail(f"PUT /api/2.0/fs/files{_WHEEL}", 429, error_code="REQUEST_LIMIT_EXCEEDED")
    assert command("publish", "--wheel", _file(tmp_path)).code == 0
    assert len(volume.desk.asked(f"PUT /api/2.0/fs/files{_WHEEL}")) == 2


def test_a_wheel_that_another_publisher_put_there_meanwhile_stays(
    volume: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    theirs = _file(tmp_path, module="theirs = True\n").read_bytes()

    def arrive(_: int, request: ApiRequest) -> None:
        if request.method == "GET" and request.path.endswith(".whl") and _WHEEL not in volume.files.paths():
            volume.files.write(_WHEEL, theirs)

    volume.desk.before_reply = arrive
    ended = command("publish", "--wheel", _file(tmp_path))
    assert (ended.code, "never overwritten" in ended.err) == (1, True)
    assert volume.files.content(_WHEEL) == theirs


def test_a_workspace_that_fails_leaves_nothing_that_the_next_publish_does_not_mend(
    volume: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    wheel = _file(tmp_path)
    volume.desk.fail(f"PUT /api/2.0/fs/files{_WHEEL}.sha256", 500, error_code="INTERNAL_ERROR")
    ended = command("publish", "--wheel", wheel)
    assert ended.code == 1
    assert f"cannot write {_WHEEL}.sha256" in ended.err
    assert f"{FOLDER}/LATEST" not in volume.files.paths()
    assert command("publish", "--wheel", wheel).code == 0
    assert volume.files.content(f"{FOLDER}/LATEST") == b"0.1.0\n"


def test_a_download_that_breaks_off_is_an_error_and_the_next_publish_finishes(
    volume: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    wheel = _file(tmp_path)
    volume.files.write(_WHEEL, wheel.read_bytes())
    volume.desk.fail(f"GET /api/2.0/fs/files{_WHEEL}", 200, delivery="length_too_long")
    ended = command("publish", "--wheel", wheel)
    assert (ended.code, f"cannot download {_WHEEL}" in ended.err) == (1, True)
    assert volume.files.paths() == [_WHEEL]
    assert command("publish", "--wheel", wheel).code == 0


def test_latest_does_not_go_back_to_an_older_version(
    volume: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    put_release(volume, tmp_path, "0.10.0")
    ended = command("publish", "--wheel", _file(tmp_path, "0.9.0"))
    assert ended.code == 0
    assert "LATEST stays at 0.10.0; --latest 0.9.0 would set it" in ended.err
    assert volume.files.content(f"{FOLDER}/LATEST") == b"0.10.0\n"


@pytest.mark.parametrize("version", ["0.2.0rc1", "0.2.0.dev0+h0123"])
def test_what_is_no_final_release_does_not_become_latest_by_itself(
    volume: LoopbackWorkspace, command: Command, tmp_path: Path, version: str
) -> None:
    assert command("publish", "--wheel", _file(tmp_path, version)).code == 0
    assert f"{FOLDER}/LATEST" not in volume.files.paths()


def test_keep_latest_leaves_it(volume: LoopbackWorkspace, command: Command, tmp_path: Path) -> None:
    put_release(volume, tmp_path, "0.1.0")
    assert command("publish", "--wheel", _file(tmp_path, "0.2.0"), "--keep-latest").code == 0
    assert volume.files.content(f"{FOLDER}/LATEST") == b"0.1.0\n"


def test_latest_is_set_to_an_older_version_when_asked(
    volume: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    put_release(volume, tmp_path, "0.1.0")
    put_release(volume, tmp_path, "0.2.0")
    assert command("publish", "--latest", "0.1.0").code == 0
    assert volume.files.content(f"{FOLDER}/LATEST") == b"0.1.0\n"


def test_latest_is_not_set_to_a_version_that_is_not_there(
    volume: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    put_release(volume, tmp_path, "0.1.0")
    ended = command("publish", "--latest", "0.3.0")
    assert ended.code == 1
    assert f"version 0.3.0 is not in {VOLUME}: there are 0.1.0" in ended.err
    assert volume.files.content(f"{FOLDER}/LATEST") == b"0.1.0\n"


def test_latest_with_a_wheel_is_wrong_usage(volume: LoopbackWorkspace, command: Command, tmp_path: Path) -> None:
    assert command("publish", "--latest", "0.1.0", "--wheel", _file(tmp_path)).code == 2


def test_without_write_volume_the_grant_that_is_missing_is_named(
    volume: LoopbackWorkspace, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume.securables.get("CATALOG", "shared").grants[BOB] = {"USE_CATALOG", "USE_SCHEMA", "READ_VOLUME"}
    monkeypatch.setenv("DATABRICKS_TOKEN", volume.token_of(BOB))
    ended = command("publish", "--wheel", _file(tmp_path))
    assert ended.code == 1
    assert "does not have WRITE VOLUME" in ended.err
    assert f"connector-lib grants --role publisher --principal {BOB} --volume {VOLUME}" in ended.err
    assert volume.files.paths() == []


def test_without_the_right_to_make_a_catalog_nothing_is_made(
    workspace: LoopbackWorkspace, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABRICKS_TOKEN", workspace.token_of(BOB))
    ended = command("publish", "--wheel", _file(tmp_path), "--create")
    assert ended.code == 1
    assert "cannot make the catalog shared" in ended.err
    assert "--may-create" in ended.err


def test_a_corrupt_wheel_is_refused_before_the_workspace_is_asked(
    volume: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    wheel = _file(tmp_path)
    wheel.write_bytes(wheel.read_bytes()[:-30])
    ended = command("publish", "--wheel", wheel)
    assert (ended.code, "is damaged" in ended.err) == (1, True)
    assert volume.desk.requests == []


def test_a_wheel_of_another_project_is_refused(volume: LoopbackWorkspace, command: Command, tmp_path: Path) -> None:
    other = tmp_path / "requests-2.32.0-py3-none-any.whl"
    shutil.copy(_file(tmp_path), other)
    ended = command("publish", "--wheel", other)
    assert (ended.code, "is a wheel of requests, not of connector-lib" in ended.err) == (1, True)


def test_a_volume_that_is_misspelt_is_wrong_usage(volume: LoopbackWorkspace, command: Command) -> None:
    ended = command("publish", "--volume", "python_packages")
    assert (ended.code, volume.desk.requests) == (2, [])


def test_without_a_login_the_ways_to_log_in_are_named(
    command: Command, tmp_path: Path, no_login_of_this_machine: None
) -> None:
    ended = command("publish", "--wheel", _file(tmp_path))
    assert (ended.code, "databricks auth login" in ended.err) == (1, True)


def test_an_expired_login_says_how_to_log_in_again(
    volume: LoopbackWorkspace, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABRICKS_TOKEN", "token-of-last-year")
    ended = command("publish", "--wheel", _file(tmp_path))
    assert ended.code == 1
    assert "the login is not valid or has expired" in ended.err
    assert "token-of-last-year" not in ended.out + ended.err


def test_several_profiles_get_the_same_wheel(
    volume: LoopbackWorkspace,
    other_workspace: LoopbackWorkspace,
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other_workspace.catalog.add_volume(VOLUME)
    write_profiles(monkeypatch, tmp_path, {"dev": (volume, ADMIN), "prod": (other_workspace, ADMIN)})
    wheel = _file(tmp_path)
    ended = command("publish", "--wheel", wheel, "--profile", "dev", "--profile", "prod")
    assert ended.code == 0
    assert volume.files.content(_WHEEL) == other_workspace.files.content(_WHEEL) == wheel.read_bytes()
    assert [line.partition(": ")[0] for line in ended.out.splitlines()] == [volume.url, other_workspace.url]


def test_one_of_several_that_fails_is_reported_and_the_others_are_published(
    volume: LoopbackWorkspace,
    other_workspace: LoopbackWorkspace,
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_profiles(monkeypatch, tmp_path, {"empty": (other_workspace, ADMIN), "prod": (volume, ADMIN)})
    profiles = ("--profile", "empty", "--profile", "missing", "--profile", "prod")
    ended = command("publish", "--wheel", _file(tmp_path), *profiles, "--json")
    assert ended.code == 1
    told = json.loads(ended.out)["workspaces"]
    assert [(it["profile"], it.get("version")) for it in told] == [
        ("empty", None),
        ("missing", None),
        ("prod", "0.1.0"),
    ]
    assert f"there is no Volume {VOLUME}" in told[0]["error"]
    assert "--profile empty" in told[0]["hint"]
    assert "2 of 3 workspaces failed" in ended.err
    assert _WHEEL in volume.files.paths()
