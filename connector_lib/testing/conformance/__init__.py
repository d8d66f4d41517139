"""The checks that every connector has to pass, to subclass with pytest.

::

    class TestClinic(ConnectorConformance):
        secrets = ("hush hush",)

        @pytest.fixture(autouse=True)
        def sample(self):
            with ClinicApi() as api:
                self.server = api.server
                self.api = api
                yield

        def connector(self):
            return ClinicSource({"base_url": self.api.url, "token": "hush hush"})

        def expected(self, table):
            return self.api.rows(table)

What a subclass can say, and what it has to, is in :class:`~connector_lib.testing.conformance.subject.Subject`. The
checks read a sample, so it should be small and hard: a few pages of each table, records that share a cursor value over
the border of a page, deletes, and with ``change()`` a source that moves on.

Two checks run Spark. They are skipped unless the environment has ``CONNECTOR_LIB_TEST_SPARK=1``, or ``session()`` gives
a session.
"""

from __future__ import annotations

from connector_lib.testing.conformance.conversion_checks import ConversionChecks
from connector_lib.testing.conformance.deletes_checks import DeletesChecks
from connector_lib.testing.conformance.interface_checks import InterfaceChecks
from connector_lib.testing.conformance.reading_checks import ReadingChecks
from connector_lib.testing.conformance.source_text_checks import SourceTextChecks
from connector_lib.testing.conformance.spark_checks import SparkChecks
from connector_lib.testing.conformance.wire_checks import WireChecks

__all__ = ["ConnectorConformance"]


class ConnectorConformance(
    InterfaceChecks, SourceTextChecks, ReadingChecks, DeletesChecks, ConversionChecks, WireChecks, SparkChecks
):
    """All checks of a connector. A subclass gives at least ``connector()`` and ``expected()``."""
