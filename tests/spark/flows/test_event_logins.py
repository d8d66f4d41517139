"""A login is read by Java as it was written: any user, any password."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from py4j.java_gateway import get_field
from pyspark import SparkContext
from pyspark.sql import SparkSession

from connector_lib.flows.event_logins import jaas_text

pytestmark = pytest.mark.spark
# A character beyond the first 65,536 crosses to Java as two, which is its own matter; NUL ends no text there.
_END, _WORD = -1, -3  # StreamTokenizer.TT_EOF, TT_WORD
TEXTS = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=30)


@pytest.fixture(scope="module")
def java(spark: SparkSession) -> Any:
    """The JVM of the shared session."""
    context = SparkContext._active_spark_context
    assert context is not None
    return context._jvm


def tokens(java: Any, text: str) -> list[str]:
    """``text`` as Kafka takes it apart: ``JaasConfig`` in kafka-clients sets its tokenizer up like this."""
    tokenizer = java.java.io.StreamTokenizer(java.java.io.StringReader(text))
    tokenizer.slashSlashComments(True)
    tokenizer.slashStarComments(True)
    for character in "-_$":
        tokenizer.wordChars(ord(character), ord(character))
    found = []
    while (kind := tokenizer.nextToken()) != _END:
        # The text of words and of what is quoted; any other token is a character by itself.
        found.append(get_field(tokenizer, "sval") if kind in (_WORD, ord('"')) else chr(kind))
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(user=TEXTS, password=TEXTS)
@example(user="$ConnectionString", password="Endpoint=sb://a/;SharedAccessKeyName=b;SharedAccessKey=c+/=")
@example(user='a"b', password='\\"; x="\\')
@example(user="\n", password="\r\n\t\\n // /* ' \\101")
def test_what_is_quoted_comes_out_as_it_was(user: str, password: str, java: Any) -> None:
    text = jaas_text("a.b.Module", {"username": user, "password": password})
    assert tokens(java, text) == ["a.b.Module", "required", "username", "=", user, "password", "=", password, ";"]
