"""Records as an API sends them, of eight columns and of fifty, and their Spark schemas."""

from __future__ import annotations

import json
import random
from typing import Any

from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DoubleType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

__all__ = ["TIME_COLUMNS", "WIDTHS", "api_records", "schema_of_width"]

WIDTHS = (8, 50)

_PERSON = StructType([StructField("family", StringType()), StructField("given", ArrayType(StringType()))])
_ADDRESS = StructType(
    [
        StructField("city", StringType()),
        StructField("postal_code", StringType()),
        StructField("latitude", DoubleType()),
    ]
)
_COLUMNS: dict[str, DataType] = {
    "id": StringType(),
    "version": LongType(),
    "score": DoubleType(),
    "active": BooleanType(),
    "updated_at": TimestampType(),
    "tags": ArrayType(StringType()),
    "address": _ADDRESS,
    "name": ArrayType(_PERSON),
}
_FAMILIES = ("Okafor", "Lindqvist", "Haddad", "Moreau", "Tanaka", "Novak", "Silva", "Kowalski")
_GIVEN = ("Ada", "Bruno", "Chidi", "Dalia", "Emil", "Fatima", "Goran", "Hana")
_TAGS = ("new", "vip", "follow-up", "external", "a", "transferred")
_CITIES = ("Oslo", "Lagos", "Lyon", "Beirut", "Osaka", "Porto", "Brno", "Gdynia")


def _names(width: int) -> list[tuple[str, str]]:
    """Name and kind of each column: the eight, again and again, the second time as ``id_2``."""
    kinds = list(_COLUMNS)
    return [
        (kinds[place % 8] if place < 8 else f"{kinds[place % 8]}_{place // 8 + 1}", kinds[place % 8])
        for place in range(width)
    ]


TIME_COLUMNS = frozenset(name for name, kind in _names(max(WIDTHS)) if kind == "updated_at")
"""The columns whose values are ISO texts of an instant."""


def schema_of_width(width: int) -> StructType:
    """The Spark schema of so many columns."""
    return StructType([StructField(name, _COLUMNS[kind]) for name, kind in _names(width)])


def api_records(count: int, width: int, seed: int) -> list[dict[str, Any]]:
    """Different records of so many members, as a JSON decoder gives them: one value in twenty is null, one in twenty
    is not there."""
    rng = random.Random(seed)
    names = _names(width)
    made = []
    for number in range(count):
        record = {}
        for name, kind in names:
            chance = rng.random()
            if chance > 0.05 or name == "id":
                record[name] = None if chance < 0.1 and name != "id" else _value(kind, number, rng)
        made.append(record)
    decoded: list[dict[str, Any]] = json.loads(json.dumps(made))
    return decoded


def _value(kind: str, number: int, rng: random.Random) -> Any:
    match kind:
        case "id":
            return f"{rng.getrandbits(64):016x}-{number}"
        case "version":
            return rng.randrange(1_000_000)
        case "score":
            return round(rng.random() * 100, 3)
        case "active":
            return rng.random() < 0.5
        case "updated_at":
            day, second = rng.randrange(1, 29), rng.randrange(60)
            return f"2024-{rng.randrange(1, 13):02}-{day:02}T{rng.randrange(24):02}:00:{second:02}.{number % 1000:03}Z"
        case "tags":
            return rng.sample(_TAGS, rng.randrange(4))
        case "address":
            city, code = rng.choice(_CITIES), f"{rng.randrange(100_000):05}"
            return {"city": city, "postal_code": code, "latitude": round(rng.uniform(-90, 90), 5)}
    people = rng.randrange(1, 3)
    return [{"family": rng.choice(_FAMILIES), "given": rng.sample(_GIVEN, rng.randrange(1, 3))} for _ in range(people)]
