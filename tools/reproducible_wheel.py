"""The wheel, with the same bytes whoever builds it, where and when: pyproject.toml's ``bdist_wheel``."""

from __future__ import annotations

import os
import shutil

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError as error:  # setuptools before 70.1 had no such command of its own
    raise SystemExit(
        "this setuptools is too old; pyproject.toml names the one to build with, and `make wheel` installs it"
    ) from error

# A zip file cannot say an earlier time.
EARLIEST_ZIP_TIME = "315532800"


class ReproducibleWheel(bdist_wheel):
    """``bdist_wheel`` that depends on the source files and nothing else.

    setuptools puts into a wheel what an earlier build left in ``build/``, the permission bits that the umask
    gives, and the time of day unless ``SOURCE_DATE_EPOCH`` is set. Here ``build/`` is made anew, the umask is
    022, and ``SOURCE_DATE_EPOCH`` has a default.
    """

    def run(self) -> None:
        """Build the wheel into ``dist_dir``."""
        shutil.rmtree(self.get_finalized_command("build").build_base, ignore_errors=True)
        os.environ["SOURCE_DATE_EPOCH"] = os.environ.get("SOURCE_DATE_EPOCH") or EARLIEST_ZIP_TIME
        umask = os.umask(0o022)
        try:
            super().run()
        finally:
            os.umask(umask)
