"""Logins: what is sent, when it is fetched again, and that nothing shows it."""

from __future__ import annotations

import base64
import json
import logging
import pickle
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug import Request, Response

from connector_lib.errors import ApiError, OptionError
from connector_lib.http import (
    Auth,
    BasicAuth,
    BearerAuth,
    HeaderKeyAuth,
    HttpClient,
    NoAuth,
    OAuth2ClientCredentials,
    RetryPolicy,
)
from tests.unit.http.conftest import MakeClient, ManualTime, Wire, reply

if TYPE_CHECKING:
    from pytest_httpserver import HTTPServer

SECRET = "hush/hush+ümlaut 1"
TOKEN = {"access_token": "t0ken-one", "token_type": "bearer", "expires_in": 300}


class TokenApi:
    """An API that takes tokens, and the endpoint that gives them."""

    def __init__(self, server: HTTPServer) -> None:
        self.answer: dict[str, Any] = dict(TOKEN)
        self.status = 200
        self.asked: list[Request] = []
        self.good = {"Bearer t0ken-one"}
        self.requests: list[str | None] = []
        self.url = server.url_for("/api")
        self.token_url = server.url_for("/token")
        server.expect_request("/token", method="POST").respond_with_handler(self._token)
        server.expect_request("/api/records").respond_with_handler(self._records)

    def _token(self, request: Request) -> Response:
        request.get_data(parse_form_data=True)
        self.asked.append(request)
        return Response(json.dumps(self.answer), status=self.status, mimetype="application/json")

    def _records(self, request: Request) -> Response:
        self.requests.append(request.headers.get("Authorization"))
        good = self.requests[-1] in self.good
        return Response(json.dumps([1] if good else {"error": "no"}), 200 if good else 401, mimetype="application/json")


@pytest.fixture
def api(httpserver: HTTPServer) -> TokenApi:
    return TokenApi(httpserver)


def credentials(api: TokenApi, **options: Any) -> OAuth2ClientCredentials:
    return OAuth2ClientCredentials(api.token_url, "lab:1", SECRET, **options)


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        (NoAuth(), "Authorization", None),
        (BearerAuth("abc.def"), "Authorization", "Bearer abc.def"),
        (HeaderKeyAuth("X-Api-Key", "a key"), "X-Api-Key", "a key"),
        (BasicAuth("lab", SECRET), "Authorization", "Basic " + base64.b64encode(f"lab:{SECRET}".encode()).decode()),
    ],
)
def test_a_login_is_in_its_header(
    auth: Auth, header: str, value: str | None, httpserver: HTTPServer, make_client: MakeClient
) -> None:
    seen: list[str | None] = []

    def answer(request: Request) -> Response:
        seen.append(request.headers.get(header))
        return Response("[]", mimetype="application/json")

    httpserver.expect_request("/records").respond_with_handler(answer)
    make_client(httpserver.url_for("/"), auth=auth).get("records")
    assert seen == [value]


def test_a_401_is_an_error_at_once_where_the_login_cannot_be_renewed(wire: Wire, make_client: MakeClient) -> None:
    wire.replies(reply(status=401), reply([]))
    with pytest.raises(ApiError, match="401 Unauthorized") as error:
        make_client(auth=BearerAuth("abc.def")).get("records")
    assert len(wire.requests) == 1
    assert error.value.hint.startswith("check the user, key or token")


