"""``connector-lib sample hl7v2``, called as the console command calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from connector_lib.cli.sample import register
from connector_lib.errors import UsageError
from connector_lib.samples.hl7v2 import DAMAGES


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer(rich_markup_mode=None)

    @app.callback()
    def options() -> None:
        """As in the whole command, there are other groups too."""

    register(app)
    return app


def test_the_example_of_the_help_works(app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(app, ["sample", "hl7v2", "--help"]).stdout
    example = "sample hl7v2 --messages 200 --seed 1 --out hl7_in"
    assert f"connector-lib {example}" in " ".join(shown.split())
    done = CliRunner().invoke(app, example.split(), catch_exceptions=False)
    assert done.exit_code == 0
    assert "24 files, 200 messages" in done.stdout
    assert len(list((tmp_path / "hl7_in").iterdir())) == 24


def test_the_help_lists_every_kind_of_damage(app: typer.Typer) -> None:
    shown = CliRunner().invoke(app, ["sample", "hl7v2", "--help"]).stdout
    assert [kind for kind in DAMAGES if f"{kind}: " not in shown] == []


def test_json_says_what_was_written_and_nothing_else_is_on_stdout(app: typer.Typer, tmp_path: Path) -> None:
    manifest = tmp_path / "about" / "manifest.json"
    arguments = ["--messages", "30", "--out", str(tmp_path / "in"), "--json", "--manifest", str(manifest)]
    done = CliRunner().invoke(app, ["sample", "hl7v2", *arguments], catch_exceptions=False)
    data = json.loads(done.stdout)
    assert data == json.loads(manifest.read_text())
    assert data["messages"] == 30
    assert {file["name"] for file in data["files"]} == {path.name for path in (tmp_path / "in").iterdir()}


def test_all_damage_is_added_with_a_small_huge_segment(app: typer.Typer, tmp_path: Path) -> None:
    arguments = ["--messages", "3", "--out", str(tmp_path / "in"), "--json", "--damage", "all"]
    done = CliRunner().invoke(app, ["sample", "hl7v2", *arguments], catch_exceptions=False)
    files = {file["damage"]: file for file in json.loads(done.stdout)["files"]}
    assert set(files) == {"", *DAMAGES}
    assert 1_000_000 < files["huge-segment"]["bytes"] < 1_200_000


def test_a_huge_segment_asked_for_by_name_is_huge(app: typer.Typer, tmp_path: Path) -> None:
    arguments = ["--messages", "0", "--out", str(tmp_path / "in"), "--json", "--damage", "huge-segment"]
    done = CliRunner().invoke(app, ["sample", "hl7v2", *arguments], catch_exceptions=False)
    assert json.loads(done.stdout)["bytes"] > 100 * 1024 * 1024


def test_forms_families_and_files_can_be_chosen(app: typer.Typer, tmp_path: Path) -> None:
    arguments = [
        "--messages",
        "12",
        "--files",
        "2",
        "--form",
        "mllp-lf-8859-4",
        "--family",
        "VXU",
        "--family",
        "MDM",
    ]
    arguments += ["--out", str(tmp_path / "in"), "--json"]
    data = json.loads(CliRunner().invoke(app, ["sample", "hl7v2", *arguments], catch_exceptions=False).stdout)
    assert [file["charset"] for file in data["files"]] == ["8859-4", "8859-4"]
    assert set(data["families"]) == {"VXU", "MDM"}


@pytest.mark.parametrize(
    ("option", "value", "named"),
    [
        ("--form", "scroll-cr-ascii", "scroll-cr-ascii"),
        ("--family", "XYZ", "XYZ"),
        ("--damage", "coffee", "coffee"),
    ],
)
def test_an_unknown_value_of_an_option_is_named(
    option: str, value: str, named: str, app: typer.Typer, tmp_path: Path
) -> None:
    done = CliRunner().invoke(app, ["sample", "hl7v2", "--out", str(tmp_path / "in"), option, value])
    assert isinstance(done.exception, UsageError)
    assert named in done.exception.message
    assert done.exception.hint


def test_a_second_run_into_the_same_folder_needs_overwrite(app: typer.Typer, tmp_path: Path) -> None:
    arguments = ["sample", "hl7v2", "--messages", "5", "--out", str(tmp_path / "in")]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    refused = CliRunner().invoke(app, arguments)
    assert isinstance(refused.exception, UsageError)
    assert "--overwrite" in refused.exception.hint
    assert CliRunner().invoke(app, [*arguments, "--overwrite"]).exit_code == 0
