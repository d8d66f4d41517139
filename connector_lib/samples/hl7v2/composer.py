"""What every sample message is composed from: chance, time, persons, texts.

A :class:`Composer` holds the state of one message at a time. All of it follows from the seed: there is no
clock, and the calendar starts at a fixed day.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, TypeVar

from connector_lib.samples.hl7v2.people import ASCII, Charset, NamePool
from connector_lib.samples.hl7v2.vocabulary import APPLICATIONS, COMMENTS, FACILITIES, WARDS, Version

__all__ = ["DAY", "Composer", "Patient", "random_source"]

T = TypeVar("T")

DAY: Final = 86_400
"""Seconds."""
_FIRST_DAY: Final = date(2022, 1, 1)
_DAYS: Final = tuple((_FIRST_DAY + timedelta(days=n)).strftime("%Y%m%d") for n in range(5 * 366))
_FIRST_MESSAGE: Final = 365 * DAY
_SPAN: Final = 2 * 365 * DAY
"""Messages are dated within two years that begin a year after the calendar does, so that they can look back
and ahead."""
_SECONDS_BETWEEN_MESSAGES: Final = 211
_ZONES: Final = ("+0000", "+0100", "-0500", "-0800", "+0530", "+0900", "-0330", "+1245")
_PATIENTS: Final = 250
"""Most patients of each kind (Latin letters, others) that one run of a composer knows: they come again and
again."""
_PROVIDERS: Final = 40


def random_source(seed: str) -> random.Random:
    """Chance that is the same for the same seed on every machine."""
    return random.Random(seed)  # noqa: S311 - it makes samples, no secrets


@dataclass(frozen=True, slots=True)
class Patient:
    """An invented person. Texts are HL7 values in the default separators."""

    number: str
    name: str
    given: str
    family: str
    mother: str
    birth: str
    sex: str
    address: str
    home_phone: str
    work_phone: str
    national_number: str


class Composer:
    """Chance, time, persons and texts for messages of one character set.

    ``first`` is the number of the first message of the run: control ids go on from there, and patients of
    runs that start at different numbers do not share their ids.
    """

    __slots__ = (
        "_first",
        "_index",
        "_patients",
        "_people",
        "_pools",
        "_providers",
        "_rng",
        "application",
        "charset",
        "control_id",
        "facility",
        "local",
        "now",
        "patient",
        "prefix",
        "random",
        "version",
        "visit",
    )

    def __init__(self, seed: str, charset: Charset, first: int, prefix: str) -> None:
        self._rng = random_source(seed)
        self.random = self._rng.random
        self.charset = charset
        self.prefix = prefix
        self._first = self._index = first
        self._people = 0
        self._pools = charset.pools
        self._providers: dict[bool, list[str]] = {False: [], True: []}
        self._patients: dict[bool, list[Patient]] = {False: [], True: []}
        self.local = False
        self.version = 250
        self.control_id = self.application = self.facility = self.visit = ""
        self.now = _FIRST_MESSAGE
        self.patient = self._new_patient(False)

    def begin(self, version: Version) -> None:
        """Turns to the next message."""
        self.version = version.number
        self.control_id = f"{self.prefix}{self._index:08d}"
        # MSH-18 came with version 2.3: an older message has nothing to say that it is not ASCII.
        self.local = bool(self._pools) and self.version >= 230 and self.random() < 0.55
        self.now = _FIRST_MESSAGE + (self._index * _SECONDS_BETWEEN_MESSAGES + self.number(0, 200)) % _SPAN
        self.application = self.pick(APPLICATIONS)
        self.facility = self.pick(FACILITIES)
        self.patient = self.any_patient()
        self.visit = f"V{self.number(100000, 999999)}"
        self._index += 1

    # Chance. Written with random() alone: it is many times faster than randrange() and choice().

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.random() < probability

    def pick(self, options: Sequence[T]) -> T:
        """One of them, each as likely."""
        return options[int(self.random() * len(options))]

    def number(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``, both included."""
        return low + int(self.random() * (high - low + 1))

    # Time, in seconds since the first day of the calendar.

    def date(self, moment: int) -> str:
        """``YYYYMMDD``."""
        return _DAYS[moment // DAY]

    def minute(self, moment: int) -> str:
        """``YYYYMMDDHHMM``."""
        second = moment % DAY
        return f"{_DAYS[moment // DAY]}{second // 3600:02d}{second // 60 % 60:02d}"

    def second(self, moment: int) -> str:
        """``YYYYMMDDHHMMSS``."""
        return f"{self.minute(moment)}{moment % 60:02d}"

    def time(self, moment: int) -> str:
        """A time stamp as precise as senders make it: mostly to the second, some with fraction or zone."""
        chance = self.random()
        if chance < 0.70 or self.version < 230:
            return self.second(moment)
        if chance < 0.80:
            return self.minute(moment)
        if chance < 0.92:
            return self.second(moment) + self.pick(_ZONES)
        if chance < 0.96:
            return f"{self.second(moment)}.{self.number(0, 999):03d}{self.pick(_ZONES)}"
        return f"{self.second(moment)}.{self.number(0, 9999):04d}"

    def rough_date(self, moment: int) -> str:
        """A date of any precision: year, month or day."""
        return self.date(moment)[: self.pick((4, 6, 8, 8, 8))]

    def rough_time(self, moment: int) -> str:
        """A time stamp of any precision that the standard has, from the year on."""
        chance = self.random()
        if chance < 0.5:
            return self.date(moment)
        if chance < 0.6:
            return self.date(moment)[:4]
        if chance < 0.7:
            return self.date(moment)[:6]
        if chance < 0.75:
            return self.minute(moment)[:10]
        return self.time(moment)

    # Persons and places.

    def any_patient(self) -> Patient:
        """A patient of this run, who may have been in a message before."""
        known = self._patients[self.local]
        if len(known) == _PATIENTS or (known and self.random() < 0.3):
            return self.pick(known)
        patient = self._new_patient(self.local)
        known.append(patient)
        return patient

    def provider(self) -> str:
        """A physician as XCN (before 2.3: CN): id, family name, given name, …"""
        known = self._providers[self.local]
        if len(known) < _PROVIDERS:
            pool = self._pool()
            id_number = f"{self.number(9000, 9999)}{self._index % 100:02d}"
            known.append(f"{id_number}^{self.pick(pool.family).strip()}^{self.pick(pool.given).strip()}^^^DR")
        provider = self.pick(known)
        return f"{provider}^^^SAMPLEDOC^L^^^EI" if self.version >= 230 else provider

    def location(self) -> str:
        """A bed: point of care, room, bed, facility."""
        return f"{self.pick(WARDS)}^{self.number(1, 40):02d}^{self.pick('ABCD')}^SAMPLETON"

    def phone(self) -> str:
        """A number of the block that is kept for fiction (555-01xx)."""
        number = f"(999)555-01{self.number(0, 99):02d}"
        return f"{number}^PRN^PH" if self.version >= 230 else number

    def _pool(self) -> NamePool:
        return self.pick(self._pools) if self.local else ASCII

    def _new_patient(self, local: bool) -> Patient:
        pool = self.pick(self._pools) if local else ASCII
        family, given = self.pick(pool.family), self.pick(pool.given)
        name = f"{family}^{given}^{self.pick('ABC')}^^^^L" if self.chance(0.7) else f"{family}^{given}"
        if pool.latin:
            latin_family, latin_given = self.pick(pool.latin)
            name = f"{family}^{given}^^^^^L^I~{latin_family}^{latin_given}^^^^^L^A"
        elif local and self.chance(0.1):
            name = f"{name}~{self.pick(pool.family)}^{given}^^^^^M"
        self._people += 1
        return Patient(
            number=f"{self._first:07d}{self._people:04d}",
            name=name,
            given=given,
            family=family,
            mother=f"{self.pick(pool.family)}^{self.pick(pool.given)}",
            birth=f"{self.number(1925, 2021)}{self.number(1, 12):02d}{self.number(1, 28):02d}",
            sex=self.pick("FMFMFMOU"),
            address=f"{self.pick(pool.street)}^^{self.pick(pool.city)}^{self.pick(('XX', 'ZZ', ''))}"
            f"^{self.number(0, 999):03d}00^XXX^H",
            home_phone=f"(999)555-01{self.number(0, 99):02d}",
            work_phone=f"(998)555-01{self.number(0, 99):02d}",
            national_number=f"000-{self.number(0, 99):02d}-{self.number(0, 9999):04d}",
        )

    # Texts.

    def comment(self) -> str:
        """A sentence; some in the language of the message, some with escapes."""
        if self.local and self.random() < 0.3:
            return self.pick(self._pools).comment
        return self.pick(COMMENTS)

    def encapsulated_data(self) -> str:
        """An ED value: source, type, subtype, encoding, some kB of base64."""
        data = b"%PDF-1.4 sample " + self._rng.randbytes(self.number(300, 4500))
        return f"{self.application}^Application^PDF^Base64^{base64.b64encode(data).decode('ascii')}"
