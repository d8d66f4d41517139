"""The examples in the docstrings run."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = ("api_server", "bodies", "exchange", "faults", "instants", "logins", "pages", "records_api", "records_source")


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_module_are_right(module: str) -> None:
    result = doctest.testmod(importlib.import_module(f"connector_lib.testing.{module}"))
    assert result.attempted
    assert not result.failed
