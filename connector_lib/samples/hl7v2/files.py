"""Writes sample messages as files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from connector_lib.errors import UsageError
from connector_lib.samples.hl7v2.composer import random_source
from connector_lib.samples.hl7v2.damage import DAMAGES, damaged_file
from connector_lib.samples.hl7v2.forms import FORMS, Form, framed
from connector_lib.samples.hl7v2.kinds import Kind, kinds_of
from connector_lib.samples.hl7v2.manifest import FileRecord, Manifest
from connector_lib.samples.hl7v2.messages import SampleMessage, sample_messages
from connector_lib.samples.sample_folder import prepare_folder

__all__ = ["HUGE_SEGMENT_BYTES", "SMALL_SEGMENT_BYTES", "write_files"]

_MESSAGES_IN_A_FILE: Final = 2000
HUGE_SEGMENT_BYTES: Final = 100 * 1024 * 1024
SMALL_SEGMENT_BYTES: Final = 1024 * 1024
_BUFFER: Final = 1 << 20


def write_files(
    directory: str | os.PathLike[str],
    count: int,
    seed: int = 0,
    *,
    files: int | None = None,
    forms: Iterable[Form] = FORMS,
    families: Iterable[str] | None = None,
    damage: Sequence[str] = (),
    segment_bytes: int = SMALL_SEGMENT_BYTES,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Manifest:
    """Writes ``count`` messages into ``files`` files of ``directory`` and says what is in them.

    The files take turns in ``forms``; without ``files`` there are enough for every form, and no more than
    2,000 messages in one. ``families`` are message types, all when left out. ``damage`` are keys of
    :data:`~connector_lib.samples.hl7v2.damage.DAMAGES`: for each one file more, with three messages or what
    is left of them, which do not count towards ``count``; ``segment_bytes`` is the size of the segment in
    ``huge-segment``. ``progress`` is called with the number of messages made since the last call.

    A file has its name only when it is complete. ``overwrite`` takes away the sample files of an earlier
    run and leaves everything else in the folder; without it a folder with anything in it is refused.

    Raises :class:`~connector_lib.errors.UsageError` for wrong arguments and for a folder that is not empty.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     manifest = write_files(folder, 50, seed=1, files=2)
    >>> [file.name for file in manifest.files], manifest.messages
    (['sample-00001-plain-cr-utf-8.hl7', 'sample-00002-file-batch-cr-utf-8-undeclared.hl7'], 50)
    """
    chosen = tuple(forms)
    families = None if families is None else tuple(families)
    kinds_of(families)
    _check(count, files, chosen, damage, segment_bytes)
    folder = Path(directory)
    prepare_folder(folder, ["sample-[0-9]*.hl7", "damage-*.hl7"], overwrite=overwrite)
    number_of_files = _number_of_files(count, files, chosen)
    records: list[FileRecord] = []
    first = 0
    for index in range(number_of_files):
        size = count // number_of_files + (index < count % number_of_files)
        form = chosen[index % len(chosen)]
        made = sample_messages(size, seed, families=families, charset=form.charset, first=first)
        records.append(_write_sample(folder, index + 1, form, made, size, seed, progress))
        first += size
    for number, name in enumerate(dict.fromkeys(damage)):
        records.append(_write_damaged(folder, name, seed, 1000 * number, segment_bytes))
    return Manifest(seed, tuple(records))


def _check(count: int, files: int | None, forms: Sequence[Form], damage: Sequence[str], segment_bytes: int) -> None:
    if count < 0 or (count == 0 and not damage):
        raise UsageError(f"{count} messages make no sample", hint="give 1 or more, or ask for damaged files")
    if files is not None and not 1 <= files <= max(count, 1):
        raise UsageError(f"{count} messages do not fill {files} files", hint="give from 1 to as many files as messages")
    if not forms:
        raise UsageError("no form of sample file was named", hint=f"forms: {', '.join(form.name for form in FORMS)}")
    for name in damage:
        if name not in DAMAGES:
            raise UsageError(f"there is no kind of damage {name!r}", hint=f"kinds: {', '.join(DAMAGES)}")
    if segment_bytes < 1:
        raise UsageError(f"a segment of {segment_bytes} bytes cannot be made", hint="give 1 or more")


def _number_of_files(count: int, files: int | None, forms: Sequence[Form]) -> int:
    if count == 0:
        return 0
    return files or min(count, max(len(forms), -(-count // _MESSAGES_IN_A_FILE)))


def _write_sample(
    folder: Path,
    number: int,
    form: Form,
    made: Iterator[SampleMessage],
    count: int,
    seed: int,
    progress: Callable[[int], None] | None,
) -> FileRecord:
    kinds: Counter[Kind] = Counter()
    control_ids: list[str] = []

    def texts() -> Iterator[str]:
        for message in made:
            kinds[message.kind] += 1
            control_ids[1:] = [message.control_id]
            if progress is not None:
                progress(1)
            yield message.text

    name = f"sample-{number:05d}-{form.name}.hl7"
    written = _write(folder / name, framed(form, texts(), count, random_source(f"{seed} {name}")))
    return FileRecord(
        name=name,
        framing=form.framing,
        line_end=form.line_end,
        charset=form.charset,
        bytes=written,
        messages=count,
        unreadable=0,
        families=_by_family(kinds),
        kinds=_by_kind(kinds),
        control_ids=tuple(control_ids),
    )


def _by_family(kinds: Counter[Kind]) -> dict[str, int]:
    families: Counter[str] = Counter()
    for kind, number in kinds.items():
        families[kind.message_type] += number
    return dict(sorted(families.items()))


def _by_kind(kinds: Counter[Kind]) -> dict[str, int]:
    return dict(sorted((kind.name, number) for kind, number in kinds.items()))


def _write_damaged(folder: Path, kind: str, seed: int, first: int, segment_bytes: int) -> FileRecord:
    damage = DAMAGES[kind]
    made = damaged_file(kind, seed, first, segment_bytes)
    kinds = Counter(made.kinds)
    name = f"damage-{kind}.hl7"
    return FileRecord(
        name=name,
        framing=damage.framing,
        line_end=damage.line_end,
        charset=damage.charset,
        bytes=_write(folder / name, made.content),
        messages=made.readable,
        unreadable=made.unreadable,
        families=_by_family(kinds),
        kinds=_by_kind(kinds),
        damage=kind,
        control_ids=tuple(dict.fromkeys((*made.control_ids[:1], *made.control_ids[-1:]))),
    )


def _write(path: Path, chunks: Iterable[bytes]) -> int:
    # A reader of the folder must not see half a file; names with a dot in front are passed over by Spark.
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with unfinished.open("wb", buffering=_BUFFER) as file:
            for chunk in chunks:
                file.write(chunk)
            written = file.tell()
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return written
