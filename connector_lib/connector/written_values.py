"""Files of options, as their author wrote them: YAML or JSON whose values become text without a change.

Options are text. YAML 1.1, which PyYAML reads, makes 83 of ``0123``, 750 of ``12:30``, False of ``no``, a date of
``2026-03-01`` and 1.1 of ``1.10``, and lets the second of two equal keys win. Here numbers and truth values are those
of JSON, a decimal keeps its digits, everything else is text, and a key given twice is an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import yaml

from connector_lib.errors import ConfigurationError

__all__ = ["option_text", "place_of_key", "read_mapping"]

_RESOLVED: Final[tuple[tuple[str, re.Pattern[str], list[str]], ...]] = (
    ("tag:yaml.org,2002:null", re.compile(r"~|null|Null|NULL|"), ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF")),
    ("tag:yaml.org,2002:int", re.compile(r"-?(?:0|[1-9][0-9]*)"), list("-0123456789")),
    (
        "tag:yaml.org,2002:float",
        re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)(?:[eE][-+]?[0-9]+)?"),
        list("-0123456789"),
    ),
    ("tag:yaml.org,2002:merge", re.compile(r"<<"), ["<"]),
)
"""What a plain scalar may be besides text, with its first letters."""


def read_mapping(file: Path, error: type[ConfigurationError] = ConfigurationError) -> dict[str, Any]:
    """The mapping that a YAML or, by its suffix ``.json``, a JSON file holds. Decimals come as ``Decimal``.

    Raises ``error``, which names the file, and line and column where they are known; it shows no value.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as problem:
        raise error(f"{file}: cannot be read: {problem.strerror}") from problem
    except UnicodeDecodeError:
        raise error(f"{file}: is not UTF-8") from None
    try:
        content = _parse_json(text) if file.suffix.lower() == ".json" else _parse_yaml(text)
    except _DuplicateKeyError as twice:
        raise error(f"{file}{twice.place}: the key '{twice.key}' is given twice", hint="keep one of them") from None
    except json.JSONDecodeError as problem:
        raise error(f"{file} line {problem.lineno}, column {problem.colno}: not valid JSON: {problem.msg}") from None
    except yaml.MarkedYAMLError as problem:
        place = _place(problem.problem_mark)
        raise error(f"{file}{place}: not valid YAML: {problem.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise error(f"{file}: not valid {'JSON' if file.suffix.lower() == '.json' else 'YAML'}") from None
    if not isinstance(content, dict):
        raise error(f"{file}: must hold keys with values", hint="it is empty or holds something else")
    return content


def option_text(value: Any) -> str | None:
    """A value of a file as the text that an option is; None where it is none. Lists and mappings become JSON.

    >>> option_text(True), option_text(Decimal("1.10")), option_text(["a", 1]), option_text(None)
    ('true', '1.10', '["a", 1]', None)
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return str(value)
    return json.dumps(value, ensure_ascii=False, default=_plain_number)


def place_of_key(file: Path, keys: Sequence[str | int]) -> str:
    """Where in a YAML file the key stands that ``keys`` lead to, the numbers of lists among them, as
    ``" line 3, column 5"``; where it is not there, the last of ``keys`` that is. Empty where none is, and for JSON."""
    if file.suffix.lower() == ".json":
        return ""
    node = yaml.compose(file.read_text(encoding="utf-8-sig"), Loader=_Loader)
    found = None
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            entry = next((it for it in node.value if getattr(it[0], "value", None) == str(key)), None)
            if entry is None:
                break
            found, node = entry[0].start_mark, entry[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            node = node.value[key]
            found = node.start_mark
        else:
            break
    return _place(found)


class _DuplicateKeyError(ValueError):
    def __init__(self, key: str, place: str = "") -> None:
        super().__init__(key)
        self.key = key
        self.place = place


class _Loader(yaml.SafeLoader):
    """SafeLoader with the scalars of :data:`_RESOLVED` and no key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise _DuplicateKeyError(key.value, _place(key.start_mark))
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _construct_decimal(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Decimal:
    return Decimal(loader.construct_scalar(node))


def _construct_integer(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    return int(loader.construct_scalar(node))


# A dict of its own, or the resolvers would be added to those of SafeLoader.
_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in _RESOLVED:
    _Loader.add_implicit_resolver(_tag, re.compile(rf"(?:{_pattern.pattern})\Z"), _first)
_Loader.add_constructor("tag:yaml.org,2002:float", _construct_decimal)
_Loader.add_constructor("tag:yaml.org,2002:int", _construct_integer)


def _parse_yaml(text: str) -> Any:
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader


def _parse_json(text: str) -> Any:
    return json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_without_duplicates)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key, value in pairs:
        if key in mapping:
            raise _DuplicateKeyError(key)
        mapping[key] = value
    return mapping


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _plain_number(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no value of an option")


def _place(mark: yaml.Mark | None) -> str:
    return f" line {mark.line + 1}, column {mark.column + 1}" if mark else ""
