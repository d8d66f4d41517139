"""Sample records of a REST API, and ``connector-lib sample records``, which serves them."""

from __future__ import annotations

import json
import sys

import pytest

from connector_lib.cli import main
from connector_lib.cli.skeleton.clinic_connector.source import ClinicSource
from connector_lib.connector.reading import read_all
from connector_lib.errors import UsageError
from connector_lib.samples.visits import sample_visits, sample_wards

READ = """
import json, os, sys
from connector_lib.cli.skeleton.clinic_connector.source import ClinicSource
from connector_lib.connector.reading import read_all
source = ClinicSource({"base_url": os.environ["RECORDS_BASE_URL"]})
json.dump({
    "visits": list(read_all(source, "visits", {"page_size": "7"})),
    "deleted": list(read_all(source, "visits", {}, deletes=True)),
    "wards": list(read_all(source, "wards", {})),
}, sys.stdout)
"""


def test_the_same_seed_gives_the_same_visits_and_another_one_others() -> None:
    assert list(sample_visits(20, seed=1)) == list(sample_visits(20, seed=1))
    assert list(sample_visits(20, seed=1)) != list(sample_visits(20, seed=2))


def test_every_visit_is_to_a_ward_that_there_is() -> None:
    assert {visit["ward"] for visit in sample_visits(200)} <= {ward["id"] for ward in sample_wards()}


def test_fewer_than_none_is_refused() -> None:
    with pytest.raises(UsageError):
        sample_visits(-1)


def test_the_skeleton_of_a_connector_reads_what_is_served(capfd: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["sample", "records", "--visits", "30", "--seed", "1", "--port", "0", "--", sys.executable, "-c", READ])
        == 0
    )
    read = json.loads(capfd.readouterr().out)
    made = {visit["id"]: visit for visit in sample_visits(30, seed=1)}
    deleted = {record["id"] for record in read["deleted"]}
    assert deleted == {"v00010", "v00020", "v00030"}
    assert {record["id"]: {**record} for record in read["visits"]} == {
        name: {**visit, "updated": read["visits"][0]["updated"]} for name, visit in made.items() if name not in deleted
    }
    assert sorted(read["wards"], key=str) == sorted(sample_wards(), key=str)


def test_a_port_can_be_chosen(capfd: pytest.CaptureFixture[str]) -> None:
    show = "import os; print(os.environ['RECORDS_BASE_URL'])"
    assert main(["sample", "records", "--port", "0", "--", sys.executable, "-c", show]) == 0
    url = capfd.readouterr().out.strip()
    port = url.split(":")[2].split("/")[0]
    # The port was free a moment ago.
    assert main(["sample", "records", "--port", port, "--", sys.executable, "-c", show]) == 0
    assert capfd.readouterr().out.strip() == url


def test_a_source_that_was_not_served_is_an_error() -> None:
    source = ClinicSource({"base_url": "http://127.0.0.1:9/api/v1", "max_attempts": "1"})
    with pytest.raises(Exception, match=r"127\.0\.0\.1:9"):
        list(read_all(source, "wards", {}))
