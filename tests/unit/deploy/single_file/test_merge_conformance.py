"""A merged connector passes the checks that every connector has to pass.

The checks are those of connector_lib and run as for any connector. The connector, its client and its errors are the
classes of the merged file, which was imported where there is no connector_lib: the checks ask for behaviour and for
Python's own ValueError, so that nothing needs to be translated between the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from connector_lib.cli.skeleton.tests import test_conformance as clinic_checks
from connector_lib.connector.interface import LakeflowConnect
from connector_lib.deploy.single_file.merging import merge_source
from tests.unit.deploy.single_file.merged_modules import imported, installed_clinic
from tests.unit.sources.fhir import test_conformance as fhir_checks

# Some three hundred checks, each with a server of its own.
pytestmark = pytest.mark.slow


def no_wait(seconds: float) -> None:
    """In place of time.sleep."""


def is_of_the_file(connector: object, merged: ModuleType) -> bool:
    """Whether the class of a connector, and all that it inherits from, is of the merged file or of Python."""
    modules = {kind.__module__ for kind in type(connector).__mro__}
    return modules <= {merged.__name__, "builtins", "abc", "typing"}


@pytest.fixture(scope="module")
def merged_fhir(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return imported(merge_source("fhir"), tmp_path_factory.mktemp("merged"))


@pytest.fixture(scope="module")
def merged_clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    folder = tmp_path_factory.mktemp("merged")
    installed_clinic(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield imported(merge_source("clinic"), folder)


class TestMergedFhir(fhir_checks.TestFhirSource):
    merged: Any

    @pytest.fixture(autouse=True)
    def merge(self, merged_fhir: ModuleType) -> None:
        self.merged = merged_fhir

    def connector(self) -> Any:
        client = self.merged.HttpClient(
            self.fhir.url,
            auth=self.merged.BearerAuth(fhir_checks.SECRET),
            retry=self.merged.RetryPolicy(timeout=0.2),
            headers={"Accept": self.merged.FHIR_JSON},
            decimals=True,
            max_body_bytes=fhir_checks.MEBIBYTE,
            explain=self.merged.explain_outcome,
            sleep=no_wait,
        )
        options = {"base_url": self.fhir.url, "lag_seconds": "0", "auth_type": "bearer", "token": fhir_checks.SECRET}
        return self.merged.FhirSource({**options, "max_attempts": "1"}, client=client, sleep=no_wait)

    def test_it_is_the_class_of_the_file(self) -> None:
        assert is_of_the_file(self.connector(), self.merged)
        assert not isinstance(self.connector(), LakeflowConnect)


class TestMergedClinic(clinic_checks.TestClinic):
    merged: Any

    @pytest.fixture(autouse=True)
    def merge(self, merged_clinic: ModuleType) -> None:
        self.merged = merged_clinic

    def connector(self) -> Any:
        client = self.merged.HttpClient(
            self.api.url,
            auth=self.merged.BearerAuth(clinic_checks.TOKEN),
            retry=self.merged.RetryPolicy(timeout=0.3),
            max_body_bytes=1_000_000,
            sleep=no_wait,
        )
        options = {"base_url": self.api.url, "token": clinic_checks.TOKEN, "max_pages": "50"}
        return self.merged.ClinicSource(options, client=client)

    def test_it_is_the_class_of_the_file(self) -> None:
        assert is_of_the_file(self.connector(), self.merged)
        assert not isinstance(self.connector(), LakeflowConnect)
