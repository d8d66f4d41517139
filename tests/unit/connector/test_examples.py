"""The examples in the docstrings of the room are true."""

from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "module",
    ["connections", "cursor", "interface", "options", "reading", "registry", "spec", "timestamps", "written_values"],
)
def test_the_examples_give_what_they_say(module: str) -> None:
    result = doctest.testmod(importlib.import_module(f"connector_lib.connector.{module}"))
    assert result.failed == 0
