from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pyspark
import pytest

from connector_lib.flows import change_log, events, files, runtime, source_access

if TYPE_CHECKING:
    from tests.databricks_stand_in import DatabricksPipelines, SessionWithoutServer


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
def secrets(databricks: DatabricksPipelines, monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    """The secrets of a Databricks workspace by scope and key; a test adds its own."""
    dbutils = sys.modules["databricks_stand_in"].DatabricksUtilities()
    # Where Databricks has it: https://docs.databricks.com/aws/en/dev-tools/sdk-python
    module = ModuleType("databricks.sdk.runtime")
    module.dbutils = dbutils  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    values: dict[tuple[str, str], str] = dbutils.secrets.values
    return values


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> SessionWithoutServer:
    """The session of a pipeline. Columns and streams are Spark Connect's plans, and nothing is sent."""
    monkeypatch.setitem(os.environ, "SPARK_CONNECT_MODE_ENABLED", "1")
    session: SessionWithoutServer = _stand_in().SessionWithoutServer()
    for module in (change_log, events, files, runtime, source_access):
        monkeypatch.setattr(module, "active_session", lambda: session)
    return session


@pytest.fixture
def settings(session: SessionWithoutServer) -> dict[str, str]:
    """The pipeline's configuration; a test adds to it. The session is :func:`session`."""
    return session.conf.values


@pytest.fixture
def without_server(session: SessionWithoutServer) -> None:
    """Columns and streams are Spark Connect's plans, and nothing is sent."""
