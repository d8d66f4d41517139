from __future__ import annotations

import os
import sys
from types import ModuleType

import pyspark
import pytest

from connector_lib.flows import change_log, events, files, runtime, source_access
from tests.databricks_stand_in import DatabricksPipelines, DatabricksUtilities, SessionWithoutServer


@pytest.fixture
def databricks(monkeypatch: pytest.MonkeyPatch) -> DatabricksPipelines:
    """The test runs as on Databricks; gives the stand-in for ``dp``, which records what is called."""
    dp = DatabricksPipelines()
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "17.3")
    monkeypatch.setattr(pyspark, "pipelines", dp, raising=False)
    return dp


@pytest.fixture
def secrets(databricks: DatabricksPipelines, monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    """The secrets of a Databricks workspace by scope and key; a test adds its own."""
    dbutils = DatabricksUtilities()
    # Where Databricks has it: https://docs.databricks.com/aws/en/dev-tools/sdk-python
    module = ModuleType("databricks.sdk.runtime")
    module.dbutils = dbutils  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return dbutils.secrets.values


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> SessionWithoutServer:
    """The session of a pipeline. Columns and streams are Spark Connect's plans, and nothing is sent."""
    monkeypatch.setitem(os.environ, "SPARK_CONNECT_MODE_ENABLED", "1")
    session = SessionWithoutServer()
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
