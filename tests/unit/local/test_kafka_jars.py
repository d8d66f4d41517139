"""Which pipelines need the jars of Kafka, which versions fit, and what a folder of jars has to hold."""

from __future__ import annotations

import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from connector_lib.errors import MissingRequirementError, UsageError
from connector_lib.local.ivy import put_in_place, versions_up_to
from connector_lib.local.java import JavaRuntime
from connector_lib.local.kafka_jars import are_fetched, fetched_folder, jars_in, kafka_jars, reads_topics

CLASSES = {
    "spark-sql-kafka-0-10_2.13-4.2.0.jar": "org/apache/spark/sql/kafka010/KafkaSourceProvider.class",
    "spark-token-provider-kafka-0-10_2.13-4.0.0.jar": "org/apache/spark/kafka010/KafkaConfigUpdater.class",
    "kafka-clients-3.9.2.jar": "org/apache/kafka/clients/consumer/KafkaConsumer.class",
    "commons-pool2-2.13.1.jar": "org/apache/commons/pool2/impl/GenericKeyedObjectPool.class",
}
PIPELINES = Path(__file__).parents[3] / "pipelines"


@pytest.fixture
def jars(tmp_path: Path) -> Path:
    return all_jars(tmp_path / "jars")


def all_jars(folder: Path) -> Path:
    folder.mkdir()
    for name, class_file in CLASSES.items():
        write_jar(folder / name, class_file)
    return folder


def write_jar(path: Path, *entries: str) -> None:
    with zipfile.ZipFile(path, "w") as jar:
        for entry in entries:
            jar.writestr(entry, b"")


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("from connector_lib.flows.events import read_kafka\n", True),
        ("from connector_lib.flows.events import read_event_hubs as read\n", True),
        ("from connector_lib.flows import events\nevents.read_kafka(a, b)\n", True),
        ("spark.readStream.format('Kafka').load()\n", True),
        ("spark.readStream.load(format='kafka')\n", True),
        ("spark.readStream.format('cloudFiles').load()\n", False),
        ("# read_kafka\nname = 'kafka'\n", False),
        ("", False),
    ],
)
def test_a_pipeline_needs_the_jars_where_its_files_name_a_reader_of_topics(
    tmp_path: Path, text: str, needed: bool
) -> None:
    (tmp_path / "a.py").write_text(text)
    (tmp_path / "b.sql").write_text("SELECT 1 AS read_kafka")
    assert reads_topics([tmp_path / "b.sql", tmp_path / "a.py"]) is needed


@pytest.mark.parametrize(
    ("name", "needed"),
    [("hl7v2_kafka", True), ("hl7v2_event_hubs", True), ("hl7v2_files", False), ("hl7v2_kinesis", False)],
)
def test_of_the_pipelines_here_those_that_read_topics_need_the_jars(name: str, needed: bool) -> None:
    assert reads_topics((PIPELINES / name).rglob("*.py")) is needed


def test_a_folder_that_holds_the_four_gives_all_its_jars(jars: Path) -> None:
    write_jar(jars / "more.jar")
    found = jars_in(jars, for_topics=True)
    assert [jar.name for jar in found] == sorted([*CLASSES, "more.jar"])
    assert all(jar.is_absolute() for jar in found)


@pytest.mark.parametrize("name", CLASSES)
def test_the_one_that_is_missing_is_named(jars: Path, name: str) -> None:
    (jars / name).unlink()
    with pytest.raises(UsageError) as caught:
        jars_in(jars, for_topics=True)
    artifact = name.rpartition("-")[0]
    assert caught.value.message == f"--jars {jars}: {artifact} is missing, which Spark needs to read topics"
    assert "kafka-clients" in caught.value.hint
    assert len(jars_in(jars, for_topics=False)) == 3


def test_two_versions_of_one_jar_are_refused(jars: Path) -> None:
    write_jar(jars / "kafka-clients-3.9.1.jar", CLASSES["kafka-clients-3.9.2.jar"])
    with pytest.raises(UsageError, match=r"kafka-clients is there 2 times: kafka-clients-3.9.1.jar, kafka-clients-3"):
        jars_in(jars, for_topics=True)


def test_a_damaged_jar_is_named(jars: Path) -> None:
    (jars / "half.jar").write_bytes(b"PK\x03\x04")
    with pytest.raises(UsageError, match=r"half\.jar is not a jar"):
        jars_in(jars, for_topics=True)


