"""Published jars, brought by Apache Ivy, which comes with Spark.

Not by ``spark.jars.packages``: that resolves inside the start of Spark's JVM, takes whatever the jars ask for, with
Hadoop once more, and where one version is missing there is no Spark and a page of Java. Ivy alone says how it ended
before Spark is started, and the caller says which modules are wanted.

Source: https://ant.apache.org/ivy/history/2.5.3/standalone.html and .../settings.html.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.sax.saxutils import quoteattr

from connector_lib.errors import MissingRequirementError
from connector_lib.local.installed_jars import installed_jars
from connector_lib.local.java import JavaRuntime
from connector_lib.local.lock import holding

__all__ = ["Module", "fetch_jars", "put_in_place", "versions_up_to"]

_LONGEST_SECONDS = 120
_CONNECT_MS, _READ_MS = 5_000, 30_000

_SETTINGS = """\
<ivysettings>
  <settings defaultResolver="central"/>
  <caches defaultCacheDir="${{ivy.settings.dir}}/cache"/>
  <version-matchers usedefaults="true">
    <pattern-vm>
{matches}
    </pattern-vm>
  </version-matchers>
  <timeout-constraints>
    <timeout-constraint name="bounded" connectionTimeout="{connect}" readTimeout="{read}"/>
  </timeout-constraints>
  <resolvers>
    <ibiblio name="central" m2compatible="true" timeoutConstraint="bounded"/>
  </resolvers>
</ivysettings>
"""
_MATCH = "      <match revision={name} pattern={pattern} matcher='regexp'/>"
_MODULES = """\
<ivy-module version="2.0">
  <info organisation="connector-lib" module="wanted"/>
  <configurations><conf name="default"/></configurations>
  <dependencies>
{dependencies}
    <exclude org=".*" module={others} artifact=".*" type=".*" ext=".*" matcher="regexp"/>
{overrides}
  </dependencies>
</ivy-module>
"""
_DEPENDENCY = "    <dependency org={org} name={name} rev={rev} conf='default->master,runtime'/>"
_OVERRIDE = "    <override org={org} module={name} rev={rev}/>"

# What Ivy says, most telling first.
_REASONS: Final = (
    ("SSLHandshakeException", "the certificate of the Maven repository is not one that {java} trusts"),
    ("timed out", "the Maven repository does not answer"),
    ("Server access error", "the Maven repository is not reached: no network, or a proxy in between"),
    ("UnknownHostException", "the Maven repository is not reached: no network, or a proxy in between"),
    ("unresolved dependency", "the Maven repository has no version that fits"),
)


@dataclass(frozen=True, slots=True)
class Module:
    """A module of a Maven repository. ``versions`` is a regular expression, of which the newest that is published is
    taken; None leaves the version to the modules that ask for this one."""

    organisation: str
    name: str
    versions: str | None = None


def versions_up_to(version: tuple[int, int, int], oldest: tuple[int, int]) -> str:
    """A regular expression for the final versions from ``oldest``.0 to ``version``, of one major number.

    >>> versions_up_to((4, 3, 1), oldest=(4, 2))
    '4\\\\.(?:(?:2)\\\\.\\\\d+|3\\\\.(?:0|1))'
    """
    major, minor, patch = version
    same_minor = rf"{minor}\.(?:{'|'.join(map(str, range(patch + 1)))})"
    older = "|".join(map(str, range(oldest[1], minor)))
    return rf"{major}\.(?:(?:{older})\.\d+|{same_minor})" if older else rf"{major}\.(?:{same_minor})"


def fetch_jars(modules: Sequence[Module], folder: Path, java: JavaRuntime, is_complete: Callable[[Path], bool]) -> None:
    """Puts the jars of ``modules``, and no others, into ``folder``, as :func:`put_in_place` does.

    Ends within two minutes. Raises :class:`~connector_lib.errors.MissingRequirementError` with the reason, where a
    module cannot be had; what Ivy said is in the file that it names.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f"unfinished-{folder.name}-", dir=folder.parent))
    log = folder.with_name(f"{folder.name}.log")
    try:
        said = _run_ivy(modules, work, java)
        log.write_text(said.text, encoding="utf-8")
        if not said.ok or not any((work / "jars").glob("*.jar")):
            raise MissingRequirementError(_reason(said, java), hint=f"what was tried is in {log}")
        put_in_place(work / "jars", folder, is_complete)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def put_in_place(jars: Path, folder: Path, is_complete: Callable[[Path], bool]) -> None:
    """Makes the folder ``jars`` the ``folder``, unless another run was faster: what is complete there stays.

    Runs take turns by a lock file beside ``folder``. Raises OSError where the folder cannot be written.
    """
    with holding(folder.with_name(f"{folder.name}.lock")):
        if is_complete(folder):
            return
        shutil.rmtree(folder, ignore_errors=True)
        jars.rename(folder)


@dataclass(frozen=True, slots=True)
class _Answer:
    ok: bool
    text: str
    in_time: bool = True


def _run_ivy(modules: Sequence[Module], work: Path, java: JavaRuntime) -> _Answer:
    settings, wanted = work / "ivysettings.xml", work / "ivy.xml"
    settings.write_text(_settings(modules), encoding="utf-8")
    wanted.write_text(_wanted(modules), encoding="utf-8")
    command = [str(java.executable), "-cp", str(_ivy_jar()), "org.apache.ivy.Main"]
    command += ["-settings", str(settings), "-ivy", str(wanted), "-confs", "default", "-types", "jar"]
    command += ["-retrieve", f"{work}/jars/[artifact]-[revision].[ext]"]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_LONGEST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return _Answer(False, (error.output or b"").decode(errors="replace"), in_time=False)
    return _Answer(done.returncode == 0, done.stdout.decode(errors="replace"))


def _ivy_jar() -> Path:
    found = sorted(installed_jars().glob("ivy-[0-9]*.jar"))
    if not found:
        raise MissingRequirementError(
            "this pyspark comes without Apache Ivy, by which Spark gets published jars",
            hint="pip install --force-reinstall pyspark",
        )
    return found[-1]


def _settings(modules: Sequence[Module]) -> str:
    # A revision 'name()' is what Ivy calls dynamic: the newest one that its pattern fits.
    matches = [
        _MATCH.format(name=quoteattr(module.name), pattern=quoteattr(module.versions))
        for module in modules
        if module.versions is not None
    ]
    return _SETTINGS.format(matches="\n".join(matches), connect=_CONNECT_MS, read=_READ_MS)


def _wanted(modules: Sequence[Module]) -> str:
    chosen = [
        {"org": quoteattr(module.organisation), "name": quoteattr(module.name), "rev": quoteattr(f"{module.name}()")}
        for module in modules
        if module.versions is not None
    ]
    names = "|".join(re.escape(module.name) for module in modules)
    return _MODULES.format(
        dependencies="\n".join(_DEPENDENCY.format(**values) for values in chosen),
        overrides="\n".join(_OVERRIDE.format(**values) for values in chosen),
        others=quoteattr(rf"^(?!(?:{names})$).*"),
    )


def _reason(answer: _Answer, java: JavaRuntime) -> str:
    if not answer.in_time:
        return f"the Maven repository did not give them within {_LONGEST_SECONDS} s"
    for sign, reason in _REASONS:
        if sign in answer.text:
            return reason.format(java=java.executable)
    return "Apache Ivy could not get them"
