"""The examples in docstrings give what they say."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from connector_lib.sources.fhir import client, offsets, options, records, schemas, source


@pytest.mark.parametrize("module", [client, offsets, options, records, schemas, source])
def test_examples_give_what_they_say(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert (result.attempted > 0, result.failed) == (True, 0)
