"""The examples in the help of the commands can be copied."""

from __future__ import annotations

import pytest

from connector_lib.cli import main


@pytest.mark.parametrize(
    "command",
    [
        *([], ["run"], ["show"], ["doctor"], ["parse"], ["validate"], ["new-source"]),
        *(["sample"], ["sample", "hl7v2"], ["sample", "fhir"], ["sample", "records"]),
        *(["sources"], ["tables"], ["schema"], ["read"], ["check-source"], ["merge"]),
        *(["publish"], ["releases"], ["install-line"], ["grants"], ["check"], ["bundle"]),
        *(["plan"], ["deploy"], ["configure"], ["delete"], ["start"], ["watch"], ["status"], ["logs"], ["verify"]),
        *(["connection"], ["connection", "list"], ["connection", "create"], ["connection", "update"]),
        *(["connection", "show"], ["connection", "check"], ["connection", "delete"]),
    ],
    ids=" ".join,
)
def test_an_example_of_the_help_stays_whole_on_a_terminal_of_80_columns(
    command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*command, "--help"]) == 0
    paragraphs = capsys.readouterr().out.split("\n\n")
    examples = [text.splitlines() for text in paragraphs if text.strip().startswith(("Example: ", "connector-lib "))]
    assert examples
    for lines in examples:
        assert max(map(len, lines)) <= 80
        assert [line for line in lines[:-1] if not line.endswith(" \\")] == []
