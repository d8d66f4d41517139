"""How commands are told which pipeline of a workspace they are for: by its folder, its name or its id."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from connector_lib.deploy.pipelines import DeployedPipeline
    from connector_lib.deploy.watched_pipeline import WatchedPipeline
    from connector_lib.deploy.workspace import Workspace

__all__ = ["DevCopy", "PipelineArgument", "TargetOption", "find_watched", "watched"]

PipelineArgument = Annotated[
    str, typer.Argument(metavar="PIPELINE", help="The pipeline: its folder, its name or its id.")
]
TargetOption = Annotated[
    str | None, typer.Option("--target", metavar="NAME", help="Which target of the folder's deploy.yml is meant.")
]
DevCopy = Annotated[bool, typer.Option("--dev", help="Your own copy, which 'deploy --dev' made of the folder.")]
_SPEC_FILES = ("spark-pipeline.yml", "spark-pipeline.yaml")


def find_watched(
    workspace: Workspace, given: str, target: str | None, dev: bool
) -> tuple[DeployedPipeline, WatchedPipeline]:
    """The pipeline that ``given`` names, and what texts about its updates need.

    Raises what :func:`~connector_lib.deploy.pipelines.find_pipeline` raises.
    """
    from connector_lib.deploy.pipelines import find_pipeline

    pipeline = find_pipeline(workspace, given, target=target, dev=dev)
    return pipeline, watched(pipeline, given, target, dev)


def watched(pipeline: DeployedPipeline, given: str, target: str | None, dev: bool) -> WatchedPipeline:
    """What texts about the updates of ``pipeline`` need, which the command line named as ``given``."""
    from connector_lib.deploy.watched_pipeline import WatchedPipeline, target_option

    folder = Path(given).expanduser()
    is_folder = any((folder / name).is_file() for name in _SPEC_FILES)
    settings = pipeline.settings
    names = (settings.get("catalog"), settings.get("schema") or settings.get("target"))
    return WatchedPipeline(
        pipeline.id,
        given,
        folder if is_folder else None,
        ".".join(str(name) for name in names if name),
        target_option(target, dev),
    )
