"""What a pipeline defines, and what is said of a flow that Spark does not take."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

pytest.importorskip("google.protobuf")

from connector_lib.errors import PipelineRunError
from connector_lib.local.definitions import Definitions, FlowDefinition, SourceLine, formats_read
from connector_lib.redaction import masked


def test_a_flow_that_spark_refuses_is_named_by_its_line_and_its_secrets_are_in_no_cause() -> None:
    secret = "hush hush"
    definitions = Definitions(refused=[(SourceLine(Path("received.py"), 3), ValueError(f"no login by {secret}"))])
    with pytest.raises(PipelineRunError) as caught:
        definitions.check_refused(lambda said: masked(said, {secret}))
    assert caught.value.message == "received.py:3: no login by *****"
    assert secret not in "".join(traceback.format_exception(caught.value))


def test_without_a_refused_flow_nothing_is_raised() -> None:
    Definitions().check_refused(str)


def test_the_formats_that_queries_read_are_found_wherever_they_stand() -> None:
    relations = pytest.importorskip("pyspark.sql.connect.proto.relations_pb2")

    def reading(name: str) -> object:
        return relations.Relation(read=relations.Read(data_source=relations.Read.DataSource(format=name)))

    union = relations.Relation(
        set_op=relations.SetOperation(left_input=reading("lakeflow_connect"), right_input=reading("text"))
    )
    table = relations.Relation(read=relations.Read(named_table=relations.Read.NamedTable(unparsed_identifier="t")))
    flows = [FlowDefinition("f", "t", SourceLine(Path("a.py"), 1), each) for each in (union, table, None)]
    assert formats_read(Definitions(flows=flows)) == {"lakeflow_connect", "text"}
