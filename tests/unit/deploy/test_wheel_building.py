"""Where the wheel to publish comes from: given, of a source tree, or of what is installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.version import Version

from connector_lib.deploy.wheel import read_wheel
from connector_lib.deploy.wheel_building import build_dev_wheel, find_or_build_wheel, where_version_is_written
from connector_lib.errors import ReleaseError
from tests.unit.deploy.wheels import small_wheel

_ROOT = Path(__file__).resolve().parents[3]


def _silent(text: str) -> None:
    assert text


@pytest.fixture
def source_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small source tree of this project, built as the real one is, with the current folder somewhere in it."""
    tree = tmp_path / "clone"
    (tree / "connector_lib" / "part").mkdir(parents=True)
    for name in ("pyproject.toml", "setup.py", "README.md", "tools/reproducible_wheel.py"):
        (tree / name).parent.mkdir(exist_ok=True)
        shutil.copy(_ROOT / name, tree / name)
    (tree / "connector_lib" / "__init__.py").write_text('"""A small one."""\n\n__version__ = "0.7.0"\n')
    (tree / "connector_lib" / "part" / "__init__.py").write_text("x = 1\n")
    monkeypatch.chdir(tree / "connector_lib" / "part")
    return tree


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that a small wheel was installed into by pip, found before every other installation; no source tree
    is near."""
    wheel = small_wheel(tmp_path / "dist", "0.3.0", module="x = 1\n")
    target = tmp_path / "site-packages"
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "install", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", target, wheel.path], check=True)
    monkeypatch.syspath_prepend(str(target))
    monkeypatch.setattr("connector_lib.__file__", str(target / "connector_lib" / "__init__.py"))
    monkeypatch.chdir(tmp_path)
    return target


def test_a_wheel_that_is_given_is_taken(tmp_path: Path) -> None:
    wheel = small_wheel(tmp_path, "9.9.9")
    assert find_or_build_wheel(wheel.path, tmp_path, say=_silent) == wheel


def test_from_anywhere_in_a_source_tree_its_wheel_is_built_and_nothing_is_left_in_the_tree(
    source_tree: Path, tmp_path: Path
) -> None:
    before = sorted(source_tree.rglob("*"))
    said: list[str] = []
    wheel = find_or_build_wheel(None, tmp_path, say=said.append)
    assert wheel.version == "0.7.0"
    assert said == [f"building the wheel of {source_tree}"]
    assert sorted(source_tree.rglob("*")) == before


def test_a_build_gives_the_bytes_that_the_build_of_the_repository_gives(source_tree: Path, tmp_path: Path) -> None:
    wheel = find_or_build_wheel(None, tmp_path, say=_silent)
    command = [sys.executable, "setup.py", "-q", "bdist_wheel"]
    subprocess.run(command, cwd=source_tree, check=True, capture_output=True)
    assert (source_tree / "dist" / wheel.path.name).read_bytes() == wheel.path.read_bytes()


def test_a_dev_build_has_the_same_version_for_the_same_sources_and_another_for_others(
    source_tree: Path, tmp_path: Path
) -> None:
    wheels = []
    for number, text in enumerate(["x = 1\n", "x = 1\n", "x = 2\n"]):
        (source_tree / "connector_lib" / "part" / "__init__.py").write_text(text)
        folder = tmp_path / str(number)
        folder.mkdir()
        wheels.append(build_dev_wheel(folder, say=_silent))
    first, again, other = wheels
    assert (first.version, first.sha256) == (again.version, again.sha256)
    assert other.version != first.version
    assert Version("0.7.0.dev0") < Version(first.version) < Version("0.7.0")


def test_the_file_to_raise_the_version_in_is_that_of_the_source_tree(source_tree: Path) -> None:
    assert where_version_is_written() == str(source_tree / "connector_lib" / "__init__.py")


def test_a_build_that_fails_shows_its_last_lines(source_tree: Path, tmp_path: Path) -> None:
    (source_tree / "setup.py").write_text("raise SystemExit('no such compiler')\n")
    with pytest.raises(ReleaseError, match=r"(?s)the wheel could not be built.*no such compiler.*--wheel"):
        find_or_build_wheel(None, tmp_path, say=_silent)


def test_the_installed_package_is_packed_again_as_the_wheel_that_it_came_from(installed: Path, tmp_path: Path) -> None:
    # What is compiled and written beside it by its installer is no part of it.
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(installed)], check=True)
    folder = tmp_path / "again"
    folder.mkdir()
    wheel = find_or_build_wheel(None, folder, say=_silent)
    assert wheel.path.read_bytes() == read_wheel(tmp_path / "dist" / wheel.path.name).path.read_bytes()


def test_a_wheel_of_setuptools_comes_back_byte_for_byte_from_its_installation(
    source_tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = find_or_build_wheel(None, tmp_path, say=_silent)
    target = tmp_path / "site-packages"
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "install", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", target, built.path], check=True)
    monkeypatch.syspath_prepend(str(target))
    monkeypatch.setattr("connector_lib.__file__", str(target / "connector_lib" / "__init__.py"))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "again"
    folder.mkdir()
    again = find_or_build_wheel(None, folder, say=_silent)
    assert again.path.read_bytes() == built.path.read_bytes()


def test_an_installation_of_a_dev_build_is_that_dev_build(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "first").mkdir()
    first = build_dev_wheel(tmp_path / "first", say=_silent)
    shutil.rmtree(installed)
    with zipfile.ZipFile(first.path) as archive:
        archive.extractall(installed)
    (tmp_path / "second").mkdir()
    assert build_dev_wheel(tmp_path / "second", say=_silent).version == first.version


def test_a_file_that_was_changed_after_installing_is_named(installed: Path, tmp_path: Path) -> None:
    (installed / "connector_lib" / "module.py").write_text("x = 2\n")
    with pytest.raises(ReleaseError, match=r"module\.py was changed after connector-lib was installed"):
        find_or_build_wheel(None, tmp_path, say=_silent)


def test_a_file_that_is_gone_from_the_installation_is_named(installed: Path, tmp_path: Path) -> None:
    (installed / "connector_lib" / "module.py").unlink()
    with pytest.raises(ReleaseError, match=r"module\.py of the installed connector-lib is gone"):
        find_or_build_wheel(None, tmp_path, say=_silent)
