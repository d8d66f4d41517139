"""Looking for secrets in what goes to a workspace, where all who may see a pipeline could read them.

Three things are looked for: the values of secrets that are known on this machine, keys and tokens that are known by
their shape, and literal values under keys whose names tell a secret.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import yaml

from connector_lib.errors import ConfigurationError
from connector_lib.project.deployment import DEPLOY_FILE, SECRET_REFERENCE, names_no_secret
from connector_lib.redaction import Secrets, secrets_in_environment

__all__ = ["known_secrets", "refuse_secrets", "refuse_secrets_in_file", "without_common_words"]

_SHAPES: Final = (
    (
        "a private key",
        re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?:\s|\\r|\\n)+[A-Za-z0-9+/]"),
    ),
    ("a token of Databricks", re.compile(r"\b(?:dapi|dose|dkea)[0-9a-f]{32}\b")),
    ("a token of GitHub", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{40})")),
    ("a token of GitLab", re.compile(r"\bglpat-[\w-]{20}")),
    ("a token of Slack", re.compile(r"\bxox[abeoprs]-[\w-]{20}")),
    ("a token of PyPI", re.compile(r"\bpypi-AgE[\w-]{30}")),
    ("an access key of AWS", re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")),
    ("a key of Google", re.compile(r"\bAIza[\w-]{35}")),
    ("a key of Azure", re.compile(r"\b(?:SharedAccessKey|AccountKey)=[A-Za-z0-9+/]{20}")),
    ("a web token", re.compile(r"\beyJ[\w-]{16,}\.eyJ[\w-]{16,}\.[\w-]{16,}")),
    ("an address with a login", re.compile(r"\bhttps?://[^/\s@:\"'<>{}$]+:[^/\s@\"'<>{}$]+@[\w.-]")),
)
_SECRET_KEY: Final = re.compile(
    r"(?i)(?:^|[._\s-]|(?<=[a-z])(?=[A-Z]))(?:password|passwd|secret|token|credential|credentials|api[._-]?key"
    r"|access[._-]?key|account[._-]?key|private[._-]?key|secret[._-]?key|connection[._-]?string|jaas[._-]?config)$"
)
_NOT_A_LOGIN: Final = re.compile(r"(?i)(?:page|next|continuation|sync|skip|cursor)[._-]?token$")
_PLACEHOLDER: Final = re.compile(r"<[^<>]*>|\[[^\[\]]*\]|\*+|x{3,}|\.{3}|…", re.IGNORECASE)
_NO_VALUES: Final = frozenset(
    (
        *("basic", "bearer", "changeme", "hidden", "none", "null", "placeholder", "private", "public", "redacted"),
        *("binary", "bool", "boolean", "bytes", "date", "decimal", "double", "float", "int", "integer", "long"),
        *("number", "object", "string", "struct", "text", "timestamp", "varchar"),
        *("disabled", "enabled", "false", "optional", "required", "true", "undefined"),
        *("password", "secret", "token"),
    )
)
"""What stands under a key instead of a secret: a type, a column, a kind of login, a gap to fill."""
_COMMON: Final = _NO_VALUES | frozenset(
    (
        *("access", "admin", "credential", "credentials", "default", "demo", "dummy", "example"),
        *("local", "localhost", "root", "sample", "test", "testing", "user", "username"),
    )
)
"""Words that many texts have. As a password they keep nobody out, and every file that has them would be refused."""
_SHORTEST: Final = 4
_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^@]*")
_TAKE_OUT: Final = "take it out: secrets live in the connection of Unity Catalog, or in a secret scope"


def known_secrets() -> dict[str, Secrets]:
    """The secrets in the environment, by the words for where they come from.

    Without common words such as ``password``, addresses, and variables that only say where a secret is kept, such as
    ``SECRET_SCOPE``.
    """
    found: dict[str, Secrets] = {}
    for name, value in sorted(os.environ.items()):
        values = {it for it in secrets_in_environment({name: value}) if not _is_common(it)}
        if values and not names_no_secret(name) and not _ADDRESS.fullmatch(value):
            found[f"the environment variable {name}"] = Secrets(values)
    return found


def without_common_words(values: frozenset[str]) -> frozenset[str]:
    """Those of ``values`` that are worth looking for in a text."""
    return frozenset(value for value in values if not _is_common(value))


def refuse_secrets(settings: Any, where: str) -> None:
    """Raises ConfigurationError where a value in ``settings``, a JSON document, is or holds a known secret, or one by
    its shape. Keys are not looked at. It names where, and shows no value."""
    known = known_secrets()
    for path, value in _texts(settings):
        place = ".".join(map(str, path))
        text = SECRET_REFERENCE.sub("", value)
        for origin, secrets in known.items():
            if secrets.masked(text) != text:
                raise ConfigurationError(
                    f"{where} '{place}' holds the secret of {origin}, which all who may see the pipeline could read",
                    hint=f"{_TAKE_OUT}; if it is none, run the command without the variable: 'env -u"
                    f" {origin.rpartition(' ')[2]} connector-lib …'",
                )
        shape = _shape_in(text)
        if shape is not None:
            raise ConfigurationError(
                f"{where} '{place}' holds {shape}, which all who may see the pipeline could read", hint=_TAKE_OUT
            )


def refuse_secrets_in_file(name: str, content: bytes, where: str, known: Mapping[str, Secrets]) -> None:
    """Raises ConfigurationError where the file ``name``, a path below the pipeline folder, holds a secret.

    Secrets are those of ``known``, private keys and tokens by their shape, and literal values under keys such as
    ``client_secret`` in YAML and JSON, as far as these can be read. It says ``where`` the file is, and shows no value.
    """
    text = content.decode("utf-8", errors="replace")
    found = _known_in(text, known) or _shape_in(text) or _literal_in(name, text)
    if found is not None:
        raise ConfigurationError(
            f"{where}: holds {found}, and would be readable in the workspace",
            hint=f"{_TAKE_OUT}, or move the file out of the pipeline folder; if it is none, write"
            f" 'upload_anyway: [{json.dumps(name, ensure_ascii=False)}]' into {DEPLOY_FILE}",
        )


def _known_in(text: str, known: Mapping[str, Secrets]) -> str | None:
    plain = SECRET_REFERENCE.sub("", text)
    for origin, secrets in known.items():
        if secrets.masked(plain) != plain:
            return f"the secret of {origin}"
    return None


def _shape_in(text: str) -> str | None:
    return next((words for words, shape in _SHAPES if shape.search(text)), None)


def _literal_in(name: str, text: str) -> str | None:
    for document in _documents(name, text):
        for path, value in _texts(document):
            key = next((part for part in reversed(path) if isinstance(part, str)), "")
            if _tells_secret(key) and _is_literal(key, value):
                return f"a literal value under '{'.'.join(map(str, path))}', which is the name of a secret"
    return None


def _documents(name: str, text: str) -> Iterator[Any]:
    """What a file of YAML or JSON holds; nothing where it cannot be read, as whoever reads it in the pipeline says."""
    plain = text.removeprefix("\ufeff")
    try:
        if name.endswith((".yml", ".yaml")):
            # Every scalar as text, and no tag is followed.
            yield from yaml.load_all(plain, Loader=yaml.BaseLoader)
        elif name.endswith(".json"):
            yield from _json_documents(plain)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        return


def _json_documents(text: str) -> Iterator[Any]:
    try:
        yield json.loads(text)
    except json.JSONDecodeError:
        # One document a line, as Spark reads and writes it.
        for line in text.splitlines():
            if line.strip():
                yield json.loads(line)


def _texts(document: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Texts and numbers in a document, with the keys and numbers that lead there; what is there twice comes once."""
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), document)]
    seen: set[int] = set()
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, str) or (isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)):
            yield path, str(value)
        elif isinstance(value, (Mapping, list, tuple)) and id(value) not in seen:
            # An alias of YAML may lead back to where it came from.
            seen.add(id(value))
            inside = value.items() if isinstance(value, Mapping) else enumerate(value)
            waiting.extend(((*path, key if isinstance(key, int) else str(key)), it) for key, it in inside)


def _tells_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None and _NOT_A_LOGIN.search(key) is None and not names_no_secret(key)


def _is_literal(key: str, value: str) -> bool:
    plain = value.strip()
    return not (
        len(plain) < _SHORTEST
        or "${" in plain
        or "{{" in plain
        or plain.lower() in _NO_VALUES
        or plain.lower() == key.lower()
        or _PLACEHOLDER.fullmatch(plain)
        or _ADDRESS.fullmatch(plain)
    )


def _is_common(value: str) -> bool:
    return value.strip().lower() in _COMMON
