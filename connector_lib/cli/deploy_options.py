"""The options that ``plan``, ``deploy`` and ``configure`` take alike, and what they make of ``deploy.yml``'s keys."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from connector_lib.errors import UsageError

__all__ = [
    "CatalogOption",
    "ChannelOption",
    "ContinuousOption",
    "CreateSchemaOption",
    "DevOption",
    "DevelopmentOption",
    "NameOption",
    "PipelineFolderArgument",
    "RecreateOption",
    "SchemaOption",
    "ServerlessOption",
    "SetOption",
    "VolumeOption",
    "WheelOption",
    "WorkspaceFolderOption",
    "deployment_keys",
]


class _Channel(str, Enum):
    CURRENT = "current"
    PREVIEW = "preview"


PipelineFolderArgument = Annotated[
    Path, typer.Argument(metavar="PIPELINE_DIR", help="The folder that holds spark-pipeline.yml.")
]
NameOption = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="What the pipeline is called in the workspace.")
]
CatalogOption = Annotated[
    str | None, typer.Option("--catalog", metavar="CATALOG", help="The catalog that the tables go to.")
]
SchemaOption = Annotated[
    str | None, typer.Option("--schema", metavar="SCHEMA", help="The schema that the tables go to.")
]
CreateSchemaOption = Annotated[
    bool | None, typer.Option("--create-schema/--no-create-schema", help="Make the schema where it is not there.")
]
WorkspaceFolderOption = Annotated[
    str | None,
    typer.Option("--workspace-folder", metavar="PATH", help="Where the files go, such as /Workspace/Shared/clinic."),
]
VolumeOption = Annotated[
    str | None,
    typer.Option("--volume", metavar="CATALOG.SCHEMA.VOLUME", help="The Volume that holds the wheel."),
]
WheelOption = Annotated[
    str | None,
    typer.Option("--wheel", metavar="VERSION", help="@latest, a version, or a path /Volumes/….whl."),
]
ServerlessOption = Annotated[
    bool | None, typer.Option("--serverless/--no-serverless", help="Whether it runs on serverless compute.")
]
ContinuousOption = Annotated[
    bool | None, typer.Option("--continuous/--triggered", help="Whether it runs all the time, or when started.")
]
DevelopmentOption = Annotated[
    bool | None, typer.Option("--development/--production", help="Whether it is in development mode.")
]
ChannelOption = Annotated[
    _Channel | None, typer.Option("--channel", help="Which release of the pipeline runtime it has.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Give a setting of the pipeline a value. May be repeated."),
]
DevOption = Annotated[
    bool, typer.Option("--dev", help="Your own copy: a wheel of the source tree, names that end with yours.")
]
RecreateOption = Annotated[
    bool, typer.Option("--recreate", help="Delete the pipeline with its tables, and create it anew. Needs --yes.")
]


def deployment_keys(
    *, channel: _Channel | None = None, settings: list[str] | None = None, **keys: Any
) -> dict[str, Any]:
    """The keys of ``deploy.yml`` that the options stand for, None for those that were not given.

    Raises UsageError for a ``--set`` that is not ``KEY=VALUE``.
    """
    configuration: dict[str, str] = {}
    for entry in settings or ():
        key, equals, value = entry.partition("=")
        if not equals or not key.strip():
            raise UsageError(
                f"--set '{entry}' is not KEY=VALUE", hint="--set source.storage_path=/Volumes/main/raw/hl7"
            )
        configuration[key.strip()] = value
    return {
        **keys,
        "channel": channel.value.upper() if channel is not None else None,
        "configuration": configuration or None,
    }