def test_a_folder_without_jars_or_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder, words in (
        (tmp_path, "holds no jar"),
        (tmp_path / "x", "does not exist"),
        (tmp_path / "file", "a file"),
    ):
        with pytest.raises(UsageError, match=words):
            jars_in(folder, for_topics=True)


@pytest.mark.parametrize(
    ("version", "oldest", "fitting", "others"),
    [
        ((4, 3, 0), (4, 2), ["4.2.0", "4.2.1", "4.3.0"], ["4.1.0", "4.3.1", "4.3.0-preview1", "3.5.0", "4.30.0"]),
        ((4, 2, 1), (4, 0), ["4.0.0", "4.1.2", "4.2.0", "4.2.1"], ["4.2.2", "4.2.10", "5.0.0", "4.1.0-preview1"]),
        ((4, 2, 1), (4, 2), ["4.2.0", "4.2.1"], ["4.1.0", "4.2.2"]),
    ],
)
def test_versions_that_fit_are_final_ones_that_are_not_newer_than_spark(
    version: tuple[int, int, int], oldest: tuple[int, int], fitting: list[str], others: list[str]
) -> None:
    pattern = re.compile(versions_up_to(version, oldest))
    assert [found for found in [*fitting, *others] if pattern.fullmatch(found)] == fitting


def test_fetched_jars_are_there_when_all_are_and_none_is_damaged(jars: Path, tmp_path: Path) -> None:
    assert are_fetched(jars)
    assert not are_fetched(tmp_path / "nothing")
    (jars / "kafka-clients-3.9.2.jar").write_bytes(b"half")
    assert not are_fetched(jars)
    (jars / "kafka-clients-3.9.2.jar").unlink()
    assert not are_fetched(jars)


def test_fetched_jars_are_kept_below_the_users_cache_by_the_version_of_spark(tmp_path: Path) -> None:
    folder = fetched_folder({"XDG_CACHE_HOME": str(tmp_path)})
    assert folder.parent == tmp_path / "connector_lib"
    assert re.fullmatch(r"kafka-for-spark-4\.\d+\.\d+", folder.name)
    assert fetched_folder({"XDG_CACHE_HOME": "relative"}).parent == Path.home() / ".cache" / "connector_lib"


def test_jars_that_another_run_has_put_in_place_meanwhile_stay(jars: Path, tmp_path: Path) -> None:
    before = {jar: jar.stat().st_ino for jar in jars.iterdir()}
    put_in_place(all_jars(tmp_path / "ours"), jars, are_fetched)
    assert {jar: jar.stat().st_ino for jar in jars.iterdir()} == before


def test_jars_of_which_one_is_damaged_are_replaced(jars: Path, tmp_path: Path) -> None:
    (jars / "kafka-clients-3.9.2.jar").write_bytes(b"half")
    (jars / "left-behind.jar").write_bytes(b"half")
    put_in_place(all_jars(tmp_path / "ours"), jars, are_fetched)
    assert are_fetched(jars)
    assert not (jars / "left-behind.jar").exists()


def test_of_runs_that_fetch_at_the_same_time_one_puts_its_jars_in_place(tmp_path: Path) -> None:
    place = tmp_path / "place"
    ours = [all_jars(tmp_path / f"run-{number}") for number in range(8)]

    def run(jars: Path) -> dict[str, int]:
        put_in_place(jars, place, are_fetched)
        return {jar.name: jar.stat().st_ino for jar in place.iterdir()}

    with ThreadPoolExecutor(len(ours)) as pool:
        seen = list(pool.map(run, ours))
    assert sorted(seen[0]) == sorted(CLASSES)
    assert all(found == seen[0] for found in seen)
    assert sum(not jars.exists() for jars in ours) == 1


def test_jars_that_are_there_are_left_alone_until_others_are_fetched(jars: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyspark")
    (jars / "kafka-clients-3.9.2.jar").write_bytes(b"half")
    failing = JavaRuntime(Path("/bin/false"), tmp_path, 17, bundled=False)
    with pytest.raises(MissingRequirementError, match="could not be fetched"):
        kafka_jars(failing, jars)
    assert sorted(jar.name for jar in jars.iterdir()) == sorted(CLASSES)
