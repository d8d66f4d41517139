"""The example connector passes the checks that every connector has to pass."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.testing.records_sample import RecordsSample, sample_api


class TestRecordsSource(RecordsSample):
    @pytest.fixture(autouse=True)
    def sample(self) -> Iterator[None]:
        with sample_api() as self.api:
            self.server = self.api.server
            yield
