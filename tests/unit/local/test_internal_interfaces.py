"""What Spark does not document is used in one folder, which is all that a new version of Spark can break."""

from __future__ import annotations

import re
from pathlib import Path

import connector_lib

PACKAGE = Path(connector_lib.__file__).parent
ENGINE = PACKAGE / "local" / "engine"
INTERNAL = re.compile(
    r"(?:from|import) (?:pyspark\.(?:pipelines\.\w|java_gateway|sql\.connect)|py4j)"
    r"|from pyspark import .*\bSparkContext\b|\._(?:jvm|jsc|jsparkSession|gateway|plan)\b"
    r"|(?:spark|session)\._client\b"  # sources have clients of their own
)


def users_of_internal_interfaces() -> set[Path]:
    return {path for path in PACKAGE.rglob("*.py") if INTERNAL.search(path.read_text(encoding="utf-8"))}


def test_only_the_engine_uses_internal_interfaces_of_spark() -> None:
    assert {path for path in users_of_internal_interfaces() if ENGINE not in path.parents} == set()


def test_every_file_of_the_engine_that_uses_them_says_which() -> None:
    files = users_of_internal_interfaces() - {ENGINE / "__init__.py"}
    assert {path.name for path in files} == {"process.py", "graph.py", "registry.py", "metrics.py"}
    assert all("Internal to Spark:" in path.read_text(encoding="utf-8").split('"""')[1] for path in files)
