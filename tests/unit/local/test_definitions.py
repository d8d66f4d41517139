"""What a pipeline defines, and what is said of a flow that Spark does not take."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

pytest.importorskip("google.protobuf")

from connector_lib.errors import PipelineRunError
from connector_lib.local.definitions import Definitions, SourceLine
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