def test_netrc_does_not_replace_a_login(
    wire: Wire, make_client: MakeClient, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    wire.replies(reply([]))
    make_client(auth=BearerAuth("abc.def")).get("records")
    assert "Authorization: Bearer abc.def" in wire.requests[0]


@pytest.mark.parametrize("wrong", ["", "abc\n", " abc", "abc\r\nX-Evil: 1", "日本"])
def test_a_token_that_no_header_can_carry_is_refused_and_not_shown(wrong: str) -> None:
    for make in (BearerAuth, lambda key: HeaderKeyAuth("X-Api-Key", key)):
        with pytest.raises(OptionError) as error:
            make(wrong)
        assert wrong == "" or wrong not in str(error.value)


def test_the_token_of_client_credentials_is_fetched_once_and_used_for_all_requests(
    api: TokenApi, make_client: MakeClient
) -> None:
    client = make_client(api.url, auth=credentials(api, scope="read"))
    assert [client.get_json("records") for _ in range(3)] == [[1]] * 3
    assert len(api.asked) == 1
    assert api.asked[0].form.to_dict() == {"grant_type": "client_credentials", "scope": "read"}


def test_the_secret_goes_in_the_header_encoded_as_in_a_form(api: TokenApi, make_client: MakeClient) -> None:
    make_client(api.url, auth=credentials(api)).get("records")
    sent = base64.b64decode(api.asked[0].headers["Authorization"].removeprefix("Basic ")).decode()
    assert sent == "lab%3A1:hush%2Fhush%2B%C3%BCmlaut+1"
    assert "client_secret" not in api.asked[0].form


def test_the_secret_goes_in_the_body_and_nowhere_else(api: TokenApi, make_client: MakeClient) -> None:
    make_client(api.url, auth=credentials(api, secret_in="body", extra={"audience": "fhir"})).get("records")
    assert "Authorization" not in api.asked[0].headers
    assert api.asked[0].form.to_dict() == {
        "grant_type": "client_credentials",
        "audience": "fhir",
        "client_id": "lab:1",
        "client_secret": SECRET,
    }


@pytest.mark.parametrize(("lasts", "used_for"), [(300, 240), ("300", 240), (10, 8), (100, 80)])
def test_a_token_is_fetched_again_before_it_ends(
    lasts: int | str, used_for: int, api: TokenApi, make_client: MakeClient, time_given: ManualTime
) -> None:
    api.answer["expires_in"] = lasts
    client = make_client(api.url, auth=credentials(api, clock=time_given.clock))
    for seconds, fetched in ((0.0, 1), (used_for - 0.5, 1), (0.5, 2)):
        time_given.seconds += seconds
        client.get("records")
        assert len(api.asked) == fetched


@pytest.mark.parametrize("lasts", [None, 0, "soon"])
def test_a_token_without_an_end_is_used_until_it_is_refused(
    lasts: Any, api: TokenApi, make_client: MakeClient, time_given: ManualTime
) -> None:
    api.answer["expires_in"] = lasts
    client = make_client(api.url, auth=credentials(api, clock=time_given.clock))
    client.get("records")
    time_given.seconds += 1e6
    client.get("records")
    api.answer["access_token"], api.good = "t0ken-two", {"Bearer t0ken-two"}
    assert client.get_json("records") == [1]
    assert api.requests == ["Bearer t0ken-one"] * 3 + ["Bearer t0ken-two"]


def test_a_401_gets_one_new_token_and_one_more_try_and_then_is_an_error(
    api: TokenApi, make_client: MakeClient, time_given: ManualTime
) -> None:
    api.good = set()
    with pytest.raises(ApiError, match="401 Unauthorized"):
        make_client(api.url, auth=credentials(api)).get("records")
    assert (len(api.asked), len(api.requests), time_given.slept) == (2, 2, [])


def test_a_post_that_is_not_idempotent_is_sent_again_behind_a_401(api: TokenApi, make_client: MakeClient) -> None:
    api.good = {"Bearer t0ken-two"}
    client = make_client(api.url, auth=credentials(api))
    with pytest.raises(ApiError):
        client.get("records")
    api.answer["access_token"] = "t0ken-two"
    assert client.post("records", {}).json() == [1]


def test_a_token_endpoint_that_fails_for_a_moment_is_asked_again(wire: Wire, make_client: MakeClient) -> None:
    wire.replies(reply(status=503), reply(TOKEN), reply([1]))
    auth = OAuth2ClientCredentials(f"{wire.url}/token", "lab", SECRET)
    assert make_client(auth=auth).get_json("records") == [1]
    assert [request.split(" ")[:2] for request in wire.requests] == [
        ["POST", "/api/token"],
        ["POST", "/api/token"],
        ["GET", "/api/records"],
    ]


def test_headers_of_the_api_do_not_go_to_the_token_endpoint(wire: Wire, make_client: MakeClient) -> None:
    wire.replies(reply(TOKEN), reply([1]))
    auth = OAuth2ClientCredentials(f"{wire.url}/token", "lab", SECRET)
    make_client(auth=auth, headers={"X-Subscription-Key": "for the API only"}).get("records")
    assert ["for the API only" in request for request in wire.requests] == [False, True]


@pytest.mark.parametrize(
    ("answer", "status", "message"),
    [
        (
            {"error": "invalid_client", "error_description": f"'{SECRET}' is wrong"},
            400,
            "400 Bad Request: invalid_client",
        ),
        ({"error": "invalid_client"}, 401, "401 Unauthorized: invalid_client"),
        ({}, 200, "the answer has no access_token"),
        ([], 200, "the answer has no access_token"),
        ({"access_token": ""}, 200, "the answer has no access_token"),
        ({"access_token": "a\nb"}, 200, "the answer has no access_token"),
        ({"access_token": "abc", "token_type": "mac"}, 200, "the token is not of the type Bearer"),
    ],
)
@pytest.mark.parametrize("secret_in", ["header", "body"])
def test_an_error_of_the_token_endpoint_names_it_and_not_the_secret(
    answer: Any, status: int, message: str, secret_in: str, api: TokenApi, make_client: MakeClient
) -> None:
    api.answer, api.status = answer, status
    with pytest.raises(ApiError) as error:
        make_client(api.url, auth=credentials(api, secret_in=secret_in)).get("records")
    assert error.value.message.startswith(f"POST {api.token_url}: {message}")
    assert SECRET not in str(error.value)
    assert len(api.asked) == 1


def test_many_threads_fetch_one_token(api: TokenApi, make_client: MakeClient) -> None:
    client = make_client(api.url, auth=credentials(api))
    threads = [threading.Thread(target=client.get, args=("records",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(api.asked), len(api.requests)) == (1, 8)


@pytest.mark.parametrize("url", ["", "login.example.org/token", "ftp://h/x", "https://lab:hush@h/token"])
def test_the_address_of_the_token_endpoint_has_to_be_one(url: str) -> None:
    with pytest.raises(OptionError, match="token_url is no address") as error:
        OAuth2ClientCredentials(url, "lab", SECRET)
    assert "hush" not in str(error.value)


def test_client_credentials_in_two_places_do_not_exist() -> None:
    with pytest.raises(OptionError, match="secret_in is 'both'"):
        OAuth2ClientCredentials("https://h/token", "lab", SECRET, secret_in="both")  # type: ignore[arg-type]


def test_a_user_with_a_colon_is_refused() -> None:
    with pytest.raises(OptionError, match="colon"):
        BasicAuth("a:b", SECRET)


def test_a_copy_of_a_client_logs_in_by_itself(api: TokenApi, make_client: MakeClient) -> None:
    client = HttpClient(api.url, auth=credentials(api))
    client.get("records")
    pickled = pickle.dumps(client)
    assert b"t0ken-one" not in pickled
    with pickle.loads(pickled) as copy:
        assert copy.get_json("records") == [1]
    client.close()
    assert len(api.asked) == 2


LOGINS = st.sampled_from(
    [
        lambda secret: BearerAuth(secret),
        lambda secret: HeaderKeyAuth("X-Api-Key", secret),
        lambda secret: BasicAuth("lab", secret),
        lambda secret: OAuth2ClientCredentials("https://h/token", "lab", secret),
    ]
)


@given(LOGINS, st.text(st.characters(codec="latin-1", categories=["L", "N", "P", "S"]), min_size=4, max_size=40))
def test_the_text_of_a_login_shows_no_secret_and_its_secrets_hide_it(make: Any, secret: str) -> None:
    auth = make(secret)
    assert secret not in repr(auth).replace("https://h/token", "")
    assert secret not in repr(HttpClient("https://h", auth=auth)).replace("https://h", "")
    assert auth.secrets().masked(f"<{secret}>") == "<*****>"


def test_the_debug_log_of_urllib3_shows_no_secret(
    wire: Wire, make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    wire.replies(reply([]))
    with caplog.at_level(logging.DEBUG):
        make_client(auth=BearerAuth("abc.def/ghi"), retry=RetryPolicy(timeout=5)).get(
            "r", {"key": "abc.def/ghi", "a": 1}
        )
    shown = [record.getMessage() for record in caplog.records if record.name == "urllib3.connectionpool"]
    assert any("key=*****&a=1" in line for line in shown)
    assert not any("abc.def" in line for line in shown)
