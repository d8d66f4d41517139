"""What the library warns of while the files of a pipeline run is kept for the report."""

from __future__ import annotations

import logging

import pytest

from connector_lib.local.noted_warnings import recording_warnings

LOG = logging.getLogger("connector_lib.flows.runtime")


def test_a_warning_is_noted_once_and_printed_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    with recording_warnings() as notes:
        LOG.warning("the setting '%s' has no effect", "x")
        LOG.warning("the setting '%s' has no effect", "x")
        LOG.info("a detail")
    assert notes == ["the setting 'x' has no effect"]
    assert capsys.readouterr().err == ""


def test_after_the_block_nothing_is_noted() -> None:
    with recording_warnings() as notes:
        pass
    LOG.warning("too late")
    assert notes == []
