"""A workspace to work on, opened with the login that its user already has, and its refusals in plain words.

The login is that of ``databricks-sdk``: a profile of ``~/.databrickscfg``, the variables ``DATABRICKS_HOST`` and
``DATABRICKS_TOKEN`` and their kin, OAuth of the user or of a service principal ("Databricks unified authentication").
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from connector_lib import __version__
from connector_lib.errors import MissingRequirementError, WorkspaceError
from connector_lib.redaction import masked

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.errors.base import DatabricksError

__all__ = ["Workspace", "open_workspace", "require_deploy_extra"]

_RETRY_SECONDS: Final = 120
"""How long the SDK asks again where a workspace answers 429 or 503, or not at all. Its own default is 300."""
_LOG_IN: Final = (
    "log in with 'databricks auth login --host https://<workspace>', and name the profile with --profile;"
    " or set DATABRICKS_HOST and DATABRICKS_TOKEN"
)
_HINTS: Final = {
    400: "",
    401: f"the login is not valid or has expired: {_LOG_IN}",
    403: "'connector-lib grants' prints what a user of the library, a publisher and a pipeline need",
    429: "the workspace limits its requests: wait a minute, then run the same command again; it goes on from here",
    503: "the workspace did not recover in time: run the same command again; it goes on from here",
}


@dataclass(frozen=True, slots=True)
class Workspace:
    """An open workspace. ``client`` is the SDK's; ``host`` without a slash at its end; ``user`` is who is logged in;
    ``profile`` what was asked for, None for the login of the environment.
    """

    client: WorkspaceClient = field(repr=False)
    host: str
    user: str
    profile: str | None = None

    @property
    def option(self) -> str:
        """What a command needs to come to the same workspace: ``" --profile prod"``, or nothing."""
        return f" --profile {self.profile}" if self.profile else ""

    @contextmanager
    def asking(self, what: str, *, hint: str = "", secrets: Iterable[str] = ()) -> Iterator[None]:
        """Whatever the SDK raises within becomes a WorkspaceError that says ``what`` could not be done.

        ``what`` goes on after "cannot": ``"read the Volume a.b.c"``. ``hint`` replaces the one for its status;
        ``secrets`` are starred out of the workspace's own words.
        """
        with _in_plain_words(f"{self.host}: cannot {what}", hint, secrets):
            yield


def require_deploy_extra() -> None:
    """Raises MissingRequirementError where the extra ``deploy`` is not installed."""
    try:
        found = importlib.util.find_spec("databricks.sdk") is not None
    except ModuleNotFoundError:
        found = False
    if not found:
        raise MissingRequirementError("this command needs databricks-sdk", hint="pip install 'connector_lib[deploy]'")


def open_workspace(profile: str | None = None) -> Workspace:
    """The workspace of ``profile``, or of the environment and the profile DEFAULT; asks it once who is logged in.

    Raises MissingRequirementError without ``databricks-sdk``, and WorkspaceError where there is no login, or it is not
    valid, or the workspace does not answer.
    """
    require_deploy_extra()
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.core import Config

    # What it warns of comes back as an error, or is of no use to the person at the keyboard.
    logging.getLogger("databricks.sdk").addHandler(logging.NullHandler())
    named = f"the profile '{profile}'" if profile else "the environment and the profile DEFAULT"
    try:
        config = Config(
            profile=profile,
            product="connector-lib",
            product_version=__version__,
            retry_timeout_seconds=_RETRY_SECONDS,
        )
        client = WorkspaceClient(config=config)
    except ValueError as error:
        # The SDK lists what it tried, and among it the values of what is no secret.
        reason = str(error).partition(". Config:")[0].splitlines()[0]
        raise WorkspaceError(f"no login to a workspace by {named}: {reason}", hint=_LOG_IN) from None
    host = str(config.host).rstrip("/")
    with _in_plain_words(f"{host}: cannot log in by {named}", "", ()):
        user = client.current_user.me().user_name or ""
    return Workspace(client, host, user, profile)


@contextmanager
def _in_plain_words(what: str, hint: str, secrets: Iterable[str]) -> Iterator[None]:
    from databricks.sdk.errors.base import DatabricksError
    from requests import RequestException

    try:
        yield
    except DatabricksError as error:
        raise _refused(error, what, hint, secrets) from None
    except TimeoutError as error:
        cause = error.__cause__
        if isinstance(cause, DatabricksError):
            raise _refused(cause, f"{what}, tried for {_RETRY_SECONDS} s", hint, secrets) from None
        raise WorkspaceError(
            f"{what}: no answer within {_RETRY_SECONDS} s", hint=hint or "is the host right, and can it be reached?"
        ) from None
    except (RequestException, ValueError) as error:
        # Of a request's exception only the kind is shown: its words hold the whole address.
        raise WorkspaceError(
            f"{what}: {type(error).__name__} while asking it", hint=hint or "is the host right, and can it be reached?"
        ) from None


def _refused(error: DatabricksError, what: str, hint: str, secrets: Iterable[str]) -> WorkspaceError:
    status = _status(error)
    # The SDK adds the configuration that it used, which says nothing to the person at the keyboard.
    said = masked(" ".join(str(error).partition(". Config:")[0].split()), secrets)
    code = f" ({error.error_code})" if error.error_code else ""
    return WorkspaceError(
        f"{what}: {said}{code}", hint=hint or _HINTS.get(status or 0, ""), status=status, error_code=error.error_code
    )


def _status(error: DatabricksError) -> int | None:
    """The HTTP status behind the SDK's exception, which keeps only a class for it."""
    from databricks.sdk import errors

    kinds: dict[int, type[DatabricksError]] = {
        400: errors.BadRequest,
        401: errors.Unauthenticated,
        403: errors.PermissionDenied,
        404: errors.NotFound,
        409: errors.ResourceConflict,
        429: errors.TooManyRequests,
        500: errors.InternalError,
        503: errors.TemporarilyUnavailable,
        504: errors.DeadlineExceeded,
    }
    return next((status for status, kind in kinds.items() if isinstance(error, kind)), None)
