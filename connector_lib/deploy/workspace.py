"""A workspace to work on, opened with the login that its user already has, and its refusals in plain words.

The login is that of ``databricks-sdk``: a profile of ``~/.databrickscfg``, the variables ``DATABRICKS_HOST`` and
``DATABRICKS_TOKEN`` and their kin, OAuth of the user or of a service principal ("Databricks unified authentication").
"""

from __future__ import annotations

import configparser
import importlib.util
import logging
import os
import shlex
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from connector_lib import __version__
from connector_lib.deploy.login_profiles import require_profile_counts
from connector_lib.errors import MissingRequirementError, WorkspaceError
from connector_lib.redaction import Secrets, SecretsFilter, masked, secrets_in_environment

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.core import Config
    from databricks.sdk.errors.base import DatabricksError

__all__ = ["Workspace", "open_workspace", "require_deploy_extra"]

_RETRY_SECONDS: Final = 120
"""How long the SDK asks again where a workspace answers 429 or 503, or not at all. Its own default is 300."""
_LONGEST_WORDS: Final = 400
"""Of what a program or a server says that gives tokens."""
_LOG_IN: Final = (
    "log in with 'databricks auth login --host https://<workspace>', and name the profile with --profile;"
    " or set DATABRICKS_HOST and DATABRICKS_TOKEN"
)
_HINTS: Final = {
    400: "",
    401: f"the login is not valid or has expired: {_LOG_IN}",
    403: "'connector-lib grants --principal {who}' prints what a user of the library needs, and with --role what a"
    " publisher or a pipeline does",
    429: "the workspace limits its requests: wait a minute, then run the same command again; it goes on from here",
    503: "the workspace did not recover in time: run the same command again; it goes on from here",
}


@dataclass(frozen=True, slots=True)
class Workspace:
    """An open workspace. ``client`` is the SDK's; ``host`` without a slash at its end; ``user`` is who is logged in;
    ``profile`` what was asked for, None for the login of the environment; ``groups`` are the names of those that the
    user belongs to, as the workspace said when it was opened (it may leave out those that hold another group).
    """

    client: WorkspaceClient = field(repr=False)
    host: str
    user: str
    profile: str | None = None
    groups: tuple[str, ...] = ()

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
        secrets = (*secrets, *_login_secrets(self.client.config))
        with _in_plain_words(f"{self.host}: cannot {what}", hint, secrets, self.user):
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

    _quieten(logging.getLogger("databricks.sdk"))
    named = f"the profile '{profile}'" if profile else "the environment and the profile DEFAULT"
    if profile:
        require_profile_counts(profile)
    try:
        config = Config(
            profile=profile,
            product="connector-lib",
            product_version=__version__,
            retry_timeout_seconds=_RETRY_SECONDS,
        )
        client = WorkspaceClient(config=config)
    except (ValueError, configparser.Error) as error:
        # The SDK lists what it tried, and among it the values of what is no secret; a file of profiles that cannot be
        # read is shown from the second line on.
        reason = str(error).partition(". Config:")[0].splitlines()[0]
        raise WorkspaceError(f"no login to a workspace by {named}: {reason}", hint=_LOG_IN) from None
    host = str(config.host).rstrip("/")
    with _in_plain_words(f"{host}: cannot log in by {named}", "", _login_secrets(config)):
        me = client.current_user.me()
    groups = tuple(group.display for group in me.groups or () if group.display)
    return Workspace(client, host, me.user_name or "", profile, groups)


def _quieten(sdk_log: logging.Logger) -> None:
    """Keeps the SDK's log silent where nobody asked for it, and secrets out of it where somebody did: its records hold
    what the workspace answers, such as the error of an update."""
    if not any(isinstance(it, SecretsFilter) for it in sdk_log.filters):
        sdk_log.addFilter(SecretsFilter(lambda: Secrets(secrets_in_environment(os.environ))))
    # What it warns of comes back as an error, or is of no use to the person at the keyboard.
    if not sdk_log.handlers:
        sdk_log.addHandler(logging.NullHandler())


@contextmanager
def _in_plain_words(what: str, hint: str, secrets: Iterable[str], user: str = "") -> Iterator[None]:
    from databricks.sdk.errors.base import DatabricksError
    from requests import RequestException

    try:
        yield
    except DatabricksError as error:
        raise _refused(error, what, hint, secrets, user) from None
    except TimeoutError as error:
        cause = error.__cause__
        if isinstance(cause, DatabricksError):
            raise _refused(cause, f"{what}, tried for {_RETRY_SECONDS} s", hint, secrets, user) from None
        raise WorkspaceError(
            f"{what}: no answer within {_RETRY_SECONDS} s", hint=hint or "is the host right, and can it be reached?"
        ) from None
    except (RequestException, ValueError, OSError) as error:
        if not isinstance(error, RequestException) and _of_the_login(error):
            said = masked(" ".join(str(error).split()), secrets)[:_LONGEST_WORDS]
            raise WorkspaceError(
                f"{what}: the login gives no token: {said}", hint=f"the login may have expired: {_LOG_IN}", status=401
            ) from None
        if isinstance(error, OSError) and error.filename is not None:
            # A file of this machine that was read or written within.
            raise
        # Of a request's exception only the kind is shown: its words hold the whole address.
        raise WorkspaceError(
            f"{what}: {type(error).__name__} while asking it", hint=hint or "is the host right, and can it be reached?"
        ) from None


def _of_the_login(error: BaseException) -> bool:
    """Whether it was raised while the SDK asked for a token, which it does before any request, and from programs and
    servers other than the workspace. Its exceptions do not say so: they are plain ones of Python (seen in
    databricks-sdk 0.156.0, where all of it is called by ``Config.authenticate``)."""
    return any(
        frame.f_code.co_name == "authenticate" and frame.f_globals.get("__name__") == "databricks.sdk.config"
        for frame, _ in traceback.walk_tb(error.__traceback__)
    )


def _login_secrets(config: Config) -> frozenset[str]:
    """The secrets that the login is made with."""
    values = (getattr(config, attribute.name, None) for attribute in config.attributes() if attribute.sensitive)
    return frozenset(value for value in values if isinstance(value, str) and value) | secrets_in_environment(os.environ)


def _refused(error: DatabricksError, what: str, hint: str, secrets: Iterable[str], user: str) -> WorkspaceError:
    status = _status(error)
    # The SDK adds the configuration that it used, which says nothing to the person at the keyboard.
    said = masked(" ".join(str(error).partition(". Config:")[0].split()), secrets)
    code = f" ({error.error_code})" if error.error_code else ""
    usual = _HINTS.get(status or 0, "").format(who=shlex.quote(user) if user else "<who>")
    return WorkspaceError(f"{what}: {said}{code}", hint=hint or usual, status=status, error_code=error.error_code)


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
