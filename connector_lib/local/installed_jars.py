"""Where the jars of the installed Spark are."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

__all__ = ["installed_jars"]


def installed_jars() -> Path:
    """The folder with the jars of the installed pyspark."""
    spec = find_spec("pyspark")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "jars"
