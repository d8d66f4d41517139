"""``tools/venv.py``: when make has something to do, and when it does nothing."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A source tree with a package of two modules, and an environment that was made from it."""
    for folder in ["tools", "connector_lib/formats", ".venv/bin", "dist"]:
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / "tools/venv.py", tmp_path / "tools")
    (tmp_path / "connector_lib/__init__.py").write_text('__version__ = "1.2.3"\n')
    (tmp_path / "connector_lib/formats/split.py").write_text("ENDS = 'CR'\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / "dist/connector_lib-1.2.3-py3-none-any.whl").touch()
    (tmp_path / ".venv/bin/python").symlink_to(sys.executable)
    tool = load(tmp_path)
    sources = tool.source_fingerprint()
    tool.write_state(tool.State(tool.fingerprint(tool.REQUIREMENT_FILES), ["dev"], sources, sources))
    return tmp_path


def load(tree: Path) -> ModuleType:
    """The tool as it runs in ``tree``."""
    name = f"venv_tool_{abs(hash(tree))}"
    spec = importlib.util.spec_from_file_location(name, tree / "tools/venv.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module


def has_nothing_to_do(tree: Path, *extras: str) -> bool:
    tool = load(tree)
    return bool(tool.up_to_date(tool.read_state(), list(extras)))


def test_nothing_to_do_when_nothing_changed(tree: Path) -> None:
    assert has_nothing_to_do(tree)
    assert has_nothing_to_do(tree, "dev")
    assert load(tree).main(["dev"]) == 0


def test_nothing_to_do_when_a_file_was_only_touched_or_compiled(tree: Path) -> None:
    os.utime(tree / "connector_lib/__init__.py")
    (tree / "connector_lib/__pycache__").mkdir()
    (tree / "connector_lib/__pycache__/x.pyc").touch()
    assert has_nothing_to_do(tree, "dev")


def test_an_extra_that_is_not_installed_is_something_to_do(tree: Path) -> None:
    assert not has_nothing_to_do(tree, "dev", "bench")


def edit(tree: Path) -> None:
    (tree / "connector_lib/formats/split.py").write_text("ENDS = 'LF'\n")


def add(tree: Path) -> None:
    (tree / "connector_lib/formats/escapes.py").write_text("")


def remove(tree: Path) -> None:
    (tree / "connector_lib/formats/split.py").unlink()


def rename(tree: Path) -> None:
    (tree / "connector_lib/formats/split.py").rename(tree / "connector_lib/formats/cut.py")


def require_more(tree: Path) -> None:
    (tree / "pyproject.toml").write_text("[project]\ndependencies = ['requests']\n")


def pin_otherwise(tree: Path) -> None:
    (tree / "constraints.txt").write_text("requests==2.34.2\n")


def lose_the_wheel(tree: Path) -> None:
    (tree / "dist/connector_lib-1.2.3-py3-none-any.whl").unlink()


def lose_the_python(tree: Path) -> None:
    (tree / ".venv/bin/python").unlink()


def kill_pip_half_way(tree: Path) -> None:
    (tree / ".venv/make-unfinished").touch()


def cut_the_state_short(tree: Path) -> None:
    (tree / ".venv/make-state.json").write_text('{"requirements": "ab')


@pytest.mark.parametrize(
    "change",
    [
        edit,
        add,
        remove,
        rename,
        require_more,
        pin_otherwise,
        lose_the_wheel,
        lose_the_python,
        kill_pip_half_way,
        cut_the_state_short,
    ],
)
def test_a_change_is_something_to_do(tree: Path, change: Callable[[Path], None]) -> None:
    change(tree)
    assert not has_nothing_to_do(tree, "dev")


def test_an_environment_of_the_users_own_is_not_removed(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / ".venv/make-state.json").unlink()
    (tree / ".venv/mine").touch()
    assert load(tree).main(["dev"]) == 1
    assert (tree / ".venv/mine").exists()
    assert "was not made by make" in capsys.readouterr().err


def test_version_that_cannot_be_read_is_named(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "connector_lib/__init__.py").write_text("VERSION = 1\n")
    assert load(tree).main(["dev"]) == 1
    assert "connector_lib/__init__.py" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("  Downloading pyspark-4.3.0.tar.gz (456.6 MB)", "downloading pyspark-4.3.0.tar.gz (456.6 MB)"),
        ("  Downloading idna-3.20-py3-none-any.whl (71 kB)", ""),
        ("  Building wheel for pyspark (setup.py): started", "building wheel for pyspark"),
        ("Installing collected packages: py4j, pyspark", "installing 2 packages"),
        ("Requirement already satisfied: idna", ""),
    ],
)
def test_only_lines_about_what_takes_long_are_shown(line: str, shown: str) -> None:
    assert load(ROOT).worth_showing(line) == shown
