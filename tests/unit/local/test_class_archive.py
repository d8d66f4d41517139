"""Which archive of Spark's classes belongs to which installation, and how long it is kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from connector_lib.local.class_archive import ClassArchive, class_archive
from connector_lib.local.java import JavaRuntime

DAY = 24 * 3600


@pytest.fixture
def java(tmp_path: Path) -> JavaRuntime:
    home = tmp_path / "java"
    (home / "lib" / "server").mkdir(parents=True)
    (home / "lib" / "server" / "classes.jsa").touch()
    (home / "lib" / "modules").touch()
    return JavaRuntime(home / "bin" / "java", home, 17, bundled=False)


@pytest.fixture
def jars(tmp_path: Path) -> Path:
    jars = tmp_path / "jars"
    jars.mkdir()
    return jars


@pytest.fixture
def archive(java: JavaRuntime, jars: Path, tmp_path: Path) -> ClassArchive:
    found = class_archive(java, jars, tmp_path / "cache")
    assert found is not None
    return found


def test_without_an_archive_the_jvm_is_told_to_write_one_beside_its_place(archive: ClassArchive) -> None:
    assert archive.options() == (f"-XX:ArchiveClassesAtExit='{archive.partial}'",)
    assert archive.partial.parent == archive.path.parent
    assert archive.path.parent.is_dir()


def test_what_the_jvm_has_written_is_used_from_then_on(archive: ClassArchive) -> None:
    archive.options()
    archive.partial.write_bytes(b"classes")
    archive.keep()
    assert archive.options() == (f"-XX:SharedArchiveFile='{archive.path}'",)
    assert archive.path.read_bytes() == b"classes"
    assert not archive.partial.exists()


def test_a_jvm_that_has_written_nothing_leaves_nothing_to_keep(archive: ClassArchive) -> None:
    archive.options()
    archive.keep()
    assert not archive.is_there


def test_archives_that_no_run_has_used_for_a_month_are_removed(archive: ClassArchive) -> None:
    archive.options()
    used, unused = (archive.path.with_name(f"spark-classes-{name}.jsa") for name in ("used", "unused"))
    for file, age in ((used, 29), (unused, 31)):
        file.touch()
        os.utime(file, (0, 1_000 * DAY - age * DAY))
    archive.partial.write_bytes(b"classes")
    os.utime(archive.partial, (0, 1_000 * DAY))
    archive.keep(now=lambda: 1_000.0 * DAY)
    assert sorted(archive.path.parent.iterdir()) == sorted([archive.path, used])


def test_other_jars_have_another_archive(archive: ClassArchive, java: JavaRuntime, jars: Path, tmp_path: Path) -> None:
    os.utime(jars, (0, 0))
    other = class_archive(java, jars, tmp_path / "cache")
    assert other is not None
    assert other.path != archive.path


def test_a_java_without_an_archive_of_its_own_classes_gets_none(java: JavaRuntime, jars: Path, tmp_path: Path) -> None:
    (java.home / "lib" / "server" / "classes.jsa").unlink()
    assert class_archive(java, jars, tmp_path / "cache") is None


@pytest.mark.parametrize("in_the_way", ["cache", "cache/connector_lib"])
def test_where_its_folder_cannot_be_made_the_jvm_is_told_nothing(
    java: JavaRuntime, jars: Path, tmp_path: Path, in_the_way: str
) -> None:
    (tmp_path / in_the_way).parent.mkdir(exist_ok=True)
    (tmp_path / in_the_way).touch()
    archive = class_archive(java, jars, tmp_path / "cache" / "connector_lib")
    assert archive is not None
    options = archive.options()
    assert options == ()
    assert not archive.is_written_with(options)
    archive.keep()
    archive.discard()


def test_a_jvm_writes_the_archive_when_it_was_told_to_and_not_when_it_uses_it(archive: ClassArchive) -> None:
    first = archive.options()
    assert archive.is_written_with(first)
    archive.path.write_bytes(b"classes")
    assert not archive.is_written_with(archive.options())


def test_an_archive_that_may_not_be_marked_as_used_is_used_all_the_same(
    archive: ClassArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    archive.options()
    archive.path.write_bytes(b"classes")
    # Who runs the tests may be allowed everything.
    monkeypatch.setattr(os, "utime", refused)
    assert archive.options() == (f"-XX:SharedArchiveFile='{archive.path}'",)


def test_an_archive_that_another_run_removes_meanwhile_is_no_error(archive: ClassArchive) -> None:
    archive.options()
    folder = archive.path.parent
    unused = [folder / f"spark-classes-{name}.jsa" for name in "abc"]
    for file in unused:
        file.touch()
        os.utime(file, (0, 0))
    archive.partial.write_bytes(b"classes")
    os.utime(archive.partial, (0, 1_000 * DAY))

    def while_another_run_removes_them() -> float:
        for file in unused:
            file.unlink(missing_ok=True)
        return 1_000.0 * DAY

    archive.keep(now=while_another_run_removes_them)
    assert list(folder.iterdir()) == [archive.path]


def test_an_archive_whose_place_cannot_be_taken_is_no_error(archive: ClassArchive) -> None:
    archive.options()
    archive.partial.write_bytes(b"classes")
    archive.path.mkdir()
    archive.keep()
    archive.discard()
    assert not archive.partial.exists()
