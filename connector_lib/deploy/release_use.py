"""Which pipelines of a workspace use which release."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from connector_lib.deploy.releases import folder_of
from connector_lib.deploy.volume_files import VolumeName
from connector_lib.deploy.workspace import Workspace
from connector_lib.errors import WorkspaceError

if TYPE_CHECKING:
    from databricks.sdk.service.pipelines import PipelineSpec

__all__ = ["PipelineUse", "pipelines_using"]

_AT_ONCE: Final = 8
_WORTH_A_WORD: Final = 50


@dataclass(frozen=True, slots=True)
class PipelineUse:
    """A pipeline whose settings name a wheel of the Volume."""

    pipeline_id: str
    name: str
    version: str


def pipelines_using(workspace: Workspace, volume: VolumeName, *, say: Callable[[str], None]) -> list[PipelineUse]:
    """The pipelines that use a release in the Volume, by name, of those that the user may see.

    Every pipeline is asked for by itself, since the list of them does not have their settings. Raises WorkspaceError.
    """
    with workspace.asking("list the pipelines"):
        listed = [(it.pipeline_id or "", it.name or "") for it in workspace.client.pipelines.list_pipelines()]
    if len(listed) >= _WORTH_A_WORD:
        say(f"{workspace.host}: asking {len(listed)} pipelines which release they use")
    place = re.compile(re.escape(folder_of(volume)) + r"/connector_lib-([^-/\s]+)-[^/\s]*?\.whl")

    def uses(pipeline: tuple[str, str]) -> list[PipelineUse]:
        pipeline_id, name = pipeline
        spec = _settings(workspace, pipeline_id)
        named = {match.group(1) for text in _dependencies(spec) for match in place.finditer(text)} if spec else set()
        return [PipelineUse(pipeline_id, name, version) for version in sorted(named)]

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = [use for several in pool.map(uses, listed) for use in several]
    return sorted(found, key=lambda it: (it.name, it.pipeline_id))


def _settings(workspace: Workspace, pipeline_id: str) -> PipelineSpec | None:
    try:
        with workspace.asking(f"read the pipeline {pipeline_id}"):
            return workspace.client.pipelines.get(pipeline_id).spec
    except WorkspaceError as error:
        if error.status in (403, 404):
            # Gone since it was listed, or listed and not to be read by this user.
            return None
        raise


def _dependencies(spec: PipelineSpec) -> Iterator[str]:
    if spec.environment:
        yield from spec.environment.dependencies or []
    for library in spec.libraries or []:
        if library.whl:
            yield library.whl
