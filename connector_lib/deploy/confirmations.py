"""What somebody has to say yes to before a pipeline that is there is changed: what it is would be another one after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector_lib.deploy.deployment_record import DeploymentRecord
from connector_lib.deploy.pipelines import DeployedPipeline
from connector_lib.project.deployment import Deployment

__all__ = ["other_target", "schema_move", "to_confirm"]


def to_confirm(
    found: DeployedPipeline | None,
    deployment: Deployment,
    record: DeploymentRecord | None,
    settings: Mapping[str, Any],
) -> tuple[str, ...]:
    """All of it, each as what would be done: another name, another target, another schema for the tables."""
    if found is None:
        return ()
    asks = []
    if found.name != deployment.name:
        asks.append(f"rename the pipeline '{found.name}' ({found.id}), whose files these are, to '{deployment.name}'")
    return (*asks, *other_target(found.name, record, deployment), *schema_move(found, settings))


def other_target(name: str, record: DeploymentRecord | None, deployment: Deployment) -> tuple[str, ...]:
    """What to say yes to where the pipeline was deployed for another target of ``deploy.yml``."""
    now = deployment.target or ""
    if record is None or record.target in (None, now):
        return ()
    was = f"for the target '{record.target}'" if record.target else "without a target"
    becomes = f"the one of the target '{now}'" if now else "one without a target"
    return (f"make the pipeline '{name}', which was deployed {was}, {becomes}",)


def schema_move(found: DeployedPipeline, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """What to say yes to where the tables of a pipeline that is there would go to another catalog or schema."""
    has = (found.settings.get("catalog"), found.settings.get("schema") or found.settings.get("target"))
    gets = (settings.get("catalog"), settings.get("schema") or settings.get("target"))
    if all(old is None or str(old).casefold() == str(new).casefold() for old, new in zip(has, gets, strict=True)):
        return ()
    old, new = (".".join(str(name) for name in names if name) for names in (has, gets))
    return (f"let the pipeline '{found.name}' write its tables to {new}, and no longer to {old}",)
