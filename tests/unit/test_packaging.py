"""The wheel: what is in it, that it is the same however it is built, and that it works alone."""

from __future__ import annotations

import email
import hashlib
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from email.message import Message
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

import connector_lib

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
SETUP_PY = ["setup.py", "-q", "bdist_wheel"]
# Without isolation: the pinned setuptools is in the environment of the tests, and nothing is downloaded.
BUILD = ["-m", "build", "--no-isolation"]
BASE_DEPENDENCIES = {"defusedxml", "pydantic", "pyyaml", "requests", "urllib3"}


def copy_of_the_tree(folder: Path) -> Path:
    """What a build needs, without what earlier builds left."""
    folder.mkdir()
    for name in ["pyproject.toml", "setup.py", "README.md", "MANIFEST.in", "constraints.txt"]:
        shutil.copy(ROOT / name, folder)
    for name in ["connector_lib", "tools"]:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def build(tree: Path, arguments: list[str], **environment: str) -> Path:
    """The wheel that ``python <arguments>`` makes in ``tree``."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (tree / "dist").glob("*.whl")
    return wheel


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def metadata_of(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(archive.read(name))


def distribution(requirement: str) -> str:
    """The normalised name that a requirement line starts with."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None, requirement
    return re.sub(r"[-_.]+", "-", match.group()).lower()


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = copy_of_the_tree(tmp_path_factory.mktemp("wheel") / "tree")
    return build(tree, SETUP_PY, SOURCE_DATE_EPOCH="1700000000")


@pytest.mark.slow
def test_setup_py_and_build_both_give_the_same_bytes_twice(wheel: Path, tmp_path: Path) -> None:
    for number, command in enumerate([SETUP_PY, BUILD, BUILD]):
        tree = copy_of_the_tree(tmp_path / str(number))
        again = build(tree, command, SOURCE_DATE_EPOCH="1700000000")
        assert again.name == wheel.name == f"connector_lib-{connector_lib.__version__}-py3-none-any.whl"
        assert sha256(again) == sha256(wheel), command


@pytest.mark.slow
def test_bytes_do_not_depend_on_umask_file_times_or_an_earlier_build(wheel: Path, tmp_path: Path) -> None:
    tree = copy_of_the_tree(tmp_path / "tree")
    (tree / "build/lib/connector_lib").mkdir(parents=True)
    (tree / "build/lib/connector_lib/removed.py").write_text("'no longer a module'\n")
    for path in tree.rglob("*.py"):
        path.chmod(0o600)
        os.utime(path, (1, 1_600_000_000))
    umask = os.umask(0o077)
    try:
        again = build(tree, SETUP_PY, SOURCE_DATE_EPOCH="1700000000")
    finally:
        os.umask(umask)
    assert sha256(again) == sha256(wheel)


@pytest.mark.slow
def test_bytes_are_the_same_when_no_date_is_given(tmp_path: Path) -> None:
    trees = [copy_of_the_tree(tmp_path / name) for name in ["first", "second"]]
    for path in trees[1].rglob("*"):
        os.utime(path, (1, 1_600_000_000))
    assert len({sha256(build(tree, SETUP_PY, SOURCE_DATE_EPOCH="")) for tree in trees}) == 1


def test_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    package = ROOT / "connector_lib"
    files = {
        path.relative_to(ROOT).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert inside == files
    assert "connector_lib/py.typed" in inside


def test_base_install_asks_for_five_packages_and_no_spark(wheel: Path) -> None:
    requirements = metadata_of(wheel).get_all("Requires-Dist", [])
    base = {distribution(line) for line in requirements if "extra ==" not in line}
    assert base == BASE_DEPENDENCIES


def test_wheel_says_version_python_and_console_command(wheel: Path) -> None:
    metadata = metadata_of(wheel)
    assert metadata["Version"] == connector_lib.__version__
    assert metadata["Requires-Python"] == ">=3.10"
    assert set(metadata.get_all("Provides-Extra", [])) == set(pyproject()["project"]["optional-dependencies"])
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
        assert "connector-lib = connector_lib.cli:main" in archive.read(name).decode()


def test_every_requirement_is_pinned_by_the_constraints() -> None:
    project = pyproject()["project"]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {distribution(line) for line in lines if line and not line.startswith("#")}
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    assert {distribution(line) for line in wanted} - {"connector-lib"} - pinned == set()


def test_one_setuptools_builds_the_wheel_everywhere() -> None:
    (required,) = pyproject()["build-system"]["requires"]
    assert required in pyproject()["project"]["optional-dependencies"]["dev"]
    assert required in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()


@pytest.mark.skipif(Path(sys.prefix) != ROOT / ".venv", reason="not run by `make test`, any way to import it will do")
def test_make_test_meets_the_installed_wheel_and_not_the_source_tree() -> None:
    assert Path(connector_lib.__file__).is_relative_to(sys.prefix)
    assert not any(Path(entry or ".").resolve() == ROOT for entry in sys.path)


@pytest.fixture(scope="module")
def empty_environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel and what it asks for, pinned; gives its ``bin``."""
    folder = tmp_path_factory.mktemp("alone") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin/python"), "--no-input", "-q"]
    install = ["install", "--disable-pip-version-check", "-c", str(ROOT / "constraints.txt"), str(wheel)]
    done = subprocess.run([*pip, *install], capture_output=True, text=True)
    if "NewConnectionError" in done.stderr or "NameResolutionError" in done.stderr:
        pytest.skip("no package index within reach, so nothing can be installed into an empty environment")
    assert done.returncode == 0, done.stderr
    return folder / "bin"


def run_alone(command: list[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_wheel_alone_reads_messages_without_spark(empty_environment: Path, tmp_path: Path) -> None:
    program = r"""
import importlib.util
from connector_lib import parse, parse_message, split_batch

assert importlib.util.find_spec("pyspark") is None and importlib.util.find_spec("typer") is None
admission = "MSH|^~\\&|A|B|||20260101||ADT^A01|1|P|2.5\rPID|1||7^^^B^MR\r"
discharge = "MSH|^~\\&|A|B|||20260102||ADT^A03|2|P|2.5\rPID|1||7^^^B^MR\r"
first, second = split_batch(admission + discharge)
assert parse(first).get("PID-3.1") == "7"
print(parse_message(second)["message_control_id"])
"""
    done = run_alone([empty_environment / "python", "-c", program], tmp_path)
    assert (done.stdout, done.stderr) == ("2\n", "")


@pytest.mark.slow
def test_wheel_alone_says_how_to_get_spark_types(empty_environment: Path, tmp_path: Path) -> None:
    program = "from connector_lib import get_schema; get_schema('observations')"
    done = run_alone([empty_environment / "python", "-c", program], tmp_path)
    assert done.returncode != 0
    assert "pyspark" in done.stderr


@pytest.mark.slow
def test_console_command_of_the_wheel_alone_says_which_extra_it_needs(empty_environment: Path, tmp_path: Path) -> None:
    done = run_alone([empty_environment / "connector-lib", "--help"], tmp_path)
    assert done.returncode != 0
    assert re.search(r"connector[-_]lib\[cli\]", done.stderr)
    assert "Traceback" not in done.stderr
