"""The one error tree.

::

    ConnectorLibError
    ├── UsageError                a wrong option, path or name given by the person at the keyboard
    ├── ConfigurationError        a file of a pipeline folder, or an option in it, is wrong
    │   ├── PipelineRuleError     a transformation file does what pipelines must not do
    │   ├── SpecError (ValueError)        a pipeline spec (``ingest.yml``) is wrong
    │   └── OptionError (ValueError)      an option of a connection or of a source's table is wrong
    ├── MissingRequirementError   something that has to be installed is missing
    ├── BrokerError               servers of a topic do not answer, refuse, or do not confirm what they were sent
    ├── SourceError               a source of records could not be read
    │   ├── UnknownTableError (ValueError)  the source has no such table
    │   ├── ApiError                  an API refused, failed, or answered what cannot be read
    │   │   └── PagingError               the pages of an answer do not lead to an end
    │   ├── OffsetError               an offset belongs to other options, or cannot be gone on from
    │   ├── ConversionError (ValueError)    a value does not fit the type of its column
    │   └── ContractError             a connector breaks a rule of the contract
    ├── WarehouseError            a local warehouse folder is in use, incomplete or not ours
    ├── PipelineRunError          a pipeline was started and failed
    ├── ReleaseError              a wheel, or a version of it in a Volume, is not what it has to be
    ├── WorkspaceError            a Databricks workspace refused, failed, or did not answer
    └── HL7Error (ValueError)     text that is not HL7 v2
        ├── ParseError            no readable MSH segment
        └── PathError             a path such as ``PID-3[2].1`` that cannot be understood

Every message says what is wrong and where; ``hint`` says what to do. Neither holds a secret or a value of a
patient: positions and names only.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "ApiError",
    "BrokerError",
    "ConfigurationError",
    "ConnectorLibError",
    "ContractError",
    "ConversionError",
    "HL7Error",
    "MissingRequirementError",
    "OffsetError",
    "OptionError",
    "PagingError",
    "ParseError",
    "PathError",
    "PipelineRuleError",
    "PipelineRunError",
    "ReleaseError",
    "SourceError",
    "SpecError",
    "UnknownTableError",
    "UsageError",
    "WarehouseError",
    "WorkspaceError",
    "did_you_mean",
]


class ConnectorLibError(Exception):
    """What every error of this package is.

    ``message`` says what is wrong and where, ``hint`` what to do about it (may be empty).

    >>> str(ConnectorLibError("table 'adt' is not there", hint="run the pipeline first"))
    "table 'adt' is not there\\n  run the pipeline first"
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default pickling, and errors cross to Spark's workers.
        return (_rebuild, (type(self), self.message, self.hint))


def _rebuild(kind: type[ConnectorLibError], message: str, hint: str) -> ConnectorLibError:
    return kind(message, hint=hint)


class UsageError(ConnectorLibError):
    """A wrong option, path or name, given by the person at the keyboard. The command ends with exit code 2."""


class ConfigurationError(ConnectorLibError):
    """A file of a pipeline folder, or an option in it, is wrong. Names the file and the key."""


class PipelineRuleError(ConfigurationError):
    """A transformation file does what would lose rows without an error. Names file and line."""


class SpecError(ConfigurationError, ValueError):
    """A pipeline spec is wrong: names the object in it and the key."""


class OptionError(ConfigurationError, ValueError):
    """An option of a connection, or of a table of a source, is missing, unknown or wrong. Names it, and never shows
    the value of a secret one."""


class MissingRequirementError(ConnectorLibError):
    """Something that has to be installed is not there: pyspark, Java, an extra. Says how to get it."""


class BrokerError(ConnectorLibError):
    """Servers of a topic do not answer, refuse the login, lack the topic, or do not confirm what they were sent.

    Names the servers and the topic, never the secret of the login.
    """


class SourceError(ConnectorLibError):
    """A source of records could not be read to its end. Nothing that was read of it may be taken for the whole."""


class UnknownTableError(SourceError, ValueError):
    """The source has no table of that name."""


class ApiError(SourceError):
    """An API refused, failed, did not answer in time, or answered what cannot be read.

    ``status`` is the HTTP status, None where there was no answer; ``request_id`` what the API calls the request, where
    it names it. The message has method, origin and path, never a query, a header or a whole body.
    """

    def __init__(
        self, message: str, *, hint: str = "", status: int | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.request_id = request_id

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild_api_error, (type(self), self.message, self.hint, self.status, self.request_id))


def _rebuild_api_error(
    kind: type[ApiError], message: str, hint: str, status: int | None, request_id: str | None
) -> ApiError:
    return kind(message, hint=hint, status=status, request_id=request_id)


class PagingError(ApiError):
    """The pages of an answer do not lead to an end: a page that was seen before, too many, or one elsewhere."""


class OffsetError(SourceError):
    """An offset belongs to other options, or to a state that the source has forgotten. The hint says what to do, which
    is a full refresh for the most part."""


class ConversionError(SourceError, ValueError):
    """A value does not fit the type of its column. Names the column and the type, never the value."""


class ContractError(SourceError):
    """A connector breaks a rule of the contract (:mod:`connector_lib.connector.interface`): rows without progress, an
    offset that is no JSON object, a snapshot that has no end."""


class WarehouseError(ConnectorLibError):
    """A local warehouse folder is in use by another run, incomplete, or was not made by this package."""


class PipelineRunError(ConnectorLibError):
    """A pipeline was started and failed. Names the flow, and file and line where they are known."""


class ReleaseError(ConnectorLibError):
    """A wheel is damaged, of another project, or of a version that is in the Volume with other bytes; or a version is
    not there. Names the file and the version."""


class WorkspaceError(ConnectorLibError):
    """A Databricks workspace refused, failed, or did not answer. Names the workspace and what was asked of it.

    ``status`` is the HTTP status, ``error_code`` Databricks' own name of the failure, such as ``PERMISSION_DENIED``;
    None where there was no answer.
    """

    def __init__(
        self, message: str, *, hint: str = "", status: int | None = None, error_code: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.error_code = error_code

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild_workspace_error, (self.message, self.hint, self.status, self.error_code))


def _rebuild_workspace_error(message: str, hint: str, status: int | None, error_code: str | None) -> WorkspaceError:
    return WorkspaceError(message, hint=hint, status=status, error_code=error_code)


class HL7Error(ConnectorLibError, ValueError):
    """Text that cannot be read as HL7 v2, or a question about it that cannot be answered."""


class ParseError(HL7Error):
    """A text that has no readable MSH segment (HL7 v2 chapter 2, message header segment)."""


class PathError(HL7Error):
    """A path such as ``PID-3[2].1`` that cannot be understood."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The start of a hint: the one of ``known`` that is most like ``word``, empty where none is.

    >>> did_you_mean("librarys", ["name", "libraries"])
    "did you mean 'libraries'? "
    >>> did_you_mean("x", ["name", "libraries"])
    ''
    """
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean '{near[0]}'? " if near else ""
