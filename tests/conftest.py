"""Which tests stay in one process, where several run them."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

# The processes of pytest-xdist are told how wide a terminal is, and the commands that they run would fold tables to it.
os.environ.pop("COLUMNS", None)

# A shell starts what it puts into the background without Ctrl-C, and the commands that tests start inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

_TOGETHER: Final = {
    "tests/servers/workspace/": "",
    "tests/servers/": "servers",
    "tests/spark/pipelines/": "pipelines",
    "tests/spark/local/": "",
    "tests/spark/benchmarks/": "",
    "tests/spark/": "spark",
}
"""Folders whose files share what takes long to make: a broker, the tables of a run, the one Spark session. Of the
others each file is by itself."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Hands out tests by folders and files, so that what they share is made once."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFolder(LoadScopeScheduling):  # type: ignore[misc]  # of no type where xdist has none
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return next((group for folder, group in _TOGETHER.items() if file.startswith(folder)), "") or file

    return ByFolder(config, log)
