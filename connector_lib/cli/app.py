"""The command's parts put together, and every way it can end."""

from __future__ import annotations

import importlib
import io
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Final

import typer

import connector_lib
from connector_lib import __version__
from connector_lib.cli.command_list import COMMANDS
from connector_lib.errors import ConnectorLibError, UsageError
from connector_lib.redaction import masked, secrets_in_environment

__all__ = ["run_command"]

_HELP = """\
HL7 v2 messages, FHIR and other APIs, and event streams as tables.

\b
Example: connector-lib run pipelines/hl7v2_files \\
    --set source.storage_path=/data/hl7

\b
Example: connector-lib read Patient --connection ehr --limit 5
"""
_BUG = """\
this is a bug in connector_lib {version}: {kind} in {place}
  please report it with the command that you typed; 'connector-lib --verbose ...' shows how it came about
"""
_STOPPED: Final = 130


def _build_app(arguments: list[str]) -> typer.Typer:
    """The typer application with the command that ``arguments`` ask for; without one, with the list of all."""
    app = typer.Typer(
        name="connector-lib",
        help=_HELP,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )

    @app.callback()
    def options(
        version: Annotated[
            bool,
            typer.Option("--version", help="Print the version and end.", callback=_print_version, is_eager=True),
        ] = False,
        verbose: Annotated[
            bool, typer.Option("--verbose", help="Where something fails, show where in the code.")
        ] = False,
    ) -> None:
        """HL7 v2 messages, FHIR and other APIs, and event streams as tables."""

    # No option before the command takes a value; --help there is about all commands.
    typed = next((word for word in arguments if word == "--help" or not word.startswith("-")), "")
    if typed in COMMANDS:
        importlib.import_module(f"connector_lib.cli.{COMMANDS[typed].module}").register(app)
        return app
    for name, command in COMMANDS.items():
        app.command(name, short_help=command.summary)(_only_listed)
    return app


def _only_listed() -> None:
    raise AssertionError("a command that was typed is registered by its module")


def run_command(arguments: list[str]) -> int:
    """Runs the command and gives its exit code; every error becomes words on the error stream."""
    verbose = "--verbose" in arguments
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What a terminal's character set lacks is written as an escape; it is no error.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _build_app(arguments)(args=arguments, standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        code = _STOPPED
    except ConnectorLibError as error:
        if verbose:
            sys.stderr.write(_trace())
        sys.stderr.write(f"error: {error}\n")
        return 2 if isinstance(error, UsageError) else 1
    except SystemExit as ended:
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        # The reader of our output, such as 'head', has had enough; click makes this of it.
        return 0
    except Exception as error:  # noqa: BLE001 - the last place where anything can be said
        show = getattr(error, "show", None)
        if callable(show):
            # A usage error of click, which newer versions of typer carry inside under another name.
            show()
            return 2
        if verbose:
            sys.stderr.write(_trace())
        sys.stderr.write(_BUG.format(version=__version__, kind=type(error).__name__, place=_place(error)))
        return 3
    if code == _STOPPED:
        # Some versions of typer make an exit code of Ctrl-C, others an exception.
        sys.stderr.write("stopped by Ctrl-C\n")
    return code if isinstance(code, int) else 0


def _trace() -> str:
    """How the exception that is handled came about. Causes of it may say what no message of ours does."""
    return masked(traceback.format_exc(), secrets_in_environment(os.environ))


def _place(error: BaseException) -> str:
    """The innermost line of this package that ``error`` came through."""
    package = Path(connector_lib.__file__).parent
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if package in Path(frame.filename).parents]
    return f"{Path(frames[-1].filename).relative_to(package.parent)}:{frames[-1].lineno}"


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"connector-lib {__version__}")
        raise typer.Exit
