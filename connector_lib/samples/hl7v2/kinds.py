"""The kinds of sample message: which there are, how often each comes, from which version on.

The shares follow what is seen in practice: results first, then admissions, then the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from connector_lib.errors import UsageError
from connector_lib.samples.hl7v2 import administrative_messages as administrative
from connector_lib.samples.hl7v2 import clinical_messages as clinical
from connector_lib.samples.hl7v2 import patient_messages as patient
from connector_lib.samples.hl7v2.composer import Composer

__all__ = ["FAMILIES", "KINDS", "Kind", "kinds_of"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of message: MSH-9 in parts, its share, the first version that has it (2.3.1 is 231), and its
    segments."""

    message_type: str
    event: str
    structure: str
    weight: int
    since: int
    body: Callable[[Composer, str], Iterator[str]]

    @property
    def name(self) -> str:
        """As ``ADT^A01``."""
        return f"{self.message_type}^{self.event}" if self.event else self.message_type


KINDS: Final[tuple[Kind, ...]] = (
    Kind("ADT", "A01", "ADT_A01", 5, 210, patient.stay),
    Kind("ADT", "A02", "ADT_A02", 3, 210, patient.stay),
    Kind("ADT", "A03", "ADT_A03", 4, 210, patient.stay),
    Kind("ADT", "A04", "ADT_A01", 5, 210, patient.stay),
    Kind("ADT", "A08", "ADT_A01", 7, 210, patient.stay),
    Kind("ADT", "A11", "ADT_A09", 1, 210, patient.stay),
    Kind("ADT", "A13", "ADT_A01", 1, 210, patient.stay),
    Kind("ADT", "A28", "ADT_A05", 1, 230, patient.person),
    Kind("ADT", "A31", "ADT_A05", 2, 230, patient.person),
    Kind("ADT", "A40", "ADT_A39", 1, 231, patient.merge),
    Kind("ORM", "O01", "ORM_O01", 6, 210, clinical.orders),
    Kind("OML", "O21", "OML_O21", 4, 240, clinical.orders),
    Kind("ORU", "R01", "ORU_R01", 42, 210, clinical.results),
    Kind("SIU", "S12", "SIU_S12", 4, 230, administrative.appointment),
    Kind("SIU", "S13", "SIU_S12", 2, 230, administrative.appointment),
    Kind("SIU", "S15", "SIU_S12", 1, 230, administrative.appointment),
    Kind("VXU", "V04", "VXU_V04", 5, 230, clinical.immunization),
    Kind("MDM", "T02", "MDM_T02", 4, 230, clinical.document),
    Kind("DFT", "P03", "DFT_P03", 4, 210, administrative.charges),
    Kind("BAR", "P01", "BAR_P01", 2, 210, administrative.account),
    Kind("RDE", "O01", "RDE_O01", 1, 220, clinical.medication),
    Kind("RDE", "O11", "RDE_O11", 1, 240, clinical.medication),
    Kind("ACK", "", "ACK", 2, 210, administrative.acknowledgment),
    Kind("MFN", "M02", "MFN_M02", 1, 220, administrative.staff_table),
    Kind("QBP", "Q21", "QBP_Q21", 1, 240, administrative.query),
)

FAMILIES: Final[tuple[str, ...]] = tuple(dict.fromkeys(kind.message_type for kind in KINDS))
"""The message types (MSH-9.1) that there are samples of."""


def kinds_of(families: Iterable[str] | None) -> tuple[Kind, ...]:
    """The kinds of these families, of all when there is None.

    Raises :class:`~connector_lib.errors.UsageError` for a family that there are no samples of.

    >>> [kind.name for kind in kinds_of(["VXU", "MDM"])]
    ['VXU^V04', 'MDM^T02']
    """
    if families is None:
        return KINDS
    wanted = dict.fromkeys(name.upper() for name in families)
    for name in wanted:
        if name not in FAMILIES:
            raise UsageError(
                f"there are no sample messages of family {name!r}", hint=f"families: {', '.join(FAMILIES)}"
            )
    if not wanted:
        raise UsageError("no family of sample messages was named", hint=f"families: {', '.join(FAMILIES)}")
    return tuple(kind for kind in KINDS if kind.message_type in wanted)
