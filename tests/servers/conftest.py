"""Real servers on loopback. A Kafka broker, started with the first test that asks for it, serves all tests of a run.

Where Maven or Java is missing, the tests that need the broker are left out, in one line at the end of the run. With
``CONNECTOR_LIB_REQUIRE_SERVERS=1`` in the environment they fail there instead.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from connector_lib.errors import MissingRequirementError

if TYPE_CHECKING:
    from tools.kafka.broker import KafkaBroker
    from tools.kafka.jars import KafkaJars

REQUIRED = "CONNECTOR_LIB_REQUIRE_SERVERS"
_BROKER = pytest.StashKey["KafkaBroker"]()


def _load(name: str) -> ModuleType:
    # The source tree is not on the path of tests: what they share with the benchmarks is loaded from where it is.
    path = Path(__file__).parents[2] / "tools" / "kafka" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"tools_kafka_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def pytest_itemcollected(item: pytest.Item) -> None:
    """Every test of this folder that asks for the broker or its jars carries the marker of servers."""
    if "kafka_jars" in getattr(item, "fixturenames", ()):
        item.add_marker("servers")


@pytest.fixture(scope="session")
def kafka_jars() -> KafkaJars:
    """The jars of the broker and of Spark's connector; the first time Maven brings them (about 20 s)."""
    jars = _load("jars")
    missing = ""
    try:
        jars.machine_java()
    except MissingRequirementError as error:
        missing = error.message
    if missing and os.environ.get(REQUIRED) == "1":
        pytest.fail(f"{missing}; {REQUIRED}=1 says that these tests have to run", pytrace=False)
    if missing:
        pytest.skip(missing)
    found: KafkaJars = jars.kafka_jars()
    return found


@pytest.fixture(scope="session")
def kafka(
    kafka_jars: KafkaJars, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[KafkaBroker]:
    """A running Kafka broker with a listener for everybody and one with a login; see ``tools/kafka/broker.py``."""
    java = _load("jars").machine_java().executable
    folder = tmp_path_factory.mktemp("kafka")
    with _load("broker").running_broker(kafka_jars.broker, kafka_jars.spark, java, folder) as broker:
        pytestconfig.stash[_BROKER] = broker
        yield broker


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails shows the end of the broker's log, and where the rest is. Tests that are left out are so for
    one reason, which is said once: pytest puts reports of the same place and reason together.
    """
    report = yield
    if report.skipped and report.when == "setup" and isinstance(report.longrepr, tuple):
        report.longrepr = (__file__, 1, report.longrepr[2])
    broker = item.config.stash.get(_BROKER, None)
    if report.failed and broker is not None and "kafka" in getattr(item, "fixturenames", ()):
        tail = sys.modules["tools_kafka_broker"].log_tail(broker.log)
        report.sections.append((f"end of the Kafka broker's log {broker.log}", tail))
    return report
