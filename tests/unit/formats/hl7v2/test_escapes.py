"""Escape sequences of chapter 2, one by one."""

from __future__ import annotations

import pytest

from connector_lib import parse
from connector_lib.formats.hl7v2.escapes import escape, make_unescape

unescape = make_unescape("|", "^", "~", "\\", "&", "#", "utf-8")


@pytest.mark.parametrize(
    ("sent", "value"),
    [
        # separators
        (r"\F\ ", "| "),
        (r"\S\ ", "^ "),
        (r"\T\ ", "& "),
        (r"\R\ ", "~ "),
        (r"\E\ ", "\\ "),
        (r"\P\ ", "# "),
        (r"a\F\b\S\c\T\d\R\e\E\f", r"a|b^c&d~e\f"),
        (r"\F\\S\\T\ ", "|^& "),
        # highlighting
        (r"a \H\b\N\ c", "a b c"),
        # layout
        (r"a\.br\b", "a\nb"),
        (r"a\.BR\b", "a\nb"),
        (r"a\.sp\b", "a\nb"),
        (r"a\.sp3\b", "a\n\n\nb"),
        (r"a\.sp0\b", "ab"),
        (r"a\.ce\b", "a\nb"),
        (r"a\.sk3\b", "a   b"),
        (r"a\.sk\b", "a b"),
        (r"\.fi\a\.nf\b", "ab"),
        (r"\.in+4\a\.in-2\b\.in3\c\.in\d", "abcd"),
        (r"\.ti+4\a\.ti-2\b", "ab"),
        # hexadecimal
        (r"\X41\ ", "A "),
        (r"\X4C6F6E646F6E\ ", "London "),
        (r"\X0d0A\ ", "\r\n "),
        (r"\X0D\\X0A\ ", "\r\n "),
        (r"\XE282AC\ ", "€ "),
        (r"\XE9\ ", "é "),
        (r"\X7C\ ", "| "),
        # agreed between sites
        (r"\Z01\ ", r"\Z01\ "),
        (r"a\Z01\F\Z02\b", r"a\Z01\F\Z02\b"),
        # what no sequence is
        (r"\foo\ ", r"\foo\ "),
        (r"\\ ", r"\\ "),
        (r"\X4\ ", r"\X4\ "),
        (r"\X\ ", r"\X\ "),
        (r"\XGG\ ", r"\XGG\ "),
        (r"\.br5\ ", r"\.br5\ "),
        (r"\.sp-1\ ", r"\.sp-1\ "),
        (r"\.sp99999999999\ ", r"\.sp99999999999\ "),
        (r"\.xx\ ", r"\.xx\ "),
        (r"\f\ ", r"\f\ "),
        # unfinished
        ("a\\", "a\\"),
        ("\\", "\\"),
        (r"C:\temp", r"C:\temp"),
        (r"\F", r"\F"),
        (r"\X41", r"\X41"),
        # one behind the other
        (r"\E\F\E\ ", r"\F\ "),
        (r"\foo\F\ ", r"\foo| "),
        (r"C:\temp\F\ ", r"C:\temp| "),
        ("\\\\F\\ ", "\\| "),
        ("", ""),
    ],
)
def test_a_sequence_becomes_its_value(sent: str, value: str) -> None:
    assert unescape(sent) == value


@pytest.mark.parametrize(
    ("charset", "sent", "value"),
    [
        ("iso8859-15", r"\XA4\ ", "€ "),
        ("iso8859-1", r"\XA4\ ", "¤ "),
        ("iso8859-5", r"\XB6\ ", "Ж "),
        ("utf-8", r"\XC3A9\ ", "é "),
        ("ascii", r"\XC3A9\ ", "é "),
        ("ascii", r"\XE9\ ", "é "),
        ("iso2022_jp_ext", r"\X1B244238211B2842\ ", "検 "),
        ("no such codec", r"\X41\ ", "A "),
    ],
)
def test_hexadecimal_bytes_are_read_in_the_character_set_of_the_message(charset: str, sent: str, value: str) -> None:
    assert make_unescape("|", "^", "~", "\\", "&", "", charset)(sent) == value


