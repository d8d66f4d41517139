"""HL7 v2 messages from files, Kafka, Event Hubs and Kinesis as tables of declarative pipelines.

The doors that most callers need are here; each works without Spark but ``get_schema``, which is loaded when it is
first asked for.

>>> from connector_lib import parse
>>> message = parse("MSH|^~\\\\&|LAB|GHH|||20260101||ORU^R01|1|P|2.5\\rPID|1||123^^^GHH^MR||DOE^JANE")
>>> message.get("PID-5.1")
'DOE'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connector_lib.parser import parse, parse_message, split_batch

if TYPE_CHECKING:
    from connector_lib.schemas import get_schema

__version__ = "0.1.0"

__all__ = ["__version__", "get_schema", "parse", "parse_message", "split_batch"]


def __getattr__(name: str) -> Any:
    # pyspark is loaded only for those who ask for a Spark type.
    if name == "get_schema":
        from connector_lib.schemas import get_schema

        return get_schema
    raise AttributeError(f"module 'connector_lib' has no attribute {name!r}")
