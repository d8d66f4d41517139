"""The console command ``connector-lib``."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs ``connector-lib`` with ``arguments`` (those of the process by default) and gives the exit code.

    0: done. 1: it failed. 2: wrong usage. 3: a fault of this package. 130: ended by Ctrl-C.
    """
    missing = [name for name in ("typer", "rich") if importlib.util.find_spec(name) is None]
    if missing:
        sys.stderr.write(
            f"connector-lib needs {' and '.join(missing)}, which the base install leaves out\n"
            "  pip install 'connector_lib[cli]'\n"
        )
        return 2
    from connector_lib.cli.app import run_command

    return run_command(list(sys.argv[1:] if arguments is None else arguments))


if __name__ == "__main__":
    sys.exit(main())
