"""A merged connector on Spark: workers that have neither the file nor connector_lib read by it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from pyspark.sql import SparkSession

from connector_lib.deploy.single_file.merging import merge_source
from connector_lib.deploy.single_file.writing import write_single_file
from connector_lib.local.java import find_java, java_home_for_spark
from connector_lib.samples.fhir import sample_resources
from connector_lib.testing.fhir_server import FhirServer

pytestmark = [pytest.mark.spark, pytest.mark.long]

RESOURCES = list(sample_resources(3))
WITHOUT_THE_WHEEL = """\
import sys


class NoWheel:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "connector_lib":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, NoWheel())
"""
READ_ALL = """\
import json
import sys

folder, url, out = sys.argv[1:]
sys.path.insert(0, folder)

from pyspark.sql import SparkSession

from _generated_fhir_python_source import register_lakeflow_source

spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
spark.sparkContext.setLogLevel("OFF")
register_lakeflow_source(spark)
source = spark.read.format("lakeflow_connect").option("base_url", url)
try:
    import connector_lib
except ModuleNotFoundError:
    there = False
else:
    there = True
tables = {}
for name in TABLES:
    frame = source.option("tableName", name).load()
    tables[name] = sorted(row.id for row in frame.collect())
listed = source.option("tableName", "_community_table_metadata").option("tableNameList", json.dumps(TABLES)).load()
metadata = {row.tableName: row.ingestion_type for row in listed.collect()}
stream = spark.readStream.format("lakeflow_connect").option("base_url", url).option("tableName", TABLES[0]).load()
query = stream.writeStream.format("parquet").option("checkpointLocation", f"{out}/checkpoint")
query.trigger(availableNow=True).start(f"{out}/rows").awaitTermination()
streamed = sorted(row.id for row in spark.read.parquet(f"{out}/rows").collect())
print(json.dumps({"wheel": there, "tables": tables, "metadata": metadata, "streamed": streamed}))
"""


@pytest.fixture
def fhir() -> Iterator[FhirServer]:
    with FhirServer(RESOURCES) as server:
        yield server


@pytest.fixture(scope="module")
def merged_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_single_file(merge_source("fhir"), tmp_path_factory.mktemp("pipeline"))


def ids_by_type() -> dict[str, list[str]]:
    found = defaultdict(list)
    for resource in RESOURCES:
        found[resource["resourceType"]].append(resource["id"])
    return {name: sorted(ids) for name, ids in found.items()}


@pytest.mark.slow
def test_without_the_wheel_every_table_is_read_and_a_stream_is_followed(
    merged_file: Path, fhir: FhirServer, tmp_path: Path
) -> None:
    every_process = tmp_path / "every_process"
    every_process.mkdir()
    # Python runs a sitecustomize at its start: in the driver, in the process that plans, and in each worker.
    (every_process / "sitecustomize.py").write_text(WITHOUT_THE_WHEEL)
    expected = ids_by_type()
    ran = subprocess.run(
        [sys.executable, "-c", f"TABLES = {sorted(expected)!r}\n{READ_ALL}", merged_file.parent, fhir.url, tmp_path],
        cwd=tmp_path,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("SPARK_")},
            "JAVA_HOME": str(java_home_for_spark(find_java(), tmp_path / "java")),
            "PYSPARK_PYTHON": sys.executable,
            "PYTHONPATH": str(every_process),
            "SPARK_LOCAL_IP": "127.0.0.1",
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    read = json.loads(ran.stdout.splitlines()[-1])
    assert read == {
        "wheel": False,
        "tables": expected,
        "metadata": dict.fromkeys(expected, "cdc"),
        "streamed": expected[min(expected)],
    }


def test_a_session_of_a_pipeline_reads_by_it(spark: SparkSession, merged_file: Path, fhir: FhirServer) -> None:
    merged = imported(merged_file)
    merged.register_lakeflow_source(spark, "clinic_fhir")
    source = spark.read.format("clinic_fhir").option("base_url", fhir.url)
    rows = source.option("tableName", "Patient").load().select("id").collect()
    assert sorted(row.id for row in rows) == ids_by_type()["Patient"]


def imported(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module
