"""Secrets that are known by the names of options and variables, and texts and log records without them."""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_plus

__all__ = [
    "SECRET_NAMES",
    "Secrets",
    "SecretsFilter",
    "masked",
    "masked_logs",
    "secrets_in_environment",
    "secrets_in_headers",
    "secrets_in_options",
]

_NAMES: Final = (
    *("secret", "password", "passwd", "token", "access[._]?key", "jaas", "keystore[.]key", "credential"),
    "connection.?string",
)
SECRET_NAMES: Final = f"(?i){'|'.join(_NAMES)}"
"""What the name of an option, a setting or a variable has in it whose value is a secret: a regular expression that
Python and Java read alike."""

_SECRET_NAME: Final = re.compile(SECRET_NAMES)
_LOGIN_HEADER: Final = re.compile("(?i)auth|cookie|key|session")
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
_URL_SAFE: Final = str.maketrans("+/", "-_")


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


def secrets_in_headers(headers: Mapping[str, str]) -> frozenset[str]:
    """The values of those HTTP headers whose names tell a login: ``Authorization``, ``X-Api-Key``, ``Cookie`` and such.

    >>> secrets_in_headers({"Ocp-Apim-Subscription-Key": "hush hush", "Accept": "application/json"})
    frozenset({'hush hush'})
    """
    told = [value for name, value in headers.items() if _LOGIN_HEADER.search(name) or _SECRET_NAME.search(name)]
    return frozenset(value for value in told if len(value) >= _SHORTEST)


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


class Secrets:
    """Values that no text may show, in every form that they take on their way through HTTP.

    A value is masked as it is, percent-encoded (in a query or a form), in base 64 at any place of a longer text (the
    header of basic authentication), and as JSON writes it. Values of less than 4 characters are left out. Two sets are
    joined by ``|``. The text of such an object tells how many there are and nothing else.

    >>> secrets = Secrets({"hush/hush"})
    >>> secrets.masked("GET /x?key=hush%2Fhush: 'hush/hush' is refused")
    "GET /x?key=*****: '*****' is refused"
    >>> secrets
    Secrets(1)
    """

    __slots__ = ("_pattern", "_values")

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values = frozenset(value for value in values if len(value) >= _SHORTEST)
        self._pattern: re.Pattern[str] | None = None

    def masked(self, text: str) -> str:
        """``text`` with stars for every form of every value."""
        if not self._values:
            return text
        if self._pattern is None:
            # Made when it is needed: most of these objects are only joined with others.
            forms = {form for value in self._values for form in _forms(value)}
            # The longest first: one may be a part of another.
            longest_first = sorted(forms, key=lambda form: (-len(form), form))
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))
        return self._pattern.sub(_STARS, text)

    def __or__(self, other: Secrets) -> Secrets:
        if other._values <= self._values:
            return self
        return Secrets(self._values | other._values)

    def __bool__(self) -> bool:
        return bool(self._values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secrets) and self._values == other._values

    def __hash__(self) -> int:
        return hash(self._values)

    def __reduce__(self) -> tuple[object, ...]:
        return (Secrets, (tuple(self._values),))

    def __repr__(self) -> str:
        return f"Secrets({len(self._values)})"


def _forms(value: str) -> Iterator[str]:
    yield value
    for encoded in (
        quote(value, safe="", errors="replace"),
        quote(value, errors="replace"),
        quote_plus(value, errors="replace"),
    ):
        yield encoded
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), encoded)
    for as_ascii in (True, False):
        in_json = json.dumps(value, ensure_ascii=as_ascii)[1:-1]
        yield in_json
        yield in_json.replace("/", "\\/")
    yield repr(value)[1:-1]
    octets = value.encode("utf-8", errors="replace")
    for before in range(3):
        inside = _inside_base64(octets, before)
        if len(inside) >= _SHORTEST:
            yield inside
            yield inside.translate(_URL_SAFE)
            yield quote(inside, safe="")


def _inside_base64(octets: bytes, before: int) -> str:
    """What base 64 always makes of ``octets`` behind ``before`` other bytes: the letters that no neighbour has a part
    in."""
    text = base64.b64encode(b"\0" * before + octets).decode("ascii")
    first = (before * 8 + 5) // 6
    behind_last = (before + len(octets)) * 8 // 6
    return text[first:behind_last]


class SecretsFilter(logging.Filter):
    """Takes secrets out of log records: out of the message, its arguments, the trace, and texts put on the record.

    ``secrets`` is asked for each record, since tokens come and go. Put it on a handler, which every record passes; on
    a logger it meets only the records of that very logger.
    """

    def __init__(self, secrets: Callable[[], Secrets]) -> None:
        super().__init__()
        self._secrets = secrets

    def filter(self, record: logging.LogRecord) -> bool:
        """Masks the record in place, and lets every one pass."""
        secrets = self._secrets()
        if not secrets:
            return True
        record.msg, record.args = secrets.masked(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        # The trace is text now: a handler that prints the exception itself would show what it says.
        record.exc_info = None
        for name, value in list(record.__dict__.items()):
            if isinstance(value, str):
                record.__dict__[name] = secrets.masked(value)
        return True


@contextmanager
def masked_logs(secrets: Callable[[], Secrets], *loggers: str) -> Iterator[None]:
    """Takes secrets out of the records of the named loggers while the block runs.

    >>> with masked_logs(lambda: Secrets({"hush hush"}), "urllib3.connectionpool"):
    ...     logging.getLogger("urllib3.connectionpool").debug("the key is hush hush")
    """
    added = SecretsFilter(secrets)
    for name in loggers:
        logging.getLogger(name).addFilter(added)
    try:
        yield
    finally:
        for name in loggers:
            logging.getLogger(name).removeFilter(added)
