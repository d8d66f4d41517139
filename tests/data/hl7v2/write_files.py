"""Writes the HL7 v2 files beside it. Each is named by the one form that it shows; all people are invented."""

from __future__ import annotations

from pathlib import Path

HEADER = r"MSH|^~\&|LAB|GHH|EHR|GHH|20260102030405||ORU^R01|{control}|P|2.5||||||{charset}"
SEGMENTS = (
    r"PID|1||4711^^^GHH^MR~0815^^^STATE^SS||{name}^Ada||19700101|F",
    r"OBR|1|P1|F1|2345-7^Glucose^LN",
    r"OBX|1|NM|2345-7^Glucose^LN||98|mg/dL|70-110|N|||F",
    r"NTE|1||{note}",
)


def message(control: str, charset: str = "", name: str = "Byron", note: str = "fasting", end: str = "\r") -> str:
    """A small result with a line end behind every segment."""
    lines = (HEADER, *SEGMENTS)
    return "".join(line.format(control=control, charset=charset, name=name, note=note) + end for line in lines)


def in_charset(codec: str, charset: str, name: str, note: str) -> bytes:
    return message("1", charset, name, note).encode(codec)


def two(end: str) -> bytes:
    return (message("1", end=end) + message("2", end=end)).encode()


def frame(text: str) -> bytes:
    return b"\x0b" + text.encode() + b"\x1c\r"


SHORT = "MSH|^~\\&|LAB|GHH||||||{control}|P|2.5\rPID|1||{control}\r"
A, B, C = (SHORT.format(control=control).encode() for control in "ABC")

