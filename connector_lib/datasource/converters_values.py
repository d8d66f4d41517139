"""One JSON value as one Python value of a column's type: truth values, numbers, texts and bytes.

Each function raises :class:`UnfitValueError` for a value that its type cannot hold without loss. ``None`` never comes
here.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from functools import cache
from typing import Any, Final

__all__ = [
    "UnfitValueError",
    "boolean_of",
    "bytes_of",
    "decimal_of",
    "float_of",
    "json_kind",
    "json_text",
    "text_of",
    "whole_number_of",
]


class UnfitValueError(ValueError):
    """A value does not fit its column. The message says what would, and holds nothing of the value."""


_TRUE: Final = frozenset({"true", "t", "yes", "y", "1"})
_FALSE: Final = frozenset({"false", "f", "no", "n", "0"})
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_NOT_FINITE: Final = {
    f"{sign}{name}": float(f"{sign}{name}") for sign in ("", "+", "-") for name in ("nan", "inf", "infinity")
}
_LONGEST_NUMBER: Final = 1000
"""Characters. No column holds a number of more, and Python takes long over them."""
_EXACT_IN_FLOAT: Final = 2**53
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+", re.ASCII)

_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_HALF_OF_A_PAIR = re.compile("[\ud800-\udfff]")


def boolean_of(value: Any) -> bool:
    """``true``, ``t``, ``yes``, ``y`` and ``1``, and their opposites, in any case.

    >>> boolean_of("Yes"), boolean_of(0)
    (True, False)
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
    if isinstance(value, (int, float, Decimal)) and value in (0, 1):
        return value == 1
    raise UnfitValueError("wanted is true or false")


def whole_number_of(value: Any, least: int, most: int) -> int:
    """A whole number in the range of the type. One with a point or an exponent has to be whole all the same.

    >>> whole_number_of("12", -128, 127), whole_number_of(12.0, -128, 127), whole_number_of("1.2e1", -128, 127)
    (12, 12, 12)
    """
    if isinstance(value, int):
        number = int(value)
    elif isinstance(value, float):
        if not value.is_integer():
            raise UnfitValueError("wanted is a whole number")
        if abs(value) > _EXACT_IN_FLOAT:
            raise UnfitValueError("the number was read as binary fraction, which holds only 53 bits of it")
        number = int(value)
    else:
        exact = value if isinstance(value, Decimal) else _number_in_text(value)
        if not exact.is_finite() or exact.adjusted() > 20:
            raise UnfitValueError(f"wanted is a whole number from {least} to {most}")
        number = int(exact)
        if number != exact:
            raise UnfitValueError("wanted is a whole number")
    if not least <= number <= most:
        raise UnfitValueError(f"wanted is a whole number from {least} to {most}")
    return number


def float_of(value: Any) -> float:
    """A number, the nearest one that the type has. Texts may also say ``NaN`` and ``Infinity``.

    >>> float_of("1.5"), float_of("-Infinity")
    (1.5, -inf)
    """
    if isinstance(value, float):
        return value
    if isinstance(value, str) and (special := _NOT_FINITE.get(value.strip().lower())) is not None:
        return special
    number = value if isinstance(value, (int, Decimal)) else _number_in_text(value)
    try:
        nearest = float(number)
    except (OverflowError, ValueError):
        raise UnfitValueError("the number is larger than the type holds") from None
    if nearest in (float("inf"), float("-inf")) and not (isinstance(number, Decimal) and number.is_infinite()):
        raise UnfitValueError("the number is larger than the type holds")
    return nearest


def decimal_of(value: Any, precision: int, scale: int) -> Decimal:
    """A number with ``scale`` digits behind the point, exactly as it is written; what is below the last digit is
    rounded half to even, as Spark's own conversion of Python decimals does. The digits of a float are those that JSON
    would show.

    >>> decimal_of(0.1, 5, 2), decimal_of("12.345", 5, 2)
    (Decimal('0.10'), Decimal('12.34'))
    """
    if isinstance(value, float):
        exact = Decimal(repr(value))
    elif isinstance(value, (int, Decimal)):
        exact = Decimal(value)
    else:
        exact = _number_in_text(value)
    if not exact.is_finite():
        raise UnfitValueError("wanted is a finite number")
    try:
        return exact.quantize(*_last_digit(precision, scale))
    except InvalidOperation:
        raise UnfitValueError(f"the number has more than {precision - scale} digits in front of the point") from None