def test_a_message_in_bytes_gives_its_character_set_to_its_escapes() -> None:
    message = parse(b"MSH|^~\\&|||||||ACK|1|P|2.5||||||8859/15\rNTE|1||\\XA4\\")
    assert message.get("NTE-3") == "€"


@pytest.mark.parametrize(
    ("charset", "sent", "value"),
    [
        # multi-byte sets, back to single bytes with C2842 (ASCII) or C284A (JIS X 0201)
        ("ascii", "\\M2442\\8!::\\C2842\\ ok", "検査 ok"),
        ("ascii", "a\\T\\b \\M2442\\8!::\\C284A\\ \\S\\", "a&b 検査 ^"),
        ("ascii", "\\M242844\\0l\\C2842\\", "佒"),
        # single-byte sets
        ("iso8859-1", "\\C2D41\\\xe9", "é"),
        ("iso8859-1", "\\C2D42\\\xf5 \\T\\", "ő &"),
        ("iso8859-1", "\\C2D4C\\\xb6\\C2D46\\\xd9", "ЖΩ"),
        ("iso8859-1", "\\C2949\\\xd4\xcf", "ﾔﾏ"),
        ("utf-8", "\\C2D41\\plain\\F\\", "plain|"),
        # not readable in the set named: as it was sent
        ("utf-8", "\\C2D41\\é\\F\\", "\\C2D41\\é|"),
        ("utf-8", "\\CFFFF\\x", "\\CFFFF\\x"),
        ("utf-8", "\\M2442\\é", "\\M2442\\é"),
        ("utf-8", "\\C28\\x", "\\C28\\x"),
        ("utf-8", "\\CXXXX\\x", "\\CXXXX\\x"),
    ],
)
def test_text_behind_a_switch_of_character_sets_is_read_in_the_set_it_names(
    charset: str, sent: str, value: str
) -> None:
    assert make_unescape("|", "^", "~", "\\", "&", "", charset)(sent) == value


def test_another_escape_character_escapes_and_the_backslash_does_not() -> None:
    assert make_unescape("$", "*", "%", "!", "@", "", "utf-8")("a!F!b!S!c!T!d!R!e!E!f!X41!\\F\\") == "a$b*c@d%e!fA\\F\\"


@pytest.mark.parametrize("mark", ["^", "]", "-", ".", "$", "*"])
def test_an_escape_character_that_means_something_in_patterns_is_just_a_character(mark: str) -> None:
    assert make_unescape("|", "/", "~", mark, "&", "", "utf-8")(f"a{mark}F{mark}b{mark}foo{mark}") == (
        f"a|b{mark}foo{mark}"
    )


def test_without_an_escape_character_nothing_is_escaped() -> None:
    assert make_unescape("|", "^", "~", "", "&", "", "utf-8")(r"\F\ ") == r"\F\ "
    assert escape("a|b", "|", "^", "~", "", "&") == "a|b"


def test_sequences_for_separators_that_the_message_does_not_have_give_the_usual_ones() -> None:
    assert make_unescape("|", "^", "", "\\", "", "", "utf-8")(r"\R\\T\\P\ ") == "~&# "


def test_escape_writes_separators_and_line_breaks_as_sequences() -> None:
    assert escape("a|b^c~d\\e&f\r\ng\rh\ni", "|", "^", "~", "\\", "&") == (r"a\F\b\S\c\R\d\E\e\T\f\.br\g\.br\h\.br\i")


def test_values_are_cut_before_their_sequences_are_replaced() -> None:
    message = parse("MSH|^~\\&\rNTE|a\\F\\b|c\\S\\d^e\\R\\f~g\\T\\h&i")
    assert [value.value for value in message.walk()][2:] == ["a|b", "c^d", "e~f", "g&h", "i"]