FILES: dict[str, bytes] = {
    # line ends
    "ends_cr.hl7": two("\r"),
    "ends_lf.hl7": two("\n"),
    "ends_crlf.hl7": two("\r\n"),
    "ends_mixed.hl7": (message("1", end="\r\n") + message("2", end="\n") + message("3", end="\r")).encode(),
    "ends_missing_at_the_end.hl7": two("\r").rstrip(b"\r"),
    "blank_lines.hl7": b"\r\n\r\n  \r\n" + A.replace(b"\r", b"\r\n\r\n") + b" \r\n\t\r\n" + B + b"\r\r\r",
    # character sets
    "charset_8859_1.hl7": in_charset("latin-1", "8859/1", "Müller", "für 5 £"),
    "charset_8859_15.hl7": in_charset("iso8859-15", "8859/15", "Œuvrard", "5 €"),
    "charset_ascii_with_utf_8_bytes.hl7": in_charset("utf-8", "ASCII", "Müller", "note"),
    "charset_ascii_with_latin_1_bytes.hl7": in_charset("latin-1", "ASCII", "Müller", "note"),
    "charset_undeclared_latin_1.hl7": in_charset("latin-1", "", "Müller", "note"),
    "charset_unknown.hl7": in_charset("utf-8", "KLINGON", "Müller", "note"),
    "charset_iso_ir_87.hl7": in_charset("iso2022_jp", "~ISO IR87", "山田", "検査"),
    "charset_iso_ir_13_and_87.hl7": in_charset("iso2022_jp_ext", "ASCII~ISO IR13~ISO IR87", "ﾔﾏﾀﾞ", "検査"),
    "charset_utf_8_mark.hl7": in_charset("utf-8-sig", "UNICODE UTF-8", "Müller", "€"),
    "charset_utf_8_mark_in_front_of_8859_1.hl7": in_charset("utf-8-sig", "8859/1", "Müller", "€"),
    "charset_utf_16_le.hl7": b"\xff\xfe" + in_charset("utf-16-le", "UNICODE", "Müller", "€"),
    "charset_utf_16_be.hl7": b"\xfe\xff" + in_charset("utf-16-be", "UNICODE", "Müller", "€"),
    "charset_utf_16_le_without_mark.hl7": in_charset("utf-16-le", "UNICODE", "Müller", "€"),
    "charset_differs_by_message.hl7": in_charset("latin-1", "8859/1", "Müller", "a")
    + in_charset("iso8859-5", "8859/5", "Иванов", "b")
    + in_charset("utf-8", "UNICODE UTF-8", "Ωmega", "c"),
    # batches
    "batch_in_file.hl7": b"FHS|^~\\&|LAB\rBHS|^~\\&|LAB\r" + A + B + b"BTS|2\rFTS|1\r",
    "batch_two_in_file.hl7": b"FHS|^~\\&\rBHS|^~\\&\r" + A + b"BTS|1\rBHS|^~\\&\r" + B + C + b"BTS|2\rFTS|2\r",
    "batch_without_file.hl7": b"BHS|^~\\&|LAB\r\n" + A.replace(b"\r", b"\r\n") + b"BTS|1\r\n",
    "batch_with_wrong_count.hl7": b"BHS|^~\\&|LAB\r" + A + b"BTS|7\r",
    "batch_of_nothing.hl7": b"FHS|^~\\&|LAB\rBHS|^~\\&|LAB\rBTS|0\rFTS|1\r",
    "text_after_bts.hl7": b"BHS|^~\\&|LAB\r" + A + b"BTS|1\rsent by the night run\r",
    # MLLP
    "mllp_one_frame.hl7": frame(A.decode()),
    "mllp_several_frames.hl7": frame(A.decode()) + frame(B.decode()) + frame(C.decode()),
    "mllp_without_end_block.hl7": b"\x0b" + A + b"\x0b" + B,
    "mllp_without_line_end_behind_end_block.hl7": b"\x0b" + A + b"\x1c\x0b" + B + b"\x1c",
    "mllp_junk_between_frames.hl7": frame(A.decode()) + b"keep-alive" + frame(B.decode()),
    "mllp_batch.hl7": b"\x0bBHS|^~\\&|LAB\r" + A + b"BTS|1\r\x1c\r",
    # separators
    "separators_custom.hl7": b"MSH$*%!@$LAB$GHH$$$$$ACK*A01$A$P$2.5\rPID$1$$1*2@3%4$$O!F!Hara!S!\r",
    "separators_five.hl7": b"MSH|^~\\&#|LAB|GHH|||||ACK|A|P|2.7\rNTE|1||\\P\\1\r",
    "separators_one.hl7": b"MSH|^|LAB|GHH|||||ACK^A01|A|P|2.5\rPID|1||1^2~3&4\\F\\\r",
    "separators_two.hl7": b"MSH|^~|LAB|GHH|||||ACK^A01|A|P|2.5\rPID|1||1^2~3&4\\F\\\r",
    "separators_three.hl7": b"MSH|^~\\|LAB|GHH|||||ACK^A01|A|P|2.5\rPID|1||1^2~3&4\\F\\\r",
    # what stands where
    "z_segments.hl7": A + b"ZPI|1|a^b~c|\\T\\\rZ01\rZZ9||x\r",
    "text_before_first_msh.hl7": b"exported 2026-01-02\r\nby the night run\r\n" + A,
    "msh_in_the_middle_of_a_line.hl7": A + b"NTE|1||see MSH|^~\\&|OLD and MSH\r" + B,
    "msh_starts_a_line_of_a_value.hl7": A + b"NTE|1||first line\rMSH is a segment\rMSHX|no\r" + B,
    "line_break_in_value.hl7": A + b"NTE|1||first\nsecond, with | in it\n\nfourth\rNTE|2||next\r",
    "other_controls_in_value.hl7": A + "NTE|1||a\x85b\x0cc\u2028d\x1ee\x00f\r".encode(),
    # damage
    "empty.hl7": b"",
    "only_line_ends.hl7": b"\r\n\r\n\n",
    "binary.hl7": bytes(range(256)) * 2,
    "half_a_message.hl7": A + B[: len(B) // 2],
    "msh_alone.hl7": b"MSH",
    "msh_and_separator.hl7": b"MSH|",
    "msh_and_separators.hl7": b"MSH|^~\\&",
    "msh_without_separators.hl7": b"MSH|LAB|GHH\rPID|1\r",
    "no_msh.hl7": b"PID|1||4711\rOBX|1|NM|GLU||98\r",
    "ctrl_z_at_the_end.hl7": A + b"\x1a",
}


def main() -> None:
    """Writes every file into this folder."""
    for name, content in FILES.items():
        (Path(__file__).parent / name).write_bytes(content)


if __name__ == "__main__":
    main()