def text_of(value: Any) -> str:
    """A text as it is; a number, a truth value, an object or a list as its JSON text.

    >>> text_of(True), text_of(1.50), text_of({"code": "A", "parts": [1, None]})
    ('true', '1.5', '{"code":"A","parts":[1,null]}')
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, Decimal)):
        return _number_text(value)
    if isinstance(value, (bytes, bytearray)):
        try:
            return bytes(value).decode()
        except UnicodeDecodeError:
            raise UnfitValueError("bytes that are not UTF-8 text fit a binary column") from None
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    return json_text(value)


def json_text(value: Any) -> str:
    """The JSON text of a value, without blanks; numbers keep their digits, and halves of surrogate pairs, which UTF-8
    does not have, become ``\\u`` escapes.

    >>> json_text({"a": [1, Decimal("1.10")]})
    '{"a":[1,1.10]}'
    """
    try:
        text = _json(value)
    except (TypeError, ValueError, RecursionError):
        raise UnfitValueError("it has no JSON text: what is in it is no JSON value, or nested too deep") from None
    if text.isascii() or _is_utf8(text):
        return text
    return _HALF_OF_A_PAIR.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def bytes_of(value: Any) -> bytes:
    """Bytes of a text in base64, else in hexadecimal digits, else of the text in UTF-8; or of a list of bytes.

    Which of them a text is, only the text can tell: digests, whose digits may also be base64, are safer as strings.

    >>> bytes_of("aGVsbG8="), bytes_of("c0ffee"), bytes_of("hello!"), bytes_of([1, 255])
    (b'hello', b'\\xc0\\xff\\xee', b'hello!', b'\\x01\\xff')
    """
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if isinstance(value, str):
        return _bytes_of_text(value)
    if isinstance(value, list):
        try:
            return bytes(value)
        except (TypeError, ValueError):
            pass
    raise UnfitValueError("wanted is a text in base64 or hexadecimal digits, or a list of numbers from 0 to 255")


def json_kind(value: Any) -> str:
    """What kind of value it is, which may be said where the value may not."""
    kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", type(None): "null"}
    if isinstance(value, Mapping):
        return "an object" if value else "an empty object"
    if isinstance(value, (list, tuple)):
        return "a list"
    return kinds.get(type(value), f"a {type(value).__name__}")


@cache
def _last_digit(precision: int, scale: int) -> tuple[Decimal, None, Context]:
    return Decimal(1).scaleb(-scale), None, Context(prec=precision, rounding=ROUND_HALF_EVEN)


def _number_in_text(value: Any) -> Decimal:
    if isinstance(value, str):
        text = value.strip()
        if len(text) <= _LONGEST_NUMBER and _NUMBER.fullmatch(text):
            return Decimal(text)
    raise UnfitValueError("wanted is a number")


def _number_text(number: int | float | Decimal) -> str:
    if isinstance(number, float):
        # As Spark's cast to text has them.
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(repr(number), repr(number))
    try:
        return str(number)
    except ValueError:
        raise UnfitValueError("the number has more digits than Python writes") from None


def _json(value: Any) -> str:
    try:
        return _compact(value)
    except TypeError:
        return _json_with_decimals(value)


def _json_with_decimals(value: Any) -> str:
    """JSON by hand: the encoder of the standard library has no way to write the digits of a Decimal."""
    if isinstance(value, Mapping):
        members = (f"{_compact(str(name))}:{_json_with_decimals(member)}" for name, member in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_json_with_decimals, value)) + "]"
    if isinstance(value, Decimal) and value.is_finite():
        return str(value)
    if isinstance(value, (datetime, date, time)):
        return _compact(value.isoformat())
    return _compact(value)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _bytes_of_text(text: str) -> bytes:
    try:
        decoded = base64.b64decode(text, validate=True)
    except ValueError:
        decoded = None
    if decoded is not None and base64.b64encode(decoded).decode() == text:
        return decoded
    if _HEX.fullmatch(text):
        return bytes.fromhex(text)
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise UnfitValueError("half of a surrogate pair has no bytes") from None
