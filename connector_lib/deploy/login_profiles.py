"""Whether a profile that was asked for is the login that counts.

``databricks-sdk`` takes each value of a login from the environment first, and from the profile what is left: with
``DATABRICKS_HOST`` set, ``--profile prod`` alone would lead to the workspace of the environment.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from connector_lib.errors import WorkspaceError

__all__ = ["require_profile_counts"]

_FILE_VARIABLE: Final = "DATABRICKS_CONFIG_FILE"
_FILE: Final = "~/.databrickscfg"
_ALSO: Final = ("host", "auth_type")


def require_profile_counts(profile: str, environment: Mapping[str, str] = os.environ) -> None:
    """Raises WorkspaceError where there is no such profile, or variables say another host or login than it does."""
    values = _values(profile, Path(environment.get(_FILE_VARIABLE) or _FILE).expanduser())
    against = [name for name, variable in _variables() if _differs(environment.get(variable), values.get(name))]
    if against:
        names = [variable for name, variable in _variables() if name in against]
        raise WorkspaceError(
            f"the profile '{profile}' would not count: {', '.join(names)} in the environment"
            f" {'says' if len(names) == 1 else 'say'} something else, and the environment comes before a profile",
            hint=f"unset {' '.join(names)}; or leave --profile out, for the login of the environment",
        )


def _values(profile: str, file: Path) -> Mapping[str, str]:
    # DEFAULT is a profile like the others, and no source of defaults for them.
    profiles = configparser.ConfigParser(default_section="", interpolation=None)
    try:
        profiles.read(file, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise WorkspaceError(
            f"{file}: is not a file of profiles ({type(error).__name__})", hint="'databricks auth profiles' reads it"
        ) from None
    if profile not in profiles.sections():
        known = ", ".join(name for name in profiles.sections() if not name.startswith("__"))
        raise WorkspaceError(
            f"there is no profile '{profile}' in {file}",
            hint=f"profiles: {known or 'none'}; 'databricks auth login --profile {profile}' makes it",
        )
    return profiles[profile]


def _variables() -> list[tuple[str, str]]:
    """The names of what a login is made of, and their variables, as the SDK has them. Those of clouds (``ARM_…``) are
    there for other programs too."""
    from databricks.sdk.core import Config

    found = [(it.name, it.env) for it in Config.attributes() if it.env and (it.auth or it.name in _ALSO)]
    return [(name, variable) for name, variable in found if variable.startswith("DATABRICKS_")]


def _differs(said: str | None, of_profile: str | None) -> bool:
    return bool(said) and (said or "").rstrip("/") != (of_profile or "").rstrip("/")
