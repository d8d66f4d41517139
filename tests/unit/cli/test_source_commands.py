"""``sources``, ``tables``, ``schema``, ``check-source`` and ``read``: a source over a socket, without Spark."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("pyspark")

from connector_lib.cli import main
from connector_lib.testing.logins import Login
from connector_lib.testing.records_api import RecordsApi, RecordsTable

TOKEN = "hush hush hush"
Captured = pytest.CaptureFixture[str]

PLAIN_SOURCE = """\
class Plain:
    def __init__(self, options): self.options = options
    def list_tables(self): return ["visits", "steers \\x1b[2J"]
    def get_table_schema(self, table_name, table_options): raise NotImplementedError
    def read_table_metadata(self, table_name, table_options): return {"ingestion_type": "snapshot"}
    def read_table(self, table_name, start_offset, table_options):
        if start_offset:
            return iter(()), start_offset
        from decimal import Decimal
        records = [
            {"id": 1, "open": True, "name": "a\\x1b[2J", "meta": {"at": None, "share": Decimal("0.10")}},
            {"id": 2, "steers \\x1b[2J": "\\ud800", "size": Decimal("1.10"), "exact": Decimal("0.1234567890123456789")},
        ]
        return iter(records), {"end": 1}
"""


@pytest.fixture(autouse=True)
def _two_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package on ``sys.path`` that brings the sources ``records`` and ``plain``."""
    folder = tmp_path / "package"
    metadata = folder / "example_sources-1.2.dist-info"
    metadata.mkdir(parents=True)
    (folder / "example_sources.py").write_text(PLAIN_SOURCE)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: example-sources\nVersion: 1.2\n")
    (metadata / "entry_points.txt").write_text(
        "[connector_lib.sources]\n"
        "plain = example_sources:Plain\n"
        "records = connector_lib.testing.records_source:RecordsSource\n"
    )
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "example_sources", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def api() -> Iterator[RecordsApi]:
    """24 visits and one that was deleted, behind a bearer token."""
    table = RecordsTable("visits", {"id": "string", "updated": "timestamp"})
    with RecordsApi([table], login=Login("bearer", secret=TOKEN)) as server:
        server.put("visits", *[{"id": f"{number:02}"} for number in range(25)])
        server.delete("visits", "24")
        yield server


