"""What users, publishers and pipelines are granted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector_lib.deploy.grant_statements import GrantRequest, grants_for
from connector_lib.errors import UsageError

WHEEL = "shared.libraries.python_packages"
USER = GrantRequest(["ann@example.com"], "user", WHEEL)
PUBLISHER = replace(USER, role="publisher")
PIPELINE = replace(USER, role="pipeline", schema="main.fhir")


def statements(request: GrantRequest) -> list[str]:
    return [grant.statement.replace("`", "").removesuffix(" TO ann@example.com") for grant in grants_for(request)]


def test_a_user_reads_the_wheel_the_tables_and_the_connection_and_writes_nothing() -> None:
    assert statements(replace(USER, schema="main.fhir", connections=["fhir"])) == [
        "GRANT USE CATALOG ON CATALOG main",
        "GRANT USE CATALOG ON CATALOG shared",
        "GRANT USE SCHEMA, SELECT ON SCHEMA main.fhir",
        "GRANT USE SCHEMA ON SCHEMA shared.libraries",
        f"GRANT READ VOLUME ON VOLUME {WHEEL}",
        "GRANT USE CONNECTION ON CONNECTION fhir",
    ]


def test_a_publisher_writes_the_wheel_and_reads_it_back() -> None:
    assert statements(PUBLISHER) == [
        "GRANT USE CATALOG ON CATALOG shared",
        "GRANT USE SCHEMA ON SCHEMA shared.libraries",
        f"GRANT READ VOLUME, WRITE VOLUME ON VOLUME {WHEEL}",
    ]


def test_a_publisher_may_be_let_make_schema_volume_and_connections() -> None:
    assert statements(replace(PUBLISHER, may_create=True))[:3] == [
        "GRANT CREATE CONNECTION ON METASTORE",
        "GRANT USE CATALOG, CREATE SCHEMA ON CATALOG shared",
        "GRANT USE SCHEMA, CREATE VOLUME ON SCHEMA shared.libraries",
    ]


def test_a_pipeline_gets_what_its_runs_need() -> None:
    request = replace(PIPELINE, connections=["fhir"], reads=["raw.adt", "raw.lab.orders"], files=["raw.in.landing"])
    assert statements(request) == [
        "GRANT USE CATALOG ON CATALOG main",
        "GRANT USE CATALOG ON CATALOG raw",
        "GRANT USE CATALOG ON CATALOG shared",
        "GRANT USE SCHEMA, CREATE TABLE, CREATE MATERIALIZED VIEW ON SCHEMA main.fhir",
        "GRANT USE SCHEMA, SELECT ON SCHEMA raw.adt",
        "GRANT USE SCHEMA ON SCHEMA raw.in",
        "GRANT USE SCHEMA ON SCHEMA raw.lab",
        "GRANT USE SCHEMA ON SCHEMA shared.libraries",
        "GRANT SELECT ON TABLE raw.lab.orders",
        "GRANT READ VOLUME ON VOLUME raw.in.landing",
        f"GRANT READ VOLUME ON VOLUME {WHEEL}",
        "GRANT USE CONNECTION ON CONNECTION fhir",
    ]


def test_a_pipeline_that_makes_its_schema_may_do_so() -> None:
    assert "GRANT USE CATALOG, CREATE SCHEMA ON CATALOG main" in statements(replace(PIPELINE, may_create=True))


def test_things_in_one_schema_need_one_way_to_it() -> None:
    request = replace(PIPELINE, schema="shared.libraries", files=["shared.libraries.landing"])
    kinds = [grant.kind for grant in grants_for(request)]
    assert kinds == ["CATALOG", "SCHEMA", "VOLUME", "VOLUME"]


def test_each_principal_gets_it_all_once() -> None:
    grants = grants_for(replace(USER, principals=["ann@example.com", "data engineers", "ann@example.com"]))
    assert [grant.principal for grant in grants] == ["ann@example.com"] * 3 + ["data engineers"] * 3


def test_every_name_is_quoted_and_so_is_who_gets_it() -> None:
    request = replace(USER, principals=["x` TO `everybody"], volume="a-b.`c``d`.e")
    assert grants_for(request)[-1].statement == "GRANT READ VOLUME ON VOLUME `a-b`.`c``d`.`e` TO `x`` TO ``everybody`"


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (replace(USER, volume="python_packages"), "--volume: 'python_packages' is not CATALOG.SCHEMA.VOLUME"),
        (replace(USER, schema="fhir"), "--schema fhir: of which catalog"),
        (replace(USER, schema="main.fhir", catalog="other"), "--schema main.fhir is not in --catalog other"),
        (replace(USER, may_create=True), "a user creates nothing"),
        (replace(USER, principals=[" "]), "--principal: the name is empty"),
        (replace(USER, principals=["a\nb"]), "--principal"),
        (replace(USER, reads=["main"]), "--reads: 'main' is not CATALOG.SCHEMA or CATALOG.SCHEMA.TABLE"),
        (replace(USER, connections=["a.b"]), "--connection: 'a.b' is not CONNECTION"),
        (replace(PUBLISHER, schema="main.fhir"), "a publisher writes the wheel"),
        (replace(PIPELINE, schema=None), "which schema does the pipeline write to"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(request_: GrantRequest, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        grants_for(request_)
