"""A pipeline folder as an asset bundle: what is in it, and that it means what a deployment of ours does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from posixpath import normpath
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector_lib import __version__
from connector_lib.deploy.bundle import BundleOptions, PipelineBundle, build_bundle
from connector_lib.deploy.bundle_fields import check_bundle, check_resources
from connector_lib.deploy.bundle_folder import write_bundle
from connector_lib.deploy.pipeline_settings import pipeline_settings
from connector_lib.errors import ConfigurationError, UsageError
from connector_lib.project.deployment import deployment_targets, load_deployment
from connector_lib.project.pipeline import PipelineFolder, load_pipeline_folder

PIPELINES = Path(__file__).parents[3] / "pipelines"
USER = "ann.lee@example.com"
FILES = f"/Workspace/Users/{USER}/.bundle/clinic/files"
WHEELS = "/Volumes/shared/libraries/python_packages/connector_lib"
SPEC = """\
name: clinic
storage: file:///tmp/clinic
database: clinic
libraries:
  - glob: {include: transformations/**}
  - glob: {include: extra/one.sql}
configuration:
  source.storage_path: /data
  source.blank: ""
"""
DEPLOY = """\
catalog: main
extras: [fhir]
configuration: {spark.sql.ansi.enabled: "true"}
notifications:
  - {email_recipients: [ops@example.com, b@example.com], alerts: [on-update-failure]}
targets:
  dev:
    dependencies: ["tabulate==0.9"]
  prod:
    catalog: prod
    schema: gold
    channel: PREVIEW
    wheel: "0.0.9"
    volume: prod.libraries.wheels
    photon: true
    serverless: false
    configuration: {source.storage_path: /Volumes/prod/landing/hl7}
    notifications:
      - {email_recipients: [oncall@example.com], alerts: [on-update-fatal-failure, on-flow-failure]}
      - {email_recipients: [boss@example.com], alerts: [on-update-success]}
    tags: {team: "yes", cost: "1.10"}
    run_as: {service_principal_name: 3b1c-sp}
    permissions:
      - {group_name: analysts, level: CAN_VIEW}
      - {user_name: bob@example.com, level: CAN_MANAGE}
    settings: {clusters: [{label: default, num_workers: 2}]}
  test: {schema: clinic_test}
"""


def make_folder(root: Path, spec: str = SPEC, deploy: str = DEPLOY) -> Path:
    folder = root / "pipelines" / "clinic"
    (folder / "transformations").mkdir(parents=True)
    (folder / "extra").mkdir()
    (folder / "spark-pipeline.yml").write_text(spec)
    (folder / "deploy.yml").write_text(deploy)
    (folder / "transformations" / "a.py").write_text(
        "from pyspark import pipelines as dp\n@dp.table\ndef a(): ...\n", encoding="utf-8"
    )
    (folder / "extra" / "one.sql").write_text("CREATE MATERIALIZED VIEW one AS SELECT 1")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> PipelineFolder:
    return load_pipeline_folder(make_folder(tmp_path))


@pytest.fixture
def fhir() -> PipelineFolder:
    return load_pipeline_folder(PIPELINES / "fhir_api")


def document(bundle: PipelineBundle, path: str) -> Any:
    return yaml.safe_load(bundle.files[path])


def of_target(bundle: PipelineBundle, target: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Pipeline and job of ``target`` as the Databricks CLI makes them: variables put in, the fields of the target over
    the common ones, paths from a file made paths of the workspace, and what its mode says."""
    whole = document(bundle, "databricks.yml")
    said = whole["targets"][target]
    fixed = {
        "bundle.name": whole["bundle"]["name"],
        "bundle.target": target,
        "workspace.current_user.short_name": "ann_lee",
        "workspace.file_path": FILES,
    }
    for name, variable in whole["variables"].items():
        value = said.get("variables", {}).get(name, variable.get("default"))
        is_complex = variable.get("type") == "complex"
        # A target gives mappings and lists in the long form, with a key 'default'.
        fixed[f"var.{name}"] = value["default"] if is_complex else value
        assert fixed[f"var.{name}"] is not None, name
        assert is_complex == isinstance(fixed[f"var.{name}"], (dict, list))
    resources = {
        kind: next(iter(document(bundle, path)["resources"][kind].items()))
        for kind, path in (
            ("pipelines", next(path for path in bundle.files if path.endswith(".pipeline.yml"))),
            ("jobs", next(path for path in bundle.files if path.endswith(".job.yml"))),
        )
    }
    (pipeline_key, pipeline), (job_key, job) = resources["pipelines"], resources["jobs"]
    assert pipeline_key != job_key
    fixed[f"resources.pipelines.{pipeline_key}.id"] = "the-id"
    pipeline = {**pipeline, **said.get("resources", {}).get("pipelines", {}).get(pipeline_key, {})}
    pipeline, job = resolved(pipeline, fixed), resolved(job, fixed)
    pipeline = {key: value for key, value in pipeline.items() if value not in ({}, [])}
    pipeline["root_path"] = workspace_path(pipeline["root_path"])
    for library in pipeline["libraries"]:
        library["glob"]["include"] = workspace_path(library["glob"]["include"])
    if "run_as" in said:
        pipeline["run_as"] = said["run_as"]
    return pipeline, job


def resolved(value: Any, fixed: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: resolved(entry, fixed) for key, entry in value.items()}
    if isinstance(value, list):
        return [resolved(entry, fixed) for entry in value]
    if not isinstance(value, str):
        return value
    alone = re.fullmatch(r"\$\{([\w.]+)\}", value)
    if alone:
        return resolved(fixed[alone[1]], fixed)
    put_in = re.sub(r"\$\{([\w.]+)\}", lambda found: str(fixed[found[1]]), value)
    return put_in if put_in == value else resolved(put_in, fixed)


def workspace_path(path: str) -> str:
    assert path.startswith("../")
    return normpath(f"{FILES}/resources/{path}")


def expected(folder: PipelineFolder, target: str, wheel: str) -> dict[str, Any]:
    """The settings that ``connector-lib deploy`` would give the pipeline."""
    named = target if target in deployment_targets(folder) else None
    deployment = load_deployment(folder, named, developer=USER if target == "dev" else None)
    return pipeline_settings(folder, deployment, wheel, workspace_folder=f"{FILES}/src/{folder.name}")


def without_name_and_mode(found: Mapping[str, Any]) -> dict[str, Any]:
    # In development the Databricks CLI gives the name its prefix, as we give it a suffix; the target has the mode.
    return {key: value for key, value in found.items() if key not in ("name", "development")}


@pytest.mark.parametrize(
    ("target", "wheel"),
    [
        ("dev", f"{WHEELS}/connector_lib-{__version__}-py3-none-any.whl"),
        ("prod", "/Volumes/prod/libraries/wheels/connector_lib/connector_lib-0.0.9-py3-none-any.whl"),
        ("test", f"{WHEELS}/connector_lib-{__version__}-py3-none-any.whl"),
    ],
)
def test_the_bundle_gives_each_target_the_settings_of_a_deployment(
    folder: PipelineFolder, target: str, wheel: str
) -> None:
    bundle = build_bundle(folder)
    pipeline, _ = of_target(bundle, target)
    assert without_name_and_mode(pipeline) == without_name_and_mode(expected(folder, target, wheel))
    assert pipeline["name"] == "clinic"
    assert bundle.targets[target]["wheel"] == wheel


@pytest.mark.parametrize("name", sorted(path.name for path in PIPELINES.iterdir()))
@pytest.mark.parametrize("target", ["dev", "prod"])
def test_so_do_the_bundles_of_this_repositorys_pipelines(name: str, target: str) -> None:
    folder = load_pipeline_folder(PIPELINES / name)
    given = {"catalog": "main", "schema": "clinic"}
    pipeline, job = of_target(build_bundle(folder, BundleOptions("0.2.0", overrides=given)), target)
    wheel = f"{WHEELS}/connector_lib-0.2.0-py3-none-any.whl"
    deployment = load_deployment(folder, target if target in deployment_targets(folder) else None, given)
    wanted = pipeline_settings(folder, deployment, wheel, workspace_folder=f"{FILES}/src/{name}")
    if target == "dev":
        wanted["schema"] = "clinic_dev_ann_lee"
    assert without_name_and_mode(pipeline) == without_name_and_mode(wanted)
    check_resources(pipeline, job)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: st.fixed_dictionaries(
                {},
                optional={
                    "schema": st.sampled_from(["a", "yes", "1.10"]),
                    "channel": st.sampled_from(["CURRENT", "PREVIEW"]),
                    "continuous": st.booleans(),
                    "extras": st.lists(st.sampled_from(["fhir", "kafka"]), unique=True),
                    "configuration": st.dictionaries(
                        st.sampled_from(["spark.a", "source.storage_path"]), st.text("ab: #'\"{}ä\n-", max_size=8)
                    ),
                    "tags": st.dictionaries(st.sampled_from(["no", "b"]), st.sampled_from(["0x1", "null", "~", "x"])),
                    "run_as": st.just({"user_name": "no@example.com"}),
                },
            )
            for name in ("dev", "prod", "other")
        },
    )
)
def test_whatever_targets_say_comes_out_as_a_deployment_gives_it(
    tmp_path_factory: pytest.TempPathFactory, targets: dict[str, Any]
) -> None:
    text = json.dumps({"catalog": "main", "targets": targets})
    folder = load_pipeline_folder(make_folder(tmp_path_factory.mktemp("any"), deploy=text))
    bundle = build_bundle(folder)
    for target in {"dev", "prod", *targets}:
        pipeline, job = of_target(bundle, target)
        wheel = f"{WHEELS}/connector_lib-{__version__}-py3-none-any.whl"
        assert without_name_and_mode(pipeline) == without_name_and_mode(expected(folder, target, wheel))
        check_resources(pipeline, job)


def test_a_copy_for_development_has_a_schema_of_its_own_unless_the_target_names_one(tmp_path: Path) -> None:
    own = make_folder(tmp_path / "a", deploy="catalog: main\ntargets: {dev: {schema: sandbox}}\n")
    assert build_bundle(load_pipeline_folder(own)).targets["dev"]["schema"] == "sandbox"
    common = make_folder(tmp_path / "b", deploy="catalog: main\n")
    schema = build_bundle(load_pipeline_folder(common)).targets["dev"]["schema"]
    assert schema == "clinic_dev_${workspace.current_user.short_name}"


def test_targets_have_modes_that_the_databricks_cli_accepts(folder: PipelineFolder) -> None:
    bundle = build_bundle(folder)
    targets = document(bundle, "databricks.yml")["targets"]
    assert {name: target["mode"] for name, target in targets.items()} == {
        "dev": "development",
        "prod": "production",
        "test": "production",
    }
    assert [name for name, target in targets.items() if target.get("default")] == ["dev"]
    # "target with 'mode: production' cannot include a pipeline with 'development: true'"
    assert "development" not in of_target(bundle, "prod")[0]


def test_production_has_the_folder_of_the_principal_that_runs_it(folder: PipelineFolder) -> None:
    of_principal = document(build_bundle(folder), "databricks.yml")["targets"]["prod"]
    assert of_principal["workspace"]["root_path"] == (
        "/Workspace/Users/3b1c-sp/.bundle/${bundle.name}/${bundle.target}"
    )


def test_production_is_not_below_the_folder_that_all_may_write_to_but_where_deploy_yml_says_so(
    fhir: PipelineFolder, tmp_path: Path
) -> None:
    bundle = build_bundle(fhir, BundleOptions(overrides={"catalog": "main"}))
    of_deployer = document(bundle, "databricks.yml")["targets"]["prod"]
    assert of_deployer["workspace"]["root_path"] == (
        "/Workspace/Users/${workspace.current_user.userName}/.bundle/${bundle.name}/${bundle.target}"
    )
    assert "# The home of who deploys" in bundle.files["databricks.yml"].decode()
    deploy = "catalog: main\nworkspace_folder: /Workspace/Shared/clinic\n"
    shared = build_bundle(load_pipeline_folder(make_folder(tmp_path / "shared", deploy=deploy)))
    assert "# Everybody in the workspace may write to /Workspace/Shared" in shared.files["databricks.yml"].decode()


def test_permissions_and_run_as_are_those_of_the_target(folder: PipelineFolder) -> None:
    targets = document(build_bundle(folder), "databricks.yml")["targets"]
    assert targets["prod"]["permissions"] == [
        {"group_name": "analysts", "level": "CAN_VIEW"},
        {"user_name": "bob@example.com", "level": "CAN_MANAGE"},
    ]
    assert targets["prod"]["run_as"] == {"service_principal_name": "3b1c-sp"}
    assert targets["dev"].keys().isdisjoint({"permissions", "run_as"})


def test_the_job_runs_the_pipeline_paused_in_development(folder: PipelineFolder) -> None:
    bundle = build_bundle(folder, BundleOptions(schedule="0 30 5 * * ?", timezone="Europe/Vienna"))
    jobs = {target: of_target(bundle, target)[1] for target in ("dev", "prod")}
    assert jobs["prod"] == {
        "name": "clinic",
        "schedule": {
            "quartz_cron_expression": "0 30 5 * * ?",
            "timezone_id": "Europe/Vienna",
            "pause_status": "UNPAUSED",
        },
        "email_notifications": {"on_failure": ["oncall@example.com"]},
        "max_concurrent_runs": 1,
        "queue": {"enabled": True},
        "tasks": [{"task_key": "run_pipeline", "pipeline_task": {"pipeline_id": "the-id"}}],
    }
    assert jobs["dev"]["schedule"]["pause_status"] == "PAUSED"
    assert jobs["dev"]["email_notifications"] == {"on_failure": ["ops@example.com", "b@example.com"]}


def test_a_continuous_pipeline_has_a_job_without_a_schedule(tmp_path: Path) -> None:
    made = make_folder(tmp_path, deploy="catalog: main\ncontinuous: true\n")
    bundle = build_bundle(load_pipeline_folder(made))
    pipeline, job = of_target(bundle, "prod")
    assert pipeline["continuous"] is True
    assert "schedule" not in job
    assert "schedule_status" not in document(bundle, "databricks.yml")["variables"]


def test_no_field_is_deprecated_and_no_wheel_is_a_library(folder: PipelineFolder) -> None:
    for target in ("dev", "prod", "test"):
        pipeline, _ = of_target(build_bundle(folder), target)
        assert pipeline.keys().isdisjoint({"target", "trigger", "storage"})
        assert all(library.keys() == {"glob"} for library in pipeline["libraries"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"varaibles": {}}, "unknown field 'varaibles'"),
        ({"targets": {"dev": {"modus": "development"}}}, "unknown field 'targets.dev.modus'"),
        ({"environments": {}}, "unknown field 'environments'"),
        ({"bundle": {"compute_id": "x"}}, "unknown field 'bundle.compute_id'"),
        ({"permissions": [{"level": "CAN_RUN", "group": "x"}]}, "unknown field 'permissions.0.group'"),
        ({"include": "resources/*.yml"}, "'include' must be a list"),
        ({"targets": {"dev": {"default": "yes"}}}, "'targets.dev.default' must be true or false"),
    ],
)
def test_fields_that_a_bundle_has_not_are_found(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        check_bundle(change)


@pytest.mark.parametrize(
    ("pipeline", "job", "message"),
    [
        ({"serverles": True}, {}, "pipeline: unknown field 'serverles'"),
        ({"schema": "a", "target": "a"}, {}, "'target' is deprecated"),
        ({"libraries": [{"whl": "/a.whl"}]}, {}, "a wheel under 'libraries' is deprecated"),
        ({}, {"schedule": {"cron": "x"}}, "job: unknown field 'schedule.cron'"),
        ({}, {"tasks": [{"task_key": "a", "pipeline_task": {"id": "x"}}]}, "unknown field 'tasks.0.pipeline_task.id'"),
    ],
)
def test_fields_that_pipelines_and_jobs_have_not_are_found(
    pipeline: dict[str, Any], job: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        check_resources(pipeline, job)


def test_the_pipelines_files_are_a_copy_without_connections(fhir: PipelineFolder) -> None:
    bundle = build_bundle(fhir, BundleOptions(overrides={"catalog": "main"}))
    sources = {path: content for path, content in bundle.files.items() if path.startswith("src/")}
    assert sorted(sources) == [
        "src/fhir_api/ingest.yml",
        "src/fhir_api/spark-pipeline.yml",
        "src/fhir_api/transformations/ingest.py",
    ]
    assert sources["src/fhir_api/ingest.yml"] == (PIPELINES / "fhir_api" / "ingest.yml").read_bytes()


def test_no_secret_gets_into_a_bundle(tmp_path: Path) -> None:
    made = make_folder(tmp_path)
    (made / "connections.yml").write_text(
        "connections: {ehr: {source: fhir, options: {base_url: https://a, token: CANARY-0123456789}}}\n"
    )
    (made / "ingest.yml").write_text("connection_name: ehr\nobjects: [{table: {source_table: Patient}}]\n")
    bundle = build_bundle(load_pipeline_folder(made))
    assert all(b"CANARY" not in content for content in bundle.files.values())
    assert "connector-lib connection create ehr --source fhir" in bundle.files["README.md"].decode()


def test_a_file_with_a_secret_in_it_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EHR_PASSWORD", "CANARY-0123456789")
    made = make_folder(tmp_path)
    (made / "transformations" / "a.py").write_text("PASSWORD = 'CANARY-0123456789'\n")
    with pytest.raises(ConfigurationError, match="holds the secret of") as error:
        build_bundle(load_pipeline_folder(made))
    assert "CANARY" not in str(error.value)


@pytest.mark.parametrize(
    ("deploy", "options", "kind", "message"),
    [
        ("schema: a\n", BundleOptions(), ConfigurationError, "no catalog for the tables"),
        ("catalog: a\nas_library: true\n", BundleOptions(), ConfigurationError, "deprecated in bundles"),
        ("catalog: a\ntags: {a: '${x}'}\n", BundleOptions(), ConfigurationError, "'tags' holds '${'"),
        ("catalog: a\n", BundleOptions("newest"), UsageError, "'newest' is neither a version"),
        ("catalog: a\n", BundleOptions(volume="nowhere"), UsageError, "'nowhere' is not the name of a Volume"),
        ("catalogue: a\n", BundleOptions(), ConfigurationError, "unknown key 'catalogue'"),
    ],
)
def test_what_no_bundle_can_be_made_of_is_named(
    tmp_path: Path, deploy: str, options: BundleOptions, kind: type[Exception], message: str
) -> None:
    made = load_pipeline_folder(make_folder(tmp_path, deploy=deploy))
    with pytest.raises(kind, match=re.escape(message)):
        build_bundle(made, options)


def test_the_wheel_may_be_a_path_in_a_volume(folder: PipelineFolder) -> None:
    wheel = "/Volumes/a/b/c/d/connector_lib-1.10-py3-none-any.whl"
    bundle = build_bundle(folder, BundleOptions(wheel))
    assert of_target(bundle, "prod")[0]["environment"]["dependencies"] == [f"{wheel}[fhir]"]
    assert document(bundle, "databricks.yml")["targets"]["prod"]["variables"]["wheel_version"] == "1.10"


@pytest.mark.parametrize(
    "said", ["configuration: {spark.x: canary-canary}", "targets: {prod: {tags: {note: has canary-canary in it}}}"]
)
def test_a_secret_of_the_environment_in_a_setting_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setenv("EHR_TOKEN", "canary-canary")
    made = load_pipeline_folder(make_folder(tmp_path, deploy=f"catalog: main\nschema: clinic\n{said}\n"))
    with pytest.raises(ConfigurationError, match="holds the secret of the environment variable EHR_TOKEN") as error:
        build_bundle(made)
    assert "canary" not in str(error.value)


def test_a_key_file_and_a_link_out_of_the_folder_do_not_go_into_a_bundle(tmp_path: Path) -> None:
    made = make_folder(tmp_path)
    (made / "secrets.yml").write_text("client_secret: canary-x\n")
    with pytest.raises(ConfigurationError, match=r"secrets\.yml: holds a literal value under 'client_secret'"):
        build_bundle(load_pipeline_folder(made))
    (made / "secrets.yml").unlink()
    (tmp_path / "private.txt").write_text("canary")
    (made / "link.txt").symlink_to(tmp_path / "private.txt")
    with pytest.raises(ConfigurationError, match=r"link\.txt: is outside of the pipeline folder"):
        build_bundle(load_pipeline_folder(made))


def test_a_file_that_may_go_anyway_goes_into_a_bundle(tmp_path: Path) -> None:
    made = make_folder(tmp_path, deploy="upload_anyway: [columns.yml]\n" + DEPLOY)
    (made / "columns.yml").write_text("password: secret_column\n")
    assert "src/clinic/columns.yml" in build_bundle(load_pipeline_folder(made)).files


def test_the_same_folder_gives_the_same_bytes(folder: PipelineFolder) -> None:
    assert build_bundle(folder) == build_bundle(load_pipeline_folder(folder.root))


def test_a_name_of_any_kind_becomes_a_name_of_resources(tmp_path: Path) -> None:
    made = make_folder(tmp_path, spec=SPEC.replace("name: clinic", 'name: "7 Wards: Ärzte & Co"'))
    bundle = build_bundle(load_pipeline_folder(made))
    assert "resources/pipeline_7_wards_rzte_co.pipeline.yml" in bundle.files
    assert of_target(bundle, "prod")[0]["name"] == "7 Wards: Ärzte & Co"


def test_the_readme_names_blank_settings_and_every_target(folder: PipelineFolder) -> None:
    text = build_bundle(folder).files["README.md"].decode()
    assert "left out here unless `deploy.yml` has them: `source.blank`." in text
    assert "| `prod` | production | `prod` | `gold` | `0.0.9` |" in text
    assert "connector-lib publish --create --volume shared.libraries.python_packages\n" in text
    assert "connector-lib publish --create --volume prod.libraries.wheels\n" in text


# Writing


def tree(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def states(folder: Path, files: Mapping[str, bytes], *, force: bool = False) -> dict[str, str]:
    return {entry.path: entry.state for entry in write_bundle(files, folder, force=force)}


FIRST = {"a.yml": b"1", "src/b.py": b"2", "src/deep/c.py": b"3"}


def test_a_new_folder_is_written_whole(tmp_path: Path) -> None:
    assert set(states(tmp_path / "new" / "bundle", FIRST).values()) == {"created"}
    assert tree(tmp_path / "new" / "bundle").keys() == {*FIRST, ".connector_lib_bundle.json"}


def test_written_again_only_what_changed_is_written_and_what_is_gone_is_removed(tmp_path: Path) -> None:
    write_bundle(FIRST, tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    assert states(tmp_path, {"a.yml": b"1", "src/b.py": b"new"}) == {
        "a.yml": "unchanged",
        "src/b.py": "updated",
        "src/deep/c.py": "removed",
    }
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert not (tmp_path / "src" / "deep").exists()


def test_a_folder_with_files_of_others_is_refused_unless_forced(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("mine")
    (tmp_path / "other").write_text("mine")
    with pytest.raises(UsageError, match=r"holds files that are no bundle.*: a\.yml, other"):
        write_bundle(FIRST, tmp_path)
    assert tree(tmp_path) == {"a.yml": "mine", "other": "mine"}
    assert states(tmp_path, FIRST, force=True)["a.yml"] == "updated"
    assert (tmp_path / "other").read_text() == "mine"


def test_what_git_and_the_databricks_cli_keep_is_no_file_of_others(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".databricks").mkdir()
    assert len(states(tmp_path, FIRST)) == 3


@pytest.mark.parametrize("new", [b"1", b"new"])
def test_a_file_changed_by_hand_is_not_overwritten_unless_forced(tmp_path: Path, new: bytes) -> None:
    write_bundle(FIRST, tmp_path)
    (tmp_path / "a.yml").write_text("by hand")
    with pytest.raises(UsageError, match=r"files were changed since the bundle was written: a\.yml"):
        write_bundle({**FIRST, "a.yml": new, "src/b.py": b"new"}, tmp_path)
    assert (tmp_path / "a.yml").read_text() == "by hand"
    assert (tmp_path / "src" / "b.py").read_text() == "2"
    assert states(tmp_path, {**FIRST, "a.yml": new}, force=True)["a.yml"] == "updated"


def test_a_file_that_stands_where_a_new_one_goes_is_not_overwritten(tmp_path: Path) -> None:
    write_bundle(FIRST, tmp_path)
    (tmp_path / "new.py").write_text("by hand")
    with pytest.raises(UsageError, match=r"new\.py"):
        write_bundle({**FIRST, "new.py": b"4"}, tmp_path)


def test_a_file_deleted_by_hand_is_written_again(tmp_path: Path) -> None:
    write_bundle(FIRST, tmp_path)
    (tmp_path / "a.yml").unlink()
    assert states(tmp_path, FIRST)["a.yml"] == "created"


def test_a_stale_file_changed_by_hand_is_kept_when_forced(tmp_path: Path) -> None:
    write_bundle(FIRST, tmp_path)
    (tmp_path / "a.yml").write_text("by hand")
    assert "a.yml" not in states(tmp_path, {"src/b.py": b"2"}, force=True)
    assert (tmp_path / "a.yml").read_text() == "by hand"


class KilledError(Exception):
    pass


@pytest.mark.parametrize("step", range(9))
def test_killed_at_any_step_and_written_again_it_comes_to_the_same_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    second = {"a.yml": b"new", "src/b.py": b"2", "d.py": b"4"}
    write_bundle(FIRST, tmp_path / "whole")
    write_bundle(second, tmp_path / "whole")
    write_bundle(FIRST, tmp_path / "killed")
    left = iter(range(step))
    for name in ("write_bytes", "unlink"):
        monkeypatch.setattr(Path, name, _dies(left, getattr(Path, name)))
    try:
        write_bundle(second, tmp_path / "killed")
    except KilledError:
        pass
    else:
        assert step > 4
    monkeypatch.undo()
    write_bundle(second, tmp_path / "killed")
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")


def _dies(left: Iterator[int], real: Any) -> Any:
    def step(self: Path, *arguments: Any, **keywords: Any) -> Any:
        if next(left, None) is None:
            raise KilledError
        return real(self, *arguments, **keywords)

    return step


@pytest.mark.parametrize("text", ["", "{}", '{"files": {"../x": ["a"]}}', '{"files": {"/x": ["a"]}}'])
def test_a_record_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / ".connector_lib_bundle.json").write_text(text)
    with pytest.raises(UsageError, match="connector_lib_bundle"):
        write_bundle(FIRST, tmp_path)
