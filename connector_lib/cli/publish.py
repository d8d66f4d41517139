"""``connector-lib publish``, ``releases`` and ``install-line``: the wheel in a Volume."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from connector_lib.cli.rows import print_rows
from connector_lib.cli.workspace_options import AsJson, Profile, print_document, say
from connector_lib.deploy.volume_files import DEFAULT_VOLUME, VolumeName
from connector_lib.errors import ConnectorLibError, UsageError

if TYPE_CHECKING:
    from connector_lib.deploy.releases import Release
    from connector_lib.deploy.workspace import Workspace

__all__ = ["VolumeOption", "register"]

_PUBLISH_HELP = """\
Put the wheel into a Volume of Unity Catalog, once for every version.

The wheel is the one of --wheel, or that of the source tree around the current folder, or the installed package packed
again. It is uploaded, downloaded to compare, and named in LATEST where it is newer than the one that is. A version
that is there is never overwritten: the same wheel is fine, another one is an error. What was interrupted is finished
when the command is run again.

\b
Example: connector-lib publish --create

\b
Example: connector-lib publish --profile dev --profile prod \\
    --volume main.libraries.wheels

\b
Example: connector-lib publish --latest 0.1.0
"""
_RELEASES_HELP = """\
List the versions in a Volume, which of them is LATEST, and which pipelines use which.

\b
Example: connector-lib releases --profile dev --profile prod
"""
_INSTALL_LINE_HELP = """\
Print the lines that install a release: for a notebook, for the environment of a pipeline, and as a library.

VERSION is @latest, which asks the workspace, or a version such as 0.1.0, for which no workspace is needed.

