from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pyspark
import pytest

from connector_lib.flows import files

if TYPE_CHECKING:
    from tests.databricks_stand_in import DatabricksPipelines


def _stand_in() -> ModuleType:
    # The tests are not a package, so what they share is loaded by its path.
    path = Path(__file__).parents[2] / "databricks_stand_in.py"
    spec = importlib.util.spec_from_file_location("databricks_stand_in", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def databricks(monkeypatch: pytest.MonkeyPatch) -> DatabricksPipelines:
    """The test runs as on Databricks; gives the stand-in for ``dp``, which records what is called."""
    stand_in = _stand_in()
    dp: DatabricksPipelines = stand_in.DatabricksPipelines()
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "17.3")
    monkeypatch.setattr(pyspark, "pipelines", dp, raising=False)
    return dp


@pytest.fixture
def without_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns and streams are Spark Connect's plans, and nothing is sent."""
    monkeypatch.setitem(os.environ, "SPARK_CONNECT_MODE_ENABLED", "1")
    monkeypatch.setattr(files, "active_session", _stand_in().SessionWithoutServer)
