"""``connector-lib parse`` and ``connector-lib validate``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from connector_lib.cli import hl7v2
from connector_lib.errors import UsageError

GOOD = (
    "MSH|^~\\&|LAB|GHH|||20260131||ORU^R01^ORU_R01|7|P|2.5\rPID|1||42^^^GHH||DOÉ^JANE\rOBR|1|||GLU\r"
    "OBX|1|NM|GLU||98\\T\\~99|mg/dL|||||F\rNTE|1||fasting"
)
WRONG = GOOD.replace("OBX|1|NM|GLU||98", "OBX|1|NM|GLU||SECRETVALUE")
WARNED = GOOD.replace("98\\T\\", "98").replace("|2.5", "|2.99")
CLEAN = GOOD.replace("98\\T\\", "98")


def run(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    app = typer.Typer(rich_markup_mode=None)
    hl7v2.register(app)
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)


def file_of(folder: Path, *parts: str | bytes, name: str = "batch.hl7") -> Path:
    path = folder / name
    path.write_bytes(b"\r".join(part.encode() if isinstance(part, str) else part for part in parts))
    return path


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


# parse


def test_parse_prints_a_json_object_a_message(tmp_path: Path) -> None:
    result = run("parse", file_of(tmp_path, GOOD, CLEAN))
    first, second = lines(result)
    assert result.exit_code == 0
    assert (first["_message_index"], first["_offset"], first["charset"]) == (0, 0, "utf-8")
    assert (second["_message_index"], second["_offset"]) == (1, len(GOOD.encode()) + 1)
    assert (first["message_type"], first["patient_name"]) == ("ORU", "DOÉ^JANE")


def test_parse_prints_nested_values_as_real_json(tmp_path: Path) -> None:
    (record,) = lines(run("parse", file_of(tmp_path, GOOD)))
    assert record["observations"][0]["values"] == ["98&", "99"]
    assert record["observations"][0]["notes"] == ["fasting"]


def test_parse_names_the_character_set_that_was_used(tmp_path: Path) -> None:
    (record,) = lines(run("parse", file_of(tmp_path, GOOD.encode("latin-1"))))
    assert (record["charset"], record["patient_name"]) == ("iso8859-1", "DOÉ^JANE")


def test_parse_reads_the_standard_input() -> None:
    (record,) = lines(run("parse", "-", stdin=GOOD.encode()))
    assert record["message_control_id"] == "7"


def test_parse_leaves_the_envelope_out(tmp_path: Path) -> None:
    result = run("parse", file_of(tmp_path, "BHS|^~\\&|LAB", GOOD, "BTS|1"))
    assert [record["_message_index"] for record in lines(result)] == [0]


def test_parse_names_what_cannot_be_read_and_prints_the_rest(tmp_path: Path) -> None:
    result = run("parse", file_of(tmp_path, "lost words", GOOD, "MSH||LAB", CLEAN))
    assert [record["_message_index"] for record in lines(result)] == [1, 3]
    assert result.exit_code == 1
    assert "piece 0 at byte 0 is no message: text outside every message" in result.stderr
    assert f"piece 2 at byte {len('lost words') + len(GOOD.encode()) + 2} is no message: MSH-2" in result.stderr
    assert "lost words" not in result.stderr


def test_parse_prints_the_one_message_that_is_asked_for(tmp_path: Path) -> None:
    result = run("parse", file_of(tmp_path, "lost words", GOOD, CLEAN), "--index", "2")
    assert [record["_message_index"] for record in lines(result)] == [2]
    assert (result.exit_code, result.stderr) == (0, "")


def test_parse_says_when_there_is_no_message_of_that_number(tmp_path: Path) -> None:
    result = run("parse", file_of(tmp_path, GOOD, CLEAN), "--index", "2")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "there is no message 2; the last one is 1" in result.stderr


def test_parse_says_when_the_message_of_that_number_cannot_be_read(tmp_path: Path) -> None:
    result = run("parse", file_of(tmp_path, "lost words", GOOD), "--index", "0")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "piece 0 at byte 0 is no message" in result.stderr


def test_parse_stops_at_the_limit(tmp_path: Path) -> None:
    result = run("parse", file_of(tmp_path, GOOD, CLEAN, WRONG, "MSH||"), "--limit", "2")
    assert [record["_message_index"] for record in lines(result)] == [0, 1]
    assert (result.exit_code, result.stderr) == (0, "")


def test_parse_reads_files_larger_than_its_buffer(tmp_path: Path) -> None:
    result = run("parse", file_of(tmp_path, *[GOOD] * 12_000), "--index", "11999")
    assert [record["_message_index"] for record in lines(result)] == [11999]


def test_parse_draws_a_tree_of_groups_fields_and_components(tmp_path: Path) -> None:
    result = run("parse", file_of(tmp_path, GOOD), "--tree")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "message 0, at byte 0, utf-8"
    depth = {line.split("── ")[1]: line.index("── ") for line in result.stdout.splitlines() if "── " in line}
    assert depth["MSH  (0)"] < depth["OBR  (2)"] < depth["OBX  (3)"] < depth["NTE  (4)"]
    assert {
        "MSH-2  ^~\\&",
        "PID-5",
        ".1  DOÉ",
        ".2  JANE",
        "OBX-5  98&",
        "OBX-5[2]  99",
        "NTE-3  fasting",
    } <= set(depth)


def test_a_tree_does_not_let_a_value_steer_the_terminal(tmp_path: Path) -> None:
    result = run("parse", file_of(tmp_path, GOOD.replace("fasting", "\x1b[2Jfast\x07ing")), "--tree")
    assert "NTE-3  ␛[2Jfast␇ing" in result.stdout


def test_a_tree_takes_brackets_for_what_they_are(tmp_path: Path) -> None:
    result = run("parse", file_of(tmp_path, GOOD.replace("fasting", "[bold]x[/bold] :smile:")), "--tree")
    assert "NTE-3  [bold]x[/bold] :smile:" in result.stdout


def test_a_tree_shortens_very_long_values(tmp_path: Path) -> None:
    result = run("parse", file_of(tmp_path, GOOD.replace("fasting", "x" * 5000)), "--tree")
    assert "x… (5,000 characters)" in result.stdout
    assert len(result.stdout) < 2000


# validate


def test_validate_says_nothing_of_a_file_in_order(tmp_path: Path) -> None:
    result = run("validate", file_of(tmp_path, CLEAN))
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "1 file, 1 message: 0 errors, 0 warnings, 0 for information\n"


def test_validate_lists_file_message_position_severity_code_and_sentence(tmp_path: Path) -> None:
    path = file_of(tmp_path, CLEAN, WRONG)
    result = run("validate", path)
    assert result.exit_code == 1
    assert result.stdout.startswith(str(path))
    row = next(line for line in result.stdout.splitlines() if "value-not-numeric" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        *("1", "OBX-5", "error", "value-not-numeric", "OBX-2 says NM (a number), and the value is none")
    ]


def test_validate_prints_json_a_line(tmp_path: Path) -> None:
    path = file_of(tmp_path, CLEAN, WRONG)
    (finding,) = lines(run("validate", path, "--json"))
    assert finding == {
        "file": str(path),
        "message_index": 1,
        "code": "value-not-numeric",
        "severity": "error",
        "segment": "OBX",
        "segment_index": 3,
        "position": "OBX-5",
        "text": "OBX-2 says NM (a number), and the value is none",
    }


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_validate_prints_no_value_of_a_message(tmp_path: Path, form: tuple[str, ...]) -> None:
    result = run("validate", file_of(tmp_path, "lost SECRETVALUE", WRONG, "BTS|SECRETVALUE"), *form)
    assert result.stdout.count("count-form") == result.stdout.count("value-not-numeric") == 1
    assert "SECRETVALUE" not in result.output


def test_validate_ends_well_when_there_are_warnings_only(tmp_path: Path) -> None:
    result = run("validate", file_of(tmp_path, WARNED))
    assert (result.exit_code, "version-unknown" in result.stdout) == (0, True)


def test_validate_lists_what_is_grave_enough_and_counts_all(tmp_path: Path) -> None:
    result = run("validate", file_of(tmp_path, WARNED, WRONG), "--severity", "error", "--json")
    assert [finding["code"] for finding in lines(result)] == ["value-not-numeric"]
    assert result.stderr == "1 file, 2 messages: 1 error, 1 warning, 0 for information\n"


def test_an_error_that_is_not_listed_still_counts(tmp_path: Path) -> None:
    result = run("validate", file_of(tmp_path, "lost words", CLEAN), "--severity", "error")
    assert result.exit_code == 1


def test_validate_checks_the_batch_envelope(tmp_path: Path) -> None:
    result = run("validate", file_of(tmp_path, "BHS|^~\\&|LAB", CLEAN, "BTS|2", "BHS|^~\\&|LAB"), "--json")
    assert [(finding["code"], finding["position"]) for finding in lines(result)] == [
        ("batch-count", "BTS-1"),
        ("batch-not-closed", "BHS[2]"),
    ]
    assert {finding["message_index"] for finding in lines(result)} == {None}


def test_validate_reports_what_cannot_be_read(tmp_path: Path) -> None:
    result = run("validate", file_of(tmp_path, "lost words", CLEAN), "--json")
    (finding,) = lines(result)
    assert (finding["code"], finding["severity"], finding["message_index"]) == ("unreadable", "error", 0)
    assert "byte 0" in finding["text"]
    assert result.exit_code == 1


def test_validate_reports_bytes_that_do_not_fit_the_declared_character_set(tmp_path: Path) -> None:
    header, rest = CLEAN.split("\r", 1)
    (finding,) = lines(run("validate", file_of(tmp_path, f"{header}||||||ASCII\r{rest}"), "--json"))
    assert (finding["code"], finding["position"]) == ("character-set", "MSH-18")


def test_validate_takes_several_files(tmp_path: Path) -> None:
    names = [file_of(tmp_path, text, name=name) for text, name in ((WRONG, "a"), (CLEAN, "b"), (WARNED, "c"))]
    result = run("validate", *names)
    assert [name for name in "abc" if str(tmp_path / name) in result.stdout] == ["a", "c"]
    assert result.stderr.startswith("3 files, 3 messages: 1 error, 1 warning")


def test_many_findings_are_printed_all(tmp_path: Path) -> None:
    result = run("validate", file_of(tmp_path, *[WRONG] * 1201))
    assert result.stdout.count("value-not-numeric") == 1201
    assert "1,201 messages: 1,201 errors" in result.stderr


# both


@pytest.mark.parametrize("command", ["parse", "validate"])
@pytest.mark.parametrize("content", [b"", b"\r\n\r\n", b"BHS|^~\\&|LAB\rBTS|0\r"])
def test_a_file_without_a_message_fails_in_words(tmp_path: Path, command: str, content: bytes) -> None:
    result = run(command, file_of(tmp_path, content))
    assert result.exit_code == 1
    assert "there is no message in" in result.output


@pytest.mark.parametrize("command", ["parse", "validate"])
def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path, command: str) -> None:
    error = run(command, tmp_path / "none.hl7").exception
    assert isinstance(error, UsageError)
    assert error.message == f"there is no file {tmp_path / 'none.hl7'}"


@pytest.mark.parametrize("command", ["parse", "validate"])
def test_a_folder_is_wrong_usage_and_the_files_are_proposed(tmp_path: Path, command: str) -> None:
    error = run(command, tmp_path).exception
    assert isinstance(error, UsageError)
    assert error.message == f"{tmp_path} is a folder"
    assert "*.hl7" in error.hint


def test_a_missing_file_is_said_before_any_is_read(tmp_path: Path) -> None:
    result = run("validate", file_of(tmp_path, WRONG), tmp_path / "none.hl7")
    assert isinstance(result.exception, UsageError)
    assert result.output == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("parse",),
        ("validate",),
        ("parse", "a", "--index", "-1"),
        ("parse", "a", "--limit", "0"),
        ("validate", "a", "--severity", "x"),
    ],
)
def test_wrong_options_are_wrong_usage(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize("command", ["parse", "validate"])
def test_the_help_has_an_example(command: str) -> None:
    assert f"Example: connector-lib {command} " in run(command, "--help").stdout


def test_the_command_reads_a_pipe_and_ends_with_its_exit_code(tmp_path: Path) -> None:
    def connector_lib(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [
                sys.executable,
                "-c",
                "import sys; from connector_lib.cli import main; sys.exit(main())",
                *arguments,
            ],
            input=stdin,
            capture_output=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
            timeout=60,
            check=False,
        )

    parsed = connector_lib("parse", "-", stdin=GOOD.encode())
    assert (parsed.returncode, parsed.stderr) == (0, b"")
    assert json.loads(parsed.stdout)["patient_name"] == "DOÉ^JANE"
    assert connector_lib("validate", "-", stdin=WRONG.encode()).returncode == 1
    missing = connector_lib("validate", "none.hl7")
    assert (missing.returncode, missing.stdout) == (2, b"")
    assert missing.stderr.decode().startswith("error: there is no file none.hl7\n")
