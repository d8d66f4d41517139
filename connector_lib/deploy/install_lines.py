"""The lines that install a release: in a notebook, in a pipeline's environment, as a library.

Facts: docs.databricks.com, "Install libraries from a volume" and the pipelines API. Dependencies of an environment are
lines of a pip requirements file, so extras follow the path in brackets; ``whl`` of ``libraries`` is an address, which
takes none.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from typing import Any

from connector_lib.deploy.wheel import DISTRIBUTION
from connector_lib.errors import UsageError, did_you_mean

__all__ = ["check_extras", "environment_dependency", "library_entry", "pip_line"]


def pip_line(path: str, extras: Sequence[str] = ()) -> str:
    """The first cell of a notebook.

    >>> pip_line("/Volumes/a/b/c/connector_lib/connector_lib-0.1.0-py3-none-any.whl")
    '%pip install /Volumes/a/b/c/connector_lib/connector_lib-0.1.0-py3-none-any.whl'
    """
    dependency = environment_dependency(path, extras)
    # Brackets mean something to the shell that runs it.
    return f'%pip install "{dependency}"' if extras else f"%pip install {dependency}"


def environment_dependency(path: str, extras: Sequence[str] = ()) -> str:
    """The entry of ``environment.dependencies`` in a pipeline's settings, or in a job's environment.

    >>> environment_dependency("/Volumes/a/b/c/connector_lib/connector_lib-0.1.0-py3-none-any.whl", ["fhir"])
    '/Volumes/a/b/c/connector_lib/connector_lib-0.1.0-py3-none-any.whl[fhir]'
    """
    return f"{path}[{','.join(extras)}]" if extras else path


def library_entry(path: str) -> dict[str, Any]:
    """The entry of ``libraries`` in a pipeline's settings, where its workspace does not know ``environment`` yet.

    >>> library_entry("/Volumes/a/b/c/connector_lib/connector_lib-0.1.0-py3-none-any.whl")
    {'whl': '/Volumes/a/b/c/connector_lib/connector_lib-0.1.0-py3-none-any.whl'}
    """
    return {"whl": path}


def check_extras(extras: Sequence[str]) -> None:
    """Raises UsageError where one of them is no extra of this package."""
    known = importlib.metadata.metadata(DISTRIBUTION).get_all("Provides-Extra") or []
    for extra in extras:
        if extra not in known:
            raise UsageError(
                f"{DISTRIBUTION} has no extra '{extra}'",
                hint=f"{did_you_mean(extra, known)}its extras are {', '.join(sorted(known))}",
            )
