"""Sources by name: ours, and those that installed packages bring."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from connector_lib import __version__
from connector_lib.connector.registry import SourceEntry, load_source, source_names
from connector_lib.errors import ConfigurationError, ContractError, MissingRequirementError

WHOLE = """\
class Clinic:
    def __init__(self, options): self.options = options
    def list_tables(self): return ["visits"]
    def get_table_schema(self, table_name, table_options): ...
    def read_table_metadata(self, table_name, table_options): ...
    def read_table(self, table_name, start_offset, table_options): ...
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a package with one source into a folder of its own on ``sys.path``."""

    def installed(distribution: str, source: str, code: str = WHOLE, location: str | None = None) -> None:
        folder = tmp_path / distribution
        module = distribution.replace("-", "_")
        metadata = folder / f"{module}-1.2.dist-info"
        metadata.mkdir(parents=True)
        (folder / f"{module}.py").write_text(code)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        (metadata / "entry_points.txt").write_text(
            f"[connector_lib.sources]\n{source} = {location or module + ':Clinic'}\n"
        )
        monkeypatch.syspath_prepend(folder)
        monkeypatch.delitem(sys.modules, module, raising=False)

    return installed


def test_our_own_sources_are_listed_with_our_version() -> None:
    own = [entry for entry in source_names() if entry.origin == "own"]
    assert (
        SourceEntry("fhir", "own", f"connector-lib {__version__}", "connector_lib.sources.fhir.source:FhirSource")
        in own
    )


def test_a_package_adds_a_source_by_an_entry_point(install: Install) -> None:
    install("clinic-one", "clinic")
    entry = next(entry for entry in source_names() if entry.name == "clinic")
    assert (entry.origin, entry.distribution, entry.location) == ("third party", "clinic-one 1.2", "clinic_one:Clinic")
    assert load_source("clinic")({"a": "1"}).list_tables() == ["visits"]


def test_a_package_that_comes_into_a_folder_of_the_path_later_is_found(install: Install, tmp_path: Path) -> None:
    install("clinic-late", "clinic")
    with pytest.raises(ConfigurationError, match="there is no source 'ward'"):
        load_source("ward")
    metadata = tmp_path / "clinic-late" / "ward-1.2.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: ward\nVersion: 1.2\n")
    (metadata / "entry_points.txt").write_text("[connector_lib.sources]\nward = clinic_late:Clinic\n")
    assert load_source("ward")({}).list_tables() == ["visits"]


def test_packages_are_looked_through_once(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("clinic-once", "clinic")
    load_source("clinic")
    # The first import writes compiled code into the folder, which counts as a change of it.
    load_source("clinic")

    def again(**_: str) -> None:
        raise AssertionError("looked through again")

    monkeypatch.setattr("connector_lib.connector.registry.entry_points", again)
    assert load_source("clinic")({}).list_tables() == ["visits"]


def test_to_list_sources_loads_none_of_them(install: Install) -> None:
    install("clinic-two", "clinic", "raise RuntimeError('loaded')")
    assert "clinic" in [entry.name for entry in source_names()]


def test_an_unknown_source_names_the_nearest(install: Install) -> None:
    install("clinic-three", "clinic")
    with pytest.raises(ConfigurationError, match=r"there is no source 'clinik'\n  did you mean 'clinic'\? sources: "):
        load_source("clinik")


@pytest.mark.parametrize("name", ["clinic", "fhir"])
def test_a_name_that_two_packages_bring_is_an_error(install: Install, name: str) -> None:
    install("clinic-four", name)
    install("clinic-five", name)
    with pytest.raises(ConfigurationError, match=f"the source '{name}' is brought by two packages: .*clinic-f"):
        load_source(name)
    with pytest.raises(ConfigurationError, match="uninstall one"):
        source_names()


def test_a_class_that_lacks_methods_is_no_connector(install: Install) -> None:
    install("clinic-six", "clinic", "class Clinic:\n    def list_tables(self): ...\n    read_table = 5\n")
    with pytest.raises(ContractError, match="has no get_table_schema, read_table_metadata, read_table\n") as caught:
        load_source("clinic")
    assert "clinic_six:Clinic of clinic-six 1.2" in str(caught.value)


def test_a_class_that_inherits_and_leaves_methods_abstract_is_no_connector(install: Install) -> None:
    code = (
        "from connector_lib.connector.interface import LakeflowConnect\n"
        "class Clinic(LakeflowConnect):\n    def list_tables(self): return []\n"
    )
    install("clinic-seven", "clinic", code)
    with pytest.raises(ContractError, match="has no get_table_schema, read_table_metadata, read_table\n"):
        load_source("clinic")


def test_a_class_that_leaves_out_a_bounded_method_is_no_connector(install: Install) -> None:
    code = (
        "from connector_lib.connector.interface import BoundedConnector\n"
        "class Clinic(BoundedConnector):\n"
        "    list_tables = get_table_schema = read_table_metadata = latest_offset = lambda self: ...\n"
    )
    install("clinic-bounded", "clinic", code)
    with pytest.raises(ContractError, match="has no read_table_between\n"):
        load_source("clinic")


def test_what_is_no_class_is_no_connector(install: Install) -> None:
    install("clinic-eight", "clinic", "Clinic = 5\n")
    with pytest.raises(ContractError, match="is no class"):
        load_source("clinic")


@pytest.mark.parametrize(
    ("code", "location"), [("x = 1\n", None), (WHOLE, "clinic_nine:Clinic.Inner"), ("from json import nothing\n", None)]
)
def test_a_class_that_is_not_there_is_an_error_with_its_cause(
    install: Install, code: str, location: str | None
) -> None:
    install("clinic-nine", "clinic", code, location)
    with pytest.raises(ContractError, match=r"the source 'clinic' of clinic-nine 1\.2 cannot be loaded") as caught:
        load_source("clinic")
    assert caught.value.__cause__ is not None


def test_a_package_that_a_source_lacks_is_named(install: Install) -> None:
    install("clinic-ten", "clinic", "import a_package_that_nobody_has\n")
    with pytest.raises(MissingRequirementError, match="needs the module 'a_package_that_nobody_has'"):
        load_source("clinic")


def test_without_pyspark_it_says_how_to_get_it(install: Install) -> None:
    install("clinic-eleven", "clinic", "raise ModuleNotFoundError('No', name='pyspark.sql')\n")
    with pytest.raises(MissingRequirementError, match=r"pip install 'connector_lib\[local\]'"):
        load_source("clinic")
