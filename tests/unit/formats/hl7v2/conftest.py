"""How long property tests look for counterexamples, and where the files are that the tests read.

``HYPOTHESIS_PROFILE=ci`` looks much longer than the default.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("quick", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


@pytest.fixture(scope="session")
def files() -> Path:
    """The folder of files that were written for these tests."""
    return Path(__file__).parents[3] / "data" / "hl7v2"
