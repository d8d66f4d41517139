"""Secrets that are known by the names of options and variables, and texts without them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

__all__ = ["SECRET_NAMES", "masked", "secrets_in_environment", "secrets_in_options"]

_NAMES: Final = (
    *("secret", "password", "passwd", "token", "access[._]?key", "jaas", "keystore[.]key", "credential"),
    "connection.?string",
)
SECRET_NAMES: Final = f"(?i){'|'.join(_NAMES)}"
"""What the name of an option, a setting or a variable has in it whose value is a secret: a regular expression that
Python and Java read alike."""

_SECRET_NAME: Final = re.compile(SECRET_NAMES)
_IN_JAAS: Final = re.compile(r'(\w+)\s*=\s*"((?:[^"\\]|\\.)*)(?:"|\Z)', re.DOTALL)
_ESCAPED: Final = {"n": "\n", "r": "\r", "t": "\t"}
"""What Java's ``StreamTokenizer``, which reads a login, makes of a letter behind a backslash; others stay."""
_IN_CONNECTION_STRING: Final = re.compile(r"SharedAccess(?:Key|Signature)=([^;]+)")
_SHORTEST: Final = 4
"""Shorter ones are left in: to take 'ab' out of every text would say where it was."""
_SHORTEST_IN_ENVIRONMENT: Final = 8
"""The environment holds what any program put there: shorter ones are switches and common words more often."""
_NUMBER_OR_FLAG: Final = re.compile(r"(?i)[-+]?\d+(?:\.\d+)?|disabled|optional|preferred|required|undefined")
_BEGINS_PATH: Final = ("/", "~/", "./", "../")
_STARS: Final = "*****"


def secrets_in_options(options: Mapping[str, str]) -> frozenset[str]:
    """The values of those of ``options`` whose names tell a secret, and the secret parts of such values.

    >>> sorted(secrets_in_options({"sasl.jaas.config": 'Module required username="lab" password="hush hush";'}))
    ['Module required username="lab" password="hush hush";', 'hush hush']
    """
    values = [value for name, value in options.items() if _SECRET_NAME.search(name)]
    return frozenset(part for value in values for part in _parts(value) if len(part) >= _SHORTEST)


def secrets_in_environment(environment: Mapping[str, str]) -> frozenset[str]:
    """The values of the variables whose names tell a secret, such as ``KAFKA_PASSWORD``, and the secret parts of them.

    Values of less than 8 characters, numbers, flags and paths are no secrets: a text would lose common words.

    >>> secrets_in_environment({"KAFKA_PASSWORD": "hush hush", "USE_TOKEN": "false", "TOKEN_FILE": "/etc/token"})
    frozenset({'hush hush'})
    """
    return secrets_in_options({name: value for name, value in environment.items() if _may_be_secret(value.strip())})


def _may_be_secret(value: str) -> bool:
    too_short = len(value) < _SHORTEST_IN_ENVIRONMENT
    return not (too_short or _NUMBER_OR_FLAG.fullmatch(value) or _is_path(value))


def _is_path(value: str) -> bool:
    """Whether ``value`` is a path on this machine: a key in base 64 can begin as one, but has no such top folder."""
    if not value.startswith(_BEGINS_PATH):
        return False
    try:
        return Path(*Path(value).expanduser().absolute().parts[:2]).exists()
    except (OSError, RuntimeError, ValueError):
        return False


def masked(text: str, secrets: Iterable[str]) -> str:
    """``text`` with stars for every one of ``secrets`` in it.

    >>> masked("hush hush, said nobody", {"hush hush"})
    '*****, said nobody'
    """
    # The longest first: one may be a part of another.
    for value in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(value, _STARS)
    return text


def _parts(value: str) -> Iterable[str]:
    yield value
    yield from _IN_CONNECTION_STRING.findall(value)
    for name, quoted in _IN_JAAS.findall(value):
        if _SECRET_NAME.search(name):
            plain = re.sub(r"\\(.)", lambda found: _ESCAPED.get(found[1], found[1]), quoted, flags=re.DOTALL)
            yield from (quoted, plain, *_IN_CONNECTION_STRING.findall(plain))
