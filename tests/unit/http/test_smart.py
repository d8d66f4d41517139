"""The login of SMART backend services, against an endpoint that checks the signature."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug import Request, Response

from connector_lib.errors import ApiError, MissingRequirementError, OptionError
from connector_lib.http import Answer, HttpClient, SmartBackendServices
from connector_lib.http import Request as SentRequest
from tests.unit.http.conftest import MakeClient, ManualTime

jwt = pytest.importorskip("jwt")
pytest.importorskip("cryptography")

from cryptography.hazmat.primitives.asymmetric import ec, rsa  # noqa: E402
from cryptography.hazmat.primitives.serialization import (  # noqa: E402
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

if TYPE_CHECKING:
    from pytest_httpserver import HTTPServer


def pem(key: Any) -> str:
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), "ascii")


RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP384R1())
JWK = json.dumps({**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(EC_KEY)), "kid": "from the key"})


class SmartServer:
    """A FHIR server that gives a token for an assertion that it has not seen and whose signature is right."""

    def __init__(self, server: HTTPServer) -> None:
        self.base_url = server.url_for("/fhir")
        self.token_url = server.url_for("/token")
        self.configuration: Any = {"token_endpoint": self.token_url}
        self.failures = 0
        self.assertions: list[str] = []
        self.forms: list[dict[str, str]] = []
        server.expect_request("/fhir/.well-known/smart-configuration").respond_with_handler(self._configured)
        server.expect_request("/token", method="POST").respond_with_handler(self._token)
        server.expect_request("/fhir/Patient").respond_with_handler(self._patients)

    def _configured(self, request: Request) -> Response:
        return Response(json.dumps(self.configuration), mimetype="application/json")

    def _token(self, request: Request) -> Response:
        self.forms.append(request.form.to_dict())
        assertion = self.forms[-1]["client_assertion"]
        if assertion in self.assertions:
            return Response('{"error": "invalid_client"}', 400, mimetype="application/json")
        self.assertions.append(assertion)
        if self.failures:
            self.failures -= 1
            return Response("", 503)
        return Response(
            '{"access_token": "t0ken", "token_type": "Bearer", "expires_in": 300}', mimetype="application/json"
        )

    def _patients(self, request: Request) -> Response:
        good = request.headers.get("Authorization") == "Bearer t0ken"
        return Response("[1]" if good else "{}", 200 if good else 401, mimetype="application/json")


@pytest.fixture
def server(httpserver: HTTPServer) -> SmartServer:
    return SmartServer(httpserver)


def login(server: SmartServer, key: str, **options: Any) -> SmartBackendServices:
    return SmartBackendServices(server.base_url, client_id="lab", private_key=key, **options)


@pytest.mark.parametrize(
    ("key", "key_id", "algorithm", "kid"),
    [
        (pem(RSA_KEY), "k1", "RS384", "k1"),
        (f"\n{pem(EC_KEY)}\n", "k2", "ES384", "k2"),
        (JWK, "", "ES384", "from the key"),
        (JWK, "given", "ES384", "given"),
    ],
)
def test_a_token_is_fetched_for_a_signed_assertion(
    key: str,
    key_id: str,
    algorithm: str,
    kid: str,
    server: SmartServer,
    make_client: MakeClient,
    time_given: ManualTime,
) -> None:
    auth = login(server, key, key_id=key_id, scope="system/*.rs", clock=time_given.clock, time_now=lambda: 2e9)
    assert make_client(server.base_url, auth=auth).get_json("Patient") == [1]
    form = server.forms[0]
    assertion = form.pop("client_assertion")
    assert form == {
        "grant_type": "client_credentials",
        "scope": "system/*.rs",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }
    public = (RSA_KEY if algorithm == "RS384" else EC_KEY).public_key()
    text = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = jwt.decode(assertion, text, [algorithm], audience=server.token_url, options={"verify_iat": False})
    assert {**claims, "jti": ""} == {
        "iss": "lab",
        "sub": "lab",
        "aud": server.token_url,
        "iat": 2_000_000_000,
        "exp": 2_000_000_240,
        "jti": "",
    }
    assert jwt.get_unverified_header(assertion) == {"alg": algorithm, "kid": kid, "typ": "JWT"}


def test_each_try_has_an_assertion_of_its_own(server: SmartServer, make_client: MakeClient) -> None:
    server.failures = 2
    assert make_client(server.base_url, auth=login(server, JWK)).get_json("Patient") == [1]
    assert len(set(server.assertions)) == 3


def test_the_token_endpoint_may_be_given(server: SmartServer, make_client: MakeClient) -> None:
    server.configuration = {}
    auth = login(server, JWK, token_url=server.token_url)
    assert make_client(server.base_url, auth=auth).get_json("Patient") == [1]


@pytest.mark.parametrize("configuration", [{}, [], {"token_endpoint": None}, {"token_endpoint": "file:///etc/passwd"}])
def test_a_configuration_without_a_token_endpoint_is_an_error(
    configuration: Any, server: SmartServer, make_client: MakeClient
) -> None:
    server.configuration = configuration
    with pytest.raises(ApiError, match="smart-configuration: the configuration names no token_endpoint"):
        make_client(server.base_url, auth=login(server, JWK)).get("Patient")
    assert server.forms == []


@pytest.mark.parametrize(
    ("base_url", "token_url", "taken"),
    [
        ("https://ehr.example.org/fhir", "https://login.example.org/token", True),
        ("https://ehr.example.org/fhir", "http://login.example.org/token", False),
        ("http://127.0.0.1/fhir", "http://127.0.0.1/token", True),
    ],
)
def test_a_server_with_tls_may_not_send_an_assertion_where_there_is_none(
    base_url: str, token_url: str, taken: bool
) -> None:
    asked: list[str] = []

    def send(request: SentRequest) -> Answer:
        asked.append(request.url)
        told = {"token_endpoint": token_url} if request.method == "GET" else {"access_token": "t0ken"}
        return Answer(request, 200, {}, b"", lambda answer: told)

    auth = SmartBackendServices(base_url, client_id="lab", private_key=JWK)
    if taken:
        assert auth.headers(send) == {"Authorization": "Bearer t0ken"}
    else:
        with pytest.raises(ApiError, match="the configuration names a token_endpoint without TLS"):
            auth.headers(send)
    assert asked == [f"{base_url}/.well-known/smart-configuration", *([token_url] if taken else [])]


@pytest.mark.parametrize(
    "key",
    [
        "",
        "not a key",
        "{}",
        "{not json",
        '{"kty": "RSA", "n": "hush"}',
        pem(RSA_KEY)[:200],
        pem(ec.generate_private_key(ec.SECP256R1())),
        RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        json.dumps(jwt.algorithms.ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True)),
    ],
)
def test_a_key_that_cannot_sign_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(OptionError, match="private_key is") as error:
        SmartBackendServices("https://h/fhir", client_id="lab", private_key=key)
    assert "hush" not in str(error.value)
    assert error.value.__cause__ is None
    assert error.value.__context__ is None


def test_the_key_is_never_shown(server: SmartServer) -> None:
    for key in (pem(RSA_KEY), JWK):
        auth = login(server, key)
        assert key not in repr(auth)
        assert auth.secrets().masked(key).strip("*\n") == ""
    assert json.loads(JWK)["d"] not in login(server, JWK).secrets().masked(f"d is {json.loads(JWK)['d']}")


def test_a_login_by_a_key_pickles(server: SmartServer) -> None:
    with HttpClient(server.base_url, auth=login(server, JWK)) as client:
        assert client.get_json("Patient") == [1]
        with pickle.loads(pickle.dumps(client)) as copy:
            assert copy.get_json("Patient") == [1]
    assert len(server.assertions) == 2


def test_without_the_package_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "jwt", None)
    with pytest.raises(MissingRequirementError, match=r"pip install 'connector-lib\[fhir\]'"):
        SmartBackendServices("https://h/fhir", client_id="lab", private_key=JWK)
