"""What an error says, and what it never says."""

from __future__ import annotations

import pickle
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_lib.errors import ApiError
from connector_lib.http import Answer, BasicAuth, HeaderKeyAuth
from connector_lib.http.failures import without_values
from tests.unit.http.conftest import MakeClient, Wire, reply

SECRET = "hush/hush+1"


def error_of(wire: Wire, make_client: MakeClient, answer: bytes, **options: Any) -> ApiError:
    wire.replies(answer)
    with pytest.raises(ApiError) as error:
        make_client(**options).get("people", {"name": "Doe, Jane", "key": SECRET})
    return error.value


def test_an_error_has_method_address_status_and_request_id_and_no_query(wire: Wire, make_client: MakeClient) -> None:
    answer = reply({"error": {"code": "E17", "message": "the field is unknown"}}, status=400, X_Request_Id="abc-123")
    error = error_of(wire, make_client, answer)
    assert error.message == (f"GET {wire.url}/people: 400 Bad Request: E17 - the field is unknown (request id abc-123)")
    assert (error.status, error.request_id) == (400, "abc-123")
    assert error.hint == "the API does not take this request: check the options of the table"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"message": "no"}, ": no"),
        ({"errors": [{"detail": "one"}, {"detail": "two"}]}, ": one - two"),
        ({"fault": {"faultstring": "limit reached"}}, ": limit reached"),
        ({"code": 4711, "error": "x"}, ": x - 4711"),
        (
            {"errors": [{"field": "birth_date", "code": "invalid", "message": "wrong"}]},
            ": invalid - birth_date - wrong",
        ),
        ({"error": "InvalidQuery", "message": "'key' is unknown to Jane"}, ": InvalidQuery - 'key' is unknown to …"),
        ({"error": "Doe", "code": "1234567", "detail": "No patient Jane Doe"}, ": No patient …"),
        ({"name": "Doe, Jane", "resource": {"text": "Doe"}}, ""),
        ([{"title": "Not allowed"}], ": Not allowed"),
        (b"plain words", ": plain words"),
        (b"<html><head><title>Sign in</title></head>Doe</html>", ": Sign in"),
        (b"<Fault>Doe</Fault>", ""),
        (b'{"message": "cut', ""),
        (b"[" * 100_000, ""),
        (b"\xff\xfe\x00", ""),
    ],
)
def test_what_the_api_says_about_the_error_is_told(body: Any, said: str, wire: Wire, make_client: MakeClient) -> None:
    error = error_of(wire, make_client, reply(body, status=403))
    assert (
        error.message.removeprefix(f"GET {wire.url}/people: 403 Forbidden").replace("\ufffd", "").rstrip(": ") == said
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("No patient John Smith born 1980-02-30 in ward 7", "No patient … in …"),
        ("no patient John Smith", "no patient …"),
        ("Smith, John is not known", "… is not known"),
        ("Page, Jane is not known", "… is not known"),
        ("O'Brien's record isn't here", "… record isn't here"),
        ('no patient "Doe, Jane" here', 'no patient "…" here'),
        ("the server's limit isn't set", "the server's limit isn't set"),
        ("patient 1234567 born 1980-01-31", "patient …"),
        ("connect doe@service.org or https://service/patient?name=doe", "connect … or …"),
        ("MRN-00123 and A1234B", "… and …"),
        ("at most 100 records, error 17", "at most 100 records, error 17"),
        ("the record is 43 years old", "the record is … years …"),
        ("HTTP method not supported by the API", "HTTP method not supported by the API"),
        ("a\tfile\n\nis\x00\x1b missing", "a file is missing"),
        ("John Smith", ""),
        ("limit " * 50, "limit " * 33 + "l…"),
    ],
)
def test_values_are_left_out_of_what_an_api_says(text: str, shown: str) -> None:
    assert without_values(text) == shown


def test_a_second_try_warns_without_a_patients_name(
    wire: Wire, make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    wire.replies(reply(b"No patient John Smith in ward 7", status=503), reply([]))
    make_client().get("people")
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("connector_lib")]
    assert "503 Service Unavailable: No patient … in …; attempt 1" in line


@given(st.text(max_size=3000))
def test_what_an_api_says_is_short_and_printable(text: str) -> None:
    shown = without_values(text)
    assert len(shown) <= 200
    assert shown.isprintable()


@pytest.mark.parametrize("form", [SECRET, quote(SECRET, safe=""), quote(SECRET, safe="").lower()])
@pytest.mark.parametrize(
    "answer",
    [
        lambda form: reply({"message": f"bad key {form}"}, status=403),
        lambda form: reply(f"bad key {form}".encode(), status=500),
        lambda form: reply(b"", status=404, X_Request_Id=form),
        lambda form: reply(b"", status=302, Location=f"https://h/{form}?key={form}"),
    ],
)
def test_no_form_of_a_secret_is_shown(answer: Any, form: str, wire: Wire, make_client: MakeClient) -> None:
    for options in (
        {"secrets": [SECRET]},
        {"auth": HeaderKeyAuth("X-Api-Key", SECRET)},
        {"headers": {"X-Api-Key": SECRET}},
    ):
        error = error_of(wire, make_client, answer(form), **options)
        assert form not in f"{error} {error.request_id} {error.__cause__} {error.__context__}"


def test_a_password_that_the_api_sends_back_in_base_64_is_not_shown(wire: Wire, make_client: MakeClient) -> None:
    auth = BasicAuth("lab", SECRET)
    header = auth.headers(lambda request: pytest.fail("nothing is fetched"))["Authorization"]
    error = error_of(wire, make_client, reply({"message": f"bad header: {header}"}, status=403), auth=auth)
    assert error.message.endswith("403 Forbidden: bad header: …")


def test_the_log_of_a_second_try_shows_neither_query_nor_secret(
    wire: Wire, make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    wire.replies(reply({"message": f"busy, {SECRET}"}, status=503), reply([]))
    make_client(secrets=[SECRET]).get("people", {"name": "Doe"})
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("connector_lib")]
    assert line == (f"GET {wire.url}/people: 503 Service Unavailable: busy, …; attempt 1 of 3, the next in 1.0 s")


def test_an_error_has_no_exception_of_requests_behind_it_whose_text_has_the_query(
    wire: Wire, make_client: MakeClient
) -> None:
    error = error_of(wire, make_client, b"")
    assert error.__cause__ is None
    assert error.__context__ is None


def explained(answer: Answer) -> str | None:
    return f"outcome {answer.json()['issue']}" if answer.status == 422 else None


def test_a_source_may_say_what_an_error_is(wire: Wire, make_client: MakeClient) -> None:
    error = error_of(wire, make_client, reply({"issue": "not-found"}, status=422), explain=explained)
    assert error.message.endswith(": outcome not-found")
    error = error_of(wire, make_client, reply({"message": "no"}, status=400), explain=explained)
    assert error.message.endswith("400 Bad Request: no")


def test_the_page_of_a_proxy_is_told_by_its_status_where_a_source_expects_json(
    wire: Wire, make_client: MakeClient
) -> None:
    error = error_of(wire, make_client, reply(b"<title>Blocked</title>", status=422), explain=explained)
    assert error.message.endswith("422 Unprocessable Entity: Blocked")


def test_errors_pickle_with_their_status(wire: Wire, make_client: MakeClient) -> None:
    error = error_of(wire, make_client, reply(b"", status=403, X_Request_Id="abc"))
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.status, copy.request_id) == (str(error), 403, "abc")
