"""Small wheels of this package for tests, of whatever version and contents."""

from __future__ import annotations

from pathlib import Path

from connector_lib.deploy.wheel import Wheel, write_wheel

__all__ = ["small_wheel"]

_METADATA = """\
Metadata-Version: 2.4
Name: connector-lib
Version: {version}
Provides-Extra: fhir

Version: of the description, which stays as it is
"""
_SOURCE = '''\
"""A package with nothing in it."""

__version__ = "{version}"
'''


def small_wheel(folder: Path, version: str = "0.1.0", module: str = "") -> Wheel:
    """A whole wheel of ``version`` in ``folder``; ``module`` is the text of a file in it, by which two differ."""
    info = f"connector_lib-{version}.dist-info"
    files = {
        "connector_lib/__init__.py": _SOURCE.format(version=version),
        "connector_lib/module.py": module,
        f"{info}/METADATA": _METADATA.format(version=version),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    folder.mkdir(parents=True, exist_ok=True)
    return write_wheel({name: text.encode() for name, text in files.items()}, version, folder)
