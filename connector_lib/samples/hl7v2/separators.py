"""Messages with other separators than ``|^~\\&`` (HL7 v2 chapter 2, MSH-1 and MSH-2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["CUSTOM", "FIVE", "Separators"]

_HEADER_START: Final = len("MSH|^~\\&")
_DEFAULT: Final = {"F": "|", "S": "^", "R": "~", "E": "\\", "T": "&"}
_PLACEHOLDERS: Final = {"F": "\x01", "S": "\x02", "R": "\x03", "E": "\x04", "T": "\x05"}


@dataclass(frozen=True, slots=True)
class Separators:
    """MSH-1 and MSH-2 of a message; ``encoding_characters`` are four, or five from version 2.7 on."""

    field: str
    encoding_characters: str

    def apply(self, message: str) -> str:
        """The same message, written with these separators. ``message`` has the default ones.

        A separator that stands in a value is escaped; one that no longer separates anything is not.

        >>> Separators("#", "*!@%").apply("MSH|^~\\\\&|LAB\\rPID|1||A #3^B * \\\\T\\\\")
        'MSH#*!@%#LAB\\rPID#1##A @F@3*B @S@ &'
        """
        table = _translation(self.field, self.encoding_characters)
        for name, placeholder in _PLACEHOLDERS.items():
            message = message.replace(f"\\{name}\\", placeholder)
        return f"MSH{self.field}{self.encoding_characters}{message[_HEADER_START:].translate(table)}"


def _translation(field: str, encoding_characters: str) -> dict[int, str]:
    component, repetition, escape, subcomponent = list(encoding_characters[:4])
    chosen = {"F": field, "S": component, "R": repetition, "E": escape, "T": subcomponent}
    if len(encoding_characters) > 4:
        chosen["P"] = encoding_characters[4]
    escaped = {character: f"{escape}{name}{escape}" for name, character in chosen.items()}
    table = dict(escaped)
    for name, character in _DEFAULT.items():
        table[character] = chosen[name]
        table[_PLACEHOLDERS[name]] = escaped.get(character, character)
    return str.maketrans(table)


CUSTOM: Final = (
    Separators("#", "*!@%"),
    Separators("|", "@~\\&"),
    Separators("^", "|~\\&"),
    Separators("$", ":;?!"),
    Separators("|", "^~\\%"),
)
FIVE: Final = (Separators("|", "^~\\&#"), Separators("|", "^~\\&#"), Separators("!", "*%?@$"))
"""With the truncation character that version 2.7 brought."""
