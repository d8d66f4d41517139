"""Which specs a pipeline folder reads, and how their tables are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector_lib.errors import SpecError
from connector_lib.project.ingest_specs import ingest_specs, scd_types
from connector_lib.project.pipeline import PipelineFolder, load_pipeline_folder

SPEC = "connection_name: {}\nobjects:\n  - table: {{source_table: {}}}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "transformations" / "lab").mkdir(parents=True)
    (tmp_path / "spark-pipeline.yml").write_text(
        "name: p\nstorage: file:///tmp/p\nlibraries: [{glob: {include: transformations/**}}]\n"
    )
    (tmp_path / "transformations" / "a.py").write_text('ingest("ingest.yml")\n')
    (tmp_path / "transformations" / "lab" / "b.py").write_text("ingest('lab.yml')\n")
    return tmp_path


def folder(root: Path) -> PipelineFolder:
    return load_pipeline_folder(root)


def test_every_spec_that_a_file_names_is_found_where_the_pipeline_looks_for_it(root: Path) -> None:
    (root / "ingest.yml").write_text(SPEC.format("ehr", "Patient"))
    (root / "lab.yml").write_text(SPEC.format("lab", "Sample"))
    assert [spec.connection for spec in ingest_specs(folder(root))] == ["ehr", "lab"]


def test_a_spec_that_is_not_there_is_none(root: Path) -> None:
    assert ingest_specs(folder(root)) == []


def test_a_spec_that_is_wrong_is_named(root: Path) -> None:
    (root / "ingest.yml").write_text("connection: ehr\n")
    with pytest.raises(SpecError, match=r"ingest\.yml"):
        ingest_specs(folder(root))


def test_tables_are_kept_as_written_and_else_by_their_newest_row(root: Path) -> None:
    (root / "ingest.yml").write_text(
        SPEC.format("ehr", "Patient")
        + "  - table: {source_table: Visit, destination_schema: crm, table_configuration: {scd_type: scd_type_2}}\n"
    )
    assert scd_types(ingest_specs(folder(root))) == {"Patient": "SCD_TYPE_1", "crm.Visit": "SCD_TYPE_2"}
