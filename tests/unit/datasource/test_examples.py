"""The examples in the docstrings of the converters are true."""

from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize("module", ["converters", "converters_times", "converters_values"])
def test_the_examples_give_what_they_say(module: str) -> None:
    result = doctest.testmod(importlib.import_module(f"connector_lib.datasource.{module}"))
    assert result.attempted > 0
    assert result.failed == 0