@pytest.fixture
def connections(api: RecordsApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``connections.yml`` in the current folder, its secret in the environment."""
    file = tmp_path / "connections.yml"
    file.write_text(
        "connections:\n  clinic:\n    source: records\n    options:\n"
        f"      base_url: {api.url}\n      auth_type: bearer\n      secret: ${{CLINIC_TOKEN}}\n"
    )
    monkeypatch.setenv("CLINIC_TOKEN", TOKEN)
    return file


def wrong_usage(capsys: Captured, *arguments: str) -> str:
    assert main(list(arguments)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_sources_are_listed_with_the_package_that_brings_them(capsys: Captured) -> None:
    assert main(["sources"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["plain", "third", "party", "example-sources", "1.2", "example_sources:Plain"] in lines
    assert main(["sources", "--json"]) == 0
    sources = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"fhir", "plain", "records"} <= {source["source"] for source in sources}


def test_the_options_of_a_source_are_listed_those_that_must_be_given_first(capsys: Captured) -> None:
    assert main(["sources", "records"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "base_url  (of the connection; string, must be given)"
    assert "secret  (of the connection; string, secret)" in lines
    assert (
        'auth_type  (of the connection; none | basic | bearer | header | client_credentials, "none" if not given)'
        in lines
    )
    assert "page_size  (of the table; integer, 100 if not given)" in lines
    assert (
        lines[lines.index("page_size  (of the table; integer, 100 if not given)") + 1]
        == "    Records asked for at once"
    )


def test_the_options_of_a_source_are_json_for_a_program(capsys: Captured) -> None:
    assert main(["sources", "records", "--json"]) == 0
    options = {option["name"]: option for option in map(json.loads, capsys.readouterr().out.splitlines())}
    assert options["paging"]["choices"] == ["link", "token", "link_header", "offset", "page"]
    assert (options["secret"]["secret"], options["secret"]["default"]) == (True, None)
    assert options["page_size"]["of"] == ["table"]


def test_an_option_of_a_connection_and_of_a_table_is_one_option(capsys: Captured) -> None:
    assert main(["sources", "fhir"]) == 0
    found = [line for line in capsys.readouterr().out.splitlines() if line.startswith("page_size ")]
    assert len(found) == 1
    assert "(of the connection or table; integer" in found[0]


def test_a_description_goes_on_in_the_next_line(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    assert main(["sources", "records"]) == 0
    out = capsys.readouterr().out
    described = [line for line in out.splitlines() if line.startswith("    ")]
    assert max(map(len, described)) <= 70
    assert "to another server: end with an error, or ask the server of base_url for it" in " ".join(out.split())


def test_a_source_that_does_not_name_its_options_says_so(capsys: Captured) -> None:
    assert main(["sources", "plain"]) == 0
    assert capsys.readouterr().err == "the source 'plain' does not say which options it takes\n"


def test_tables_are_listed(capsys: Captured, connections: Path) -> None:
    assert main(["tables", "--connection", "clinic"]) == 0
    assert capsys.readouterr().out == "visits\n"
    assert main(["tables", "plain", "--json"]) == 0
    assert [json.loads(line)["table"] for line in capsys.readouterr().out.splitlines()] == ["visits", "steers \x1b[2J"]


def test_the_name_of_a_table_does_not_steer_the_terminal(capsys: Captured) -> None:
    assert main(["tables", "plain"]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_a_schema_is_columns_keys_and_cursor(capsys: Captured, connections: Path) -> None:
    assert main(["schema", "visits", "--connection", "clinic"]) == 0
    assert capsys.readouterr().out == (
        "table         visits\n"
        "ingestion     cdc_with_deletes\n"
        "primary keys  id\n"
        "cursor        updated\n"
        " |-- id: string (nullable = true)\n"
        " |-- updated: timestamp (nullable = true)\n"
    )


@pytest.mark.parametrize(("depth", "nested"), [([], True), (["--depth", "1"], False)])
def test_nested_columns_are_shown_as_deep_as_it_is_asked_for(capsys: Captured, depth: list[str], nested: bool) -> None:
    arguments = [
        "schema",
        "fhir",
        "Patient",
        "--option",
        "resource_types=Patient",
        "--option",
        "base_url=http://127.0.0.1:9/",
    ]
    assert main([*arguments, *depth]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert " |-- name: array (nullable = true)" in lines
    assert any(line.startswith(" |    |") for line in lines) is nested


def test_a_schema_is_one_json_document(capsys: Captured, connections: Path) -> None:
    assert main(["schema", "visits", "--connection", "clinic", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["primary_keys"], document["cursor_field"]) == (["id"], "updated")
    assert [field["name"] for field in document["schema"]["fields"]] == ["id", "updated"]


def test_a_connection_is_tried(capsys: Captured, connections: Path) -> None:
    assert main(["check-source", "--connection", "clinic"]) == 0
    assert capsys.readouterr().out == "connection 'clinic' works: records API with 1 tables\n"
    assert main(["check-source", "plain", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer == {
        "checked": "source 'plain'",
        "answer": "2 tables (the source has no check of its connection)",
    }


def test_a_connection_that_fails_ends_with_an_error_without_the_secret(
    capsys: Captured, connections: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLINIC_TOKEN", "not the right one")
    assert main(["--verbose", "check-source", "--connection", "clinic"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "401" in captured.err
    assert "not the right one" not in captured.err


def test_a_table_is_read_to_its_end_one_json_record_a_line(capsys: Captured, connections: Path) -> None:
    assert main(["read", "visits", "--connection", "clinic", "--option", "page_size=7", "--json"]) == 0
    captured = capsys.readouterr()
    ids = [json.loads(line)["id"] for line in captured.out.splitlines()]
    assert ids == [f"{number:02}" for number in range(24)]
    assert captured.err == "24 records\n"


def test_on_the_screen_are_the_first_records_and_how_many_there_are(capsys: Captured, connections: Path) -> None:
    assert main(["read", "visits", "--connection", "clinic"]) == 0
    captured = capsys.readouterr()
    rows = [line.split() for line in captured.out.splitlines()]
    assert ["id", "updated"] in rows
    assert [row[0] for row in rows if row and row[0].isdigit()] == [f"{number:02}" for number in range(20)]
    assert captured.err == "20 of 24 records; '--json' prints all\n"


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_with_a_limit_it_ends_there(capsys: Captured, connections: Path, form: tuple[str, ...]) -> None:
    assert main(["read", "visits", "--connection", "clinic", "--limit", "22", *form]) == 0
    captured = capsys.readouterr()
    shown = re.findall(r"\b\d\d\b(?=\"|  )", captured.out)
    assert len(shown) == 22
    assert captured.err == "ended after 22 records, as --limit says\n"


def test_with_a_limit_no_page_behind_it_is_asked_for(capsys: Captured, connections: Path, api: RecordsApi) -> None:
    main(["read", "visits", "--connection", "clinic", "--limit", "2", "--option", "page_size=5", "--json"])
    assert len([request for request in api.server.requests if "limit=5" in request.query]) == 1


def test_deletes_are_read_alike(capsys: Captured, connections: Path) -> None:
    assert main(["read", "visits", "--connection", "clinic", "--deletes", "--json"]) == 0
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == ["24"]


def test_records_are_printed_as_the_api_sent_them(capsys: Captured) -> None:
    assert main(["read", "plain", "visits", "--json"]) == 0
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first == {"id": 1, "open": True, "name": "a\x1b[2J", "meta": {"at": None, "share": 0.1}}
    assert second["size"] == 1.1
    assert second["exact"] == "0.1234567890123456789"
    assert second["steers \x1b[2J"] == "\ud800"


def test_a_record_does_not_steer_the_terminal(capsys: Captured) -> None:
    assert main(["read", "plain", "visits"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "a␛[2J" in out
    assert '{"at": null, "share": "0.10"}' in out
    assert "true" in out


def test_a_secret_may_come_from_the_environment(
    capsys: Captured, api: RecordsApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLINIC_TOKEN", TOKEN)
    options = [f"base_url={api.url}", "auth_type=bearer", "secret=${CLINIC_TOKEN}"]
    assert main(["tables", "records", *[part for option in options for part in ("--option", option)]]) == 0
    assert capsys.readouterr().out == "visits\n"


def test_options_may_come_from_a_file_those_of_the_command_first(
    capsys: Captured, api: RecordsApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLINIC_TOKEN", TOKEN)
    file = tmp_path / "options.yml"
    file.write_text(f"base_url: {api.url}\nauth_type: bearer\nsecret: ${{CLINIC_TOKEN}}\nmax_pages: 1\npage_size: 5\n")
    assert main(["read", "records", "visits", "--options", str(file), "--json"]) == 1
    assert "5 records" not in capsys.readouterr().err
    arguments = ["read", "records", "visits", "--options", str(file), "--option", "max_pages=50", "--json"]
    assert main(arguments) == 0
    assert capsys.readouterr().err == "24 records\n"


def test_an_option_of_the_command_goes_before_one_of_the_file_however_it_is_written(
    capsys: Captured, api: RecordsApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLINIC_TOKEN", TOKEN)
    file = tmp_path / "options.yml"
    file.write_text(f"baseUrl: {api.url}\nauthType: bearer\nsecret: ${{CLINIC_TOKEN}}\nmaxPages: 1\npageSize: 5\n")
    assert main(["read", "records", "visits", "--options", str(file), "--option", "page_size=50", "--json"]) == 0
    assert capsys.readouterr().err == "24 records\n"


def test_an_option_of_the_command_goes_before_one_of_the_connection(capsys: Captured, connections: Path) -> None:
    connections.write_text(connections.read_text() + "      max_pages: 1\n")
    arguments = ["read", "visits", "--connection", "clinic", "--option", "page_size=5", "--json"]
    assert main(arguments) == 1
    capsys.readouterr()
    assert main([*arguments, "--option", "maxPages=50"]) == 0
    assert capsys.readouterr().err == "24 records\n"


def test_a_variable_that_is_not_set_is_named(
    capsys: Captured, connections: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CLINIC_TOKEN")
    assert main(["tables", "--connection", "clinic"]) == 1
    assert "option 'secret': the environment variable CLINIC_TOKEN is not set" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["hush hush", "hush${CLINIC_TOKEN}", "${CLINIC_TOKEN:-hush}", ""])
@pytest.mark.parametrize(("source", "name"), [("records", "secret"), ("records", "SECRET"), ("plain", "api_token")])
def test_a_secret_is_refused_as_an_argument_and_not_shown(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch, source: str, name: str, value: str
) -> None:
    monkeypatch.setenv("CLINIC_TOKEN", "hush hush")
    message = wrong_usage(capsys, "read", source, "visits", "--option", f"{name}={value}")
    assert f"the option '{name}' is a secret, and no argument" in message
    assert "hush" not in message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tables"], "which source?"),
        (["read"], "which table?"),
        (["read", "plain"], "which table?"),
        (["schema", "--connection", "clinic"], "which table?"),
        (["tables", "plain", "--connection", "clinic"], "both the source 'plain' and the connection 'clinic'"),
        (["tables", "plain", "--connections", "connections.yml"], "--connections needs --connection NAME"),
        (["tables", "plian"], "there is no source 'plian'\n  did you mean 'plain'?"),
        (["sources", "plian"], "did you mean 'plain'?"),
        (["tables", "records", "--option", "pagesise=5"], "no option 'pagesise'\n  did you mean 'page_size'?"),
        (["tables", "records", "--option", "page_size"], "is not KEY=VALUE"),
        (["tables", "records", "--option", "=5"], "is not KEY=VALUE"),
        (["tables", "plain", "--option", "a=1", "--option", "a=2"], "one --option is given twice"),
        (["tables", "records"], "the option 'base_url' is missing"),
        (["tables", "records", "--option", "base_url=x", "--option", "max_pages=no"], "the option 'max_pages'"),
        (["read", "plain", "visits", "--limit", "0"], "--limit"),
    ],
)
def test_a_question_that_makes_no_sense_is_wrong_usage(capsys: Captured, arguments: list[str], words: str) -> None:
    assert words in wrong_usage(capsys, *arguments)


def test_an_unknown_table_names_the_nearest(capsys: Captured, connections: Path) -> None:
    message = wrong_usage(capsys, "read", "visit", "--connection", "clinic")
    assert "has no table 'visit'\n  did you mean 'visits'?" in message


def test_an_unknown_connection_and_a_wrong_option_in_it_are_faults_of_the_file(
    capsys: Captured, connections: Path
) -> None:
    assert main(["tables", "--connection", "klinic"]) == 1
    assert "did you mean 'clinic'?" in capsys.readouterr().err
    connections.write_text(connections.read_text().replace("auth_type", "auth_tipe"))
    assert main(["tables", "--connection", "clinic"]) == 1
    assert "connection 'clinic': there is no option 'auth_tipe'\n  did you mean 'auth_type'?" in capsys.readouterr().err


def test_an_api_that_fails_in_the_midst_ends_the_read_with_an_error(
    capsys: Captured, connections: Path, api: RecordsApi
) -> None:
    connections.write_text(connections.read_text() + "      max_pages: 2\n")
    arguments = ["read", "visits", "--connection", "clinic", "--option", "page_size=5", "--json"]
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 10
    assert captured.err.startswith("error: ")
    assert "records\n" not in captured.err


@pytest.mark.parametrize("command", ["sources", "tables", "schema", "read", "check-source"])
def test_every_help_text_has_an_example_that_can_be_copied(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([command, "--help"]) == 0
    paragraphs = capsys.readouterr().out.split("\n\n")
    examples = [text.splitlines() for text in paragraphs if f"Example: connector-lib {command}" in text]
    assert examples
    for lines in examples:
        assert max(map(len, lines)) <= 80
        assert [line for line in lines[:-1] if not line.endswith(" \\")] == []
