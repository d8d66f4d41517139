"""Wheels of this package: checked whole, written alike, given another version."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from connector_lib.deploy.releases import VolumeName, path_of, version_of
from connector_lib.deploy.wheel import VERSION_FILE, read_wheel, with_version, write_wheel
from connector_lib.errors import ReleaseError
from tests.unit.deploy.wheels import small_wheel


def _files(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_version_comes_from_the_metadata_and_the_checksum_from_the_bytes(tmp_path: Path) -> None:
    wheel = read_wheel(small_wheel(tmp_path, "1.2.3").path)
    assert wheel.version == "1.2.3"
    assert wheel.sha256 == hashlib.sha256(wheel.path.read_bytes()).hexdigest()
    assert wheel.size == wheel.path.stat().st_size


def test_the_same_files_are_written_as_the_same_bytes(tmp_path: Path) -> None:
    first = small_wheel(tmp_path / "a", module="x = 1\n")
    second = small_wheel(tmp_path / "b", module="x = 1\n")
    assert first.path.read_bytes() == second.path.read_bytes()


def test_other_contents_under_the_same_version_are_told_apart(tmp_path: Path) -> None:
    first, second = small_wheel(tmp_path / "a", module="x = 1\n"), small_wheel(tmp_path / "b", module="x = 2\n")
    assert first.version == second.version
    assert first.sha256 != second.sha256
    assert first.contents != second.contents


def test_packed_otherwise_the_contents_are_the_same(tmp_path: Path) -> None:
    wheel = small_wheel(tmp_path / "a")
    stored = tmp_path / wheel.path.name
    with zipfile.ZipFile(stored, "w", zipfile.ZIP_STORED) as archive:
        for name, content in _files(wheel.path).items():
            archive.writestr(name, content)
    assert read_wheel(stored).sha256 != wheel.sha256
    assert read_wheel(stored).contents == wheel.contents


@given(cut=st.integers(min_value=0, max_value=2000))
def test_no_part_of_a_wheel_passes_for_a_whole_one(cut: int) -> None:
    with TemporaryDirectory() as folder:
        wheel = small_wheel(Path(folder))
        content = wheel.path.read_bytes()
        wheel.path.write_bytes(content[: min(cut, len(content) - 1)])
        with pytest.raises(ReleaseError):
            read_wheel(wheel.path)


def test_a_changed_file_is_found_by_the_record(tmp_path: Path) -> None:
    wheel = small_wheel(tmp_path)
    files = _files(wheel.path)
    files["connector_lib/module.py"] = b"changed = True\n"
    with zipfile.ZipFile(wheel.path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    with pytest.raises(ReleaseError, match=r"connector_lib/module\.py is not what its RECORD says"):
        read_wheel(wheel.path)


def test_a_file_that_is_missing_is_found_by_the_record(tmp_path: Path) -> None:
    wheel = small_wheel(tmp_path)
    files = _files(wheel.path)
    del files["connector_lib/module.py"]
    with zipfile.ZipFile(wheel.path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    with pytest.raises(ReleaseError, match=r"connector_lib/module\.py of its RECORD is not in it"):
        read_wheel(wheel.path)


def test_a_wheel_of_another_project_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "requests-2.32.0-py3-none-any.whl"
    path.write_bytes(b"")
    with pytest.raises(ReleaseError, match=r"is a wheel of requests, not of connector-lib"):
        read_wheel(path)


def test_a_wheel_of_another_project_under_our_name_is_refused_by_its_metadata(tmp_path: Path) -> None:
    wheel = small_wheel(tmp_path)
    files = _files(wheel.path)
    metadata = "connector_lib-0.1.0.dist-info/METADATA"
    files[metadata] = files[metadata].replace(b"Name: connector-lib", b"Name: another-project")
    with pytest.raises(ReleaseError, match=r"is a wheel of another-project inside"):
        write_wheel(files, "0.1.0", tmp_path)


def test_a_wheel_that_is_named_for_another_version_is_refused(tmp_path: Path) -> None:
    wheel = small_wheel(tmp_path, "0.1.0")
    renamed = wheel.path.rename(tmp_path / "connector_lib-0.2.0-py3-none-any.whl")
    with pytest.raises(ReleaseError, match=r"is a wheel of version 0\.1\.0, and is named otherwise"):
        read_wheel(renamed)


@pytest.mark.parametrize("name", ["wheel.zip", "connector_lib-latest-py3-none-any.whl"])
def test_a_file_that_is_not_named_like_a_wheel_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"")
    with pytest.raises(ReleaseError, match=r"is not named like a wheel"):
        read_wheel(path)


def test_a_wheel_that_is_not_there_says_how_to_build_one(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"there is no wheel .*\n.*make wheel"):
        read_wheel(tmp_path / "connector_lib-0.1.0-py3-none-any.whl")


def test_another_version_is_in_the_package_the_metadata_and_the_name(tmp_path: Path) -> None:
    wheel = with_version(small_wheel(tmp_path, "0.1.0"), "0.1.0.dev0+habc", tmp_path)
    files = _files(wheel.path)
    assert wheel.version == "0.1.0.dev0+habc"
    assert wheel.path.name == "connector_lib-0.1.0.dev0+habc-py3-none-any.whl"
    assert b'__version__ = "0.1.0.dev0+habc"' in files[VERSION_FILE]
    metadata = files["connector_lib-0.1.0.dev0+habc.dist-info/METADATA"]
    assert b"\nVersion: 0.1.0.dev0+habc\n" in metadata
    assert metadata.endswith(b"Version: of the description, which stays as it is\n")


def test_a_wheel_of_another_version_installs_and_says_that_version(tmp_path: Path) -> None:
    wheel = with_version(small_wheel(tmp_path, "0.1.0"), "0.1.0.dev0+habc", tmp_path)
    target = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "install", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", target, wheel.path], check=True)
    question = (
        "import connector_lib, importlib.metadata as m; print(connector_lib.__version__, m.version('connector_lib'))"
    )
    asked = [sys.executable, "-S", "-c", question]
    environment = {"PYTHONPATH": str(target)}
    said = subprocess.run(asked, cwd=tmp_path, env=environment, capture_output=True, check=True, text=True)
    assert said.stdout.split() == ["0.1.0.dev0+habc", "0.1.0.dev0+habc"]


@given(
    versions=st.lists(
        st.builds(
            "{}.{}.{}{}".format,
            st.integers(0, 3),
            st.integers(0, 12),
            st.integers(0, 3),
            st.sampled_from(["", "rc1", ".dev0+h0123", ".post1", "a2"]),
        ),
        min_size=1,
    )
)
def test_a_version_comes_back_from_the_name_of_its_file(versions: list[str]) -> None:
    for version in versions:
        assert version_of(path_of(VolumeName("a", "b", "c"), version).rpartition("/")[2]) == str(Version(version))
