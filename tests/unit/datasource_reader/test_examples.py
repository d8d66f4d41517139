"""The examples in docstrings give what they say."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from connector_lib import datasource
from connector_lib.datasource import connect, snapshot_keys, source


@pytest.mark.parametrize("module", [datasource, connect, snapshot_keys, source])
def test_examples_give_what_they_say(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