\b
Example: connector-lib install-line 0.1.0 --extras fhir
"""

VolumeOption = Annotated[
    str,
    typer.Option("--volume", metavar="CATALOG.SCHEMA.VOLUME", help="The Volume that releases are in."),
]
_Profiles = Annotated[
    list[str] | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="The profile of ~/.databrickscfg to log in with; the environment's login without it. May be repeated.",
    ),
]
_Told: TypeAlias = dict[str, Any]


def register(app: typer.Typer) -> None:
    """Adds the commands to ``app``."""

    @app.command("publish", help=_PUBLISH_HELP, short_help="Put the wheel into a Volume.")
    def publish(
        volume: VolumeOption = DEFAULT_VOLUME,
        profiles: _Profiles = None,
        wheel: Annotated[
            Path | None, typer.Option("--wheel", metavar="FILE", help="The wheel, such as one of dist/.")
        ] = None,
        create: Annotated[
            bool, typer.Option("--create", help="Make the Volume, its schema and its catalog where they are missing.")
        ] = False,
        latest: Annotated[
            str | None,
            typer.Option(
                "--latest",
                metavar="VERSION",
                help="Upload nothing: make this published version LATEST, an older one or a pre-release too.",
            ),
        ] = None,
        keep_latest: Annotated[bool, typer.Option("--keep-latest", help="Leave LATEST as it is.")] = False,
        as_json: AsJson = False,
    ) -> None:
        from connector_lib.deploy.workspace import require_deploy_extra

        require_deploy_extra()
        place = VolumeName.parse(volume)
        if latest is not None and (wheel or create or keep_latest):
            raise UsageError(
                "--latest does not go with --wheel, --create or --keep-latest",
                hint="publish first, then 'connector-lib publish --latest VERSION'",
            )
        if latest is not None:
            _each_workspace(profiles, as_json, _moving_latest(place, latest), _print_published)
            return
        with TemporaryDirectory() as folder:
            _each_workspace(
                profiles, as_json, _publishing(place, wheel, Path(folder), create, keep_latest), _print_published
            )

    @app.command("releases", help=_RELEASES_HELP, short_help="List the versions in a Volume.")
    def releases(
        volume: VolumeOption = DEFAULT_VOLUME,
        profiles: _Profiles = None,
        pipelines: Annotated[
            bool,
            typer.Option(
                "--pipelines/--no-pipelines",
                help="Ask every pipeline which release it uses; one request each.",
            ),
        ] = True,
        as_json: AsJson = False,
    ) -> None:
        from connector_lib.deploy.workspace import require_deploy_extra

        require_deploy_extra()
        _each_workspace(profiles, as_json, _listing(VolumeName.parse(volume), pipelines), _print_releases)

    @app.command("install-line", help=_INSTALL_LINE_HELP, short_help="Print the lines that install a release.")
    def install_line(
        version: Annotated[str, typer.Argument(metavar="VERSION")] = "@latest",
        volume: VolumeOption = DEFAULT_VOLUME,
        extras: Annotated[
            str, typer.Option("--extras", metavar="A,B", help="Extras that the pipeline needs, such as fhir.")
        ] = "",
        profile: Profile = None,
        as_json: AsJson = False,
    ) -> None:
        from connector_lib.deploy.workspace import require_deploy_extra

        require_deploy_extra()
        _print_install_lines(version, VolumeName.parse(volume), extras, profile, as_json)


def _each_workspace(
    profiles: list[str] | None,
    as_json: bool,
    work: Callable[[Workspace], _Told],
    show: Callable[[_Told], None],
) -> None:
    """Does ``work`` in every workspace, and shows what it tells; one that fails does not keep the others from it.

    Ends with exit code 1 where one of several failed; a single one raises.
    """
    from connector_lib.deploy.workspace import open_workspace

    told: list[_Told] = []
    asked: list[str | None] = list(profiles) if profiles else [None]
    for profile in asked:
        try:
            workspace = open_workspace(profile)
            told.append({"profile": profile, "host": workspace.host, **work(workspace)})
        except UsageError:
            raise
        except ConnectorLibError as error:
            if len(asked) < 2:
                raise
            told.append({"profile": profile, "error": error.message, "hint": error.hint})
            say(f"error: profile {profile}: {error}")
        if not as_json and "error" not in told[-1]:
            show(told[-1])
    failed = [it for it in told if "error" in it]
    if as_json:
        print_document({"workspaces": told})
    if failed:
        say(f"{len(failed)} of {len(told)} workspaces failed")
        raise typer.Exit(1)


def _publishing(
    volume: VolumeName, given: Path | None, folder: Path, create: bool, keep_latest: bool
) -> Callable[[Workspace], _Told]:
    from connector_lib.deploy.releases import publish_wheel
    from connector_lib.deploy.wheel_building import find_or_build_wheel

    wheel = find_or_build_wheel(given, folder, say=say)

    def work(workspace: Workspace) -> _Told:
        latest = False if keep_latest else None
        done = publish_wheel(workspace, wheel, volume, create=create, latest=latest, say=say)
        return {"version": done.version, "path": done.path, "uploaded": done.uploaded, "latest": done.latest}

    return work


def _moving_latest(volume: VolumeName, version: str) -> Callable[[Workspace], _Told]:
    from connector_lib.deploy.releases import set_latest

    def work(workspace: Workspace) -> _Told:
        release = set_latest(workspace, volume, version)
        return {"version": release.version, "path": release.path, "uploaded": False, "latest": True}

    return work


def _print_published(told: _Told) -> None:
    what = "was uploaded" if told["uploaded"] else "is there"
    latest = ", and is LATEST" if told["latest"] else ""
    typer.echo(f"{told['host']}: {told['version']} {what}{latest}: {told['path']}")


def _listing(volume: VolumeName, with_pipelines: bool) -> Callable[[Workspace], _Told]:
    from connector_lib.deploy.release_use import pipelines_using
    from connector_lib.deploy.releases import list_releases

    def work(workspace: Workspace) -> _Told:
        uses = pipelines_using(workspace, volume, say=say) if with_pipelines else []
        found = list_releases(workspace, volume, also=[use.version for use in uses])
        by_version: dict[str, list[_Told]] = {}
        for use in uses:
            by_version.setdefault(use.version, []).append({"id": use.pipeline_id, "name": use.name})
        entries = [_entry(release, by_version.pop(release.version, [])) for release in found]
        # What a pipeline names and nobody finds: its next start will fail.
        gone = [
            {"version": version, "path": None, "size": None, "state": "gone", "latest": False, "pipelines": pipelines}
            for version, pipelines in by_version.items()
        ]
        latest = next((release.version for release in found if release.is_latest), None)
        return {"volume": str(volume), "latest": latest, "releases": [*entries, *gone]}

    return work


def _entry(release: Release, pipelines: list[_Told]) -> _Told:
    return {
        "version": release.version,
        "path": release.path,
        "size": release.size,
        "state": release.state,
        "latest": release.is_latest,
        "pipelines": pipelines,
    }


def _print_releases(told: _Told) -> None:
    rows = [
        {
            "version": release["version"],
            "state": "LATEST" if release["latest"] and release["state"] == "published" else release["state"],
            "size": "" if release["size"] is None else f"{release['size'] / 1e6:.1f} MB",
            "pipelines": ", ".join(pipeline["name"] or pipeline["id"] for pipeline in release["pipelines"]),
        }
        for release in told["releases"]
    ]
    if not rows:
        typer.echo(f"{told['host']}: nothing is published in {told['volume']}")
        return
    typer.echo(f"{told['host']}: {told['volume']}")
    print_rows("", ["version", "state", "size", "pipelines"], rows)


def _print_install_lines(version: str, volume: VolumeName, extras: str, profile: str | None, as_json: bool) -> None:
    from connector_lib.deploy.install_lines import check_extras, environment_dependency, library_entry, pip_line
    from connector_lib.deploy.releases import LATEST, parse_version, path_of, resolve_wheel
    from connector_lib.deploy.workspace import open_workspace

    wanted = [extra.strip() for extra in extras.split(",") if extra.strip()]
    check_extras(wanted)
    if version == LATEST:
        path = resolve_wheel(open_workspace(profile), volume, version)
    else:
        path = path_of(volume, str(parse_version(version)))
    dependency = environment_dependency(path, wanted)
    libraries = None if wanted else [library_entry(path)]
    if wanted:
        say("libraries: an entry 'whl' takes no extras, so 'environment' is the way to install them")
    if as_json:
        print_document(
            {"path": path, "pip": pip_line(path, wanted), "dependencies": [dependency], "libraries": libraries}
        )
        return
    typer.echo("# the first cell of a notebook")
    typer.echo(pip_line(path, wanted))
    typer.echo("# the settings of a pipeline")
    typer.echo(f"environment:\n  dependencies:\n    - {dependency}")
    if libraries:
        typer.echo("# the same where the workspace does not know 'environment' yet")
        typer.echo(f"libraries:\n  - whl: {path}")
