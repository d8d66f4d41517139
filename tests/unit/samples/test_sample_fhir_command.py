"""``connector-lib sample fhir``, called as the console command calls it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from connector_lib.cli import main
from connector_lib.cli.sample_fhir import sample_clock, sample_store
from connector_lib.samples.fhir import sample_resources
from connector_lib.testing.fhir_store import FhirStore

ASK = "import os, urllib.request; print(urllib.request.urlopen(os.environ['FHIR_BASE_URL'] + '/Patient?{}').read())"
COMMAND = [sys.executable, "-c", "import sys; from connector_lib.cli import main; sys.exit(main())", "sample", "fhir"]


def test_files_are_written_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "fhir_in"
    assert main(["sample", "fhir", "--patients", "4", "--seed", "1", "--out", str(out), "--json"]) == 0
    counts = json.loads(capsys.readouterr().out)
    assert counts["Patient"] == 4
    assert {path.stem for path in out.iterdir()} == set(counts)
    assert main(["sample", "fhir", "--patients", "4", "--out", str(out), "--overwrite"]) == 0
    assert f"resources in {out}" in capsys.readouterr().out


def test_a_command_runs_while_the_server_does_and_its_exit_code_is_given(capfd: pytest.CaptureFixture[str]) -> None:
    code = f"{ASK.format('_summary=count')}; raise SystemExit(7)"
    assert main(["sample", "fhir", "--patients", "3", "--serve", "--port", "0", "--", sys.executable, "-c", code]) == 7
    assert '"total":3' in capfd.readouterr().out


def test_the_server_is_gone_when_the_command_has_ended(capfd: pytest.CaptureFixture[str]) -> None:
    code = "import os; print(os.environ['FHIR_BASE_URL'])"
    assert main(["sample", "fhir", "--patients", "1", "--serve", "--port", "0", "--", sys.executable, "-c", code]) == 0
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(capfd.readouterr().out.strip())


def test_without_a_command_it_prints_the_address_and_serves_until_ctrl_c() -> None:
    with subprocess.Popen(
        [*COMMAND, "--patients", "2", "--serve", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        url = running.stdout.readline().strip()
        with urllib.request.urlopen(f"{url}/metadata") as answer:
            assert json.load(answer)["fhirVersion"] == "4.0.1"
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=30) == 0


def test_a_port_that_is_taken_is_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    code = "import os; print(os.environ['FHIR_BASE_URL'].split(':')[2].split('/')[0])"
    inner = [*COMMAND, "--serve", "--patients", "0", "--port"]
    script = f"import os, subprocess, sys; {code.replace('print(', 'port = (')}; "
    script += f"done = subprocess.run([*{inner!r}, port], capture_output=True, text=True); "
    script += "sys.exit(0 if done.returncode == 2 and port in done.stderr else done.stderr)"
    assert (
        main(["sample", "fhir", "--patients", "0", "--serve", "--port", "0", "--", sys.executable, "-c", script]) == 0
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "either --out or --serve"),
        (["--out", "x", "--serve"], "not both"),
        (["--out", "x", "--port", "1"], "--port goes with --serve"),
        (["--out", "x", "--", "true"], "a command goes with --serve"),
        (["--serve", "--json"], "--json goes with --out"),
        (["--serve", "--overwrite"], "--overwrite goes with --out"),
        (["--patients", "0", "--serve", "--port", "0", "--", "no-such-command"], "'no-such-command' cannot be started"),
    ],
)
def test_wrong_options_are_said_so_and_exit_with_2(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sample", "fhir", *options]) == 2
    assert words in capsys.readouterr().err


def test_the_server_holds_what_the_files_hold() -> None:
    store = sample_store(6, 1, 5, sample_clock(5))
    kept = [version.resource for kind in store.types() for version in store.current(kind)]
    found = [{name: value for name, value in (resource or {}).items() if name != "meta"} for resource in kept]
    wanted = list(sample_resources(6, seed=1, days=5))
    assert sorted(found, key=_key) == sorted(wanted, key=_key)


def test_its_clock_is_behind_every_change_of_the_day_and_never_reaches_the_next() -> None:
    passed = [0.0]
    clock = sample_clock(3, lambda: passed[0])
    newest = _newest(sample_store(30, 1, 3, clock))
    assert newest.date() == clock().date()
    assert newest < clock()
    passed[0] = 10 * 86_400.0
    assert clock() == datetime(2026, 1, 3, 23, 59, tzinfo=timezone.utc)
    assert timedelta(0) < _newest(sample_store(30, 1, 4, clock)) - clock()


def _key(resource: dict[str, object]) -> tuple[str, str]:
    return str(resource["resourceType"]), str(resource["id"])


def _newest(store: FhirStore) -> datetime:
    return max(version.time for kind in store.types() for version in store.history(kind) if version.time is not None)
