"""Which tests stay together where several processes run them."""

from __future__ import annotations

from pathlib import Path

import pytest

_TESTS = Path(__file__).parent
_FOLDERS = ("servers", "spark/pipelines")
"""Folders whose files share what takes long to make: a broker, the tables of a run."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of one file stay together, with what they share; and so do all that need the one Spark session."""
    for item in items:
        fixtures: list[str] = getattr(item, "fixturenames", [])
        file = item.path.relative_to(_TESTS).with_suffix("").as_posix()
        folder = next((folder for folder in _FOLDERS if file.startswith(f"{folder}/")), file)
        item.add_marker(pytest.mark.xdist_group("spark" if "spark" in fixtures else folder))
