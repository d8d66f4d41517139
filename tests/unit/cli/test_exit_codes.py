"""Every way a command can end that is not about its own subject."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from connector_lib.cli import hl7v2, main
from connector_lib.errors import BrokerError

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def message(tmp_path: Path) -> Path:
    path = tmp_path / "batch.hl7"
    path.write_text("MSH|^~\\&|LAB|GHH|||20260131||ADT^A01|7|P|2.5\rPID|1||42||DOE^JANE\r")
    return path


def broken(*_: object) -> None:
    raise LookupError("DOE^JANE")


def test_an_unexpected_exception_is_our_bug_and_says_where_but_no_value(
    message: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hl7v2, "split_stream", broken)
    assert main(["parse", str(message)]) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "this is a bug in connector_lib" in captured.err
    assert "LookupError in connector_lib/cli/hl7v2.py:" in captured.err
    assert "DOE" not in captured.err


def test_verbose_before_any_command_shows_how_a_bug_came_about(
    message: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hl7v2, "split_stream", broken)
    assert main(["--verbose", "parse", str(message)]) == 3
    assert "Traceback (most recent call last)" in capsys.readouterr().err


@pytest.mark.parametrize(("kind", "code"), [(LookupError, 3), (BrokerError, 1)])
def test_verbose_shows_no_secret_of_the_environment_that_a_cause_holds(
    message: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch, kind: type[Exception], code: int
) -> None:
    password = "hush hush"

    def refused(*_: object) -> None:
        try:
            raise ValueError(f"login with {password}")
        except ValueError as error:
            raise kind("no login") from error

    monkeypatch.setenv("KAFKA_PASSWORD", password)
    monkeypatch.setattr(hl7v2, "split_stream", refused)
    assert main(["--verbose", "parse", str(message)]) == code
    said = capsys.readouterr().err
    assert "ValueError: login with *****" in said
    assert password not in said


def test_control_c_ends_with_130(message: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(hl7v2, "split_stream", interrupted)
    assert main(["parse", str(message)]) == 130
    assert capsys.readouterr().err.strip() == "stopped by Ctrl-C"


def test_a_reader_that_has_had_enough_is_no_error(message: Path) -> None:
    message.write_text(message.read_text() * 5000)
    code = "import sys; from connector_lib.cli import main; sys.exit(main())"
    with subprocess.Popen(
        [sys.executable, "-c", code, "parse", str(message)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 0
