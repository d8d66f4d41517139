"""The command's parts put together, and every way it can end."""

from __future__ import annotations

import sys
import traceback
from typing import Annotated

import typer

from connector_lib import __version__
from connector_lib.cli import doctor, hl7v2, run, sample, show
from connector_lib.errors import ConnectorLibError, UsageError

__all__ = ["build_app", "run_command"]

_BUG = """\
this is a bug in connector_lib {version}: {kind}
  please report it with the command that you typed; '--verbose' shows where it happened
"""


def build_app() -> typer.Typer:
    """The typer application with every command registered."""
    app = typer.Typer(
        name="connector-lib",
        help="Healthcare messages, REST APIs and event streams as tables.\n\n"
        "Example: connector-lib run pipelines/hl7v2_files --set source.storage_path=/data/hl7",
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
    ) -> None:
        """Healthcare messages, REST APIs and event streams as tables."""

    for group in (run, show, doctor, hl7v2, sample):
        group.register(app)
    return app


def run_command(arguments: list[str]) -> int:
    """Runs the command and gives its exit code; every error becomes words on the error stream."""
    verbose = "--verbose" in arguments
    try:
        code = build_app()(args=arguments, standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("stopped by Ctrl-C\n")
        return 130
    except ConnectorLibError as error:
        if verbose:
            traceback.print_exc()
        sys.stderr.write(f"{error}\n")
        return 2 if isinstance(error, UsageError) else 1
    except BrokenPipeError:
        # The reader of our output, such as 'head', has had enough.
        sys.stderr.close()
        return 0
    except Exception as error:  # noqa: BLE001 - the last place where anything can be said
        show = getattr(error, "show", None)
        if callable(show):
            # A usage error of click, which newer versions of typer carry inside under another name.
            show()
            return 2
        if verbose:
            traceback.print_exc()
        sys.stderr.write(_BUG.format(version=__version__, kind=type(error).__name__))
        return 3
    return code if isinstance(code, int) else 0


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"connector-lib {__version__}")
        raise typer.Exit
