"""Every form of login lets the right one in and nobody else."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from connector_lib.testing.fhir_logins import SmartLogin
from connector_lib.testing.fhir_server import FhirServer
from connector_lib.testing.logins import Login

RESOURCES = [{"resourceType": "Patient", "id": "p1"}]
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("login", "right", "wrong"),
    [
        (
            Login("basic", user="ann", secret="pw:1"),
            {"Authorization": basic("ann:pw:1")},
            {"Authorization": basic("ann:pw")},
        ),
        (Login("bearer", secret="t1"), {"Authorization": "Bearer t1"}, {"Authorization": "Bearer t2"}),
        (Login("header", secret="k1"), {"x-api-key": "k1"}, {"x-api-key": "k"}),
    ],
    ids=["basic", "bearer", "header"],
)
def test_a_secret_that_both_know_lets_in(
    login: Login, right: dict[str, str], wrong: dict[str, str], session: requests.Session
) -> None:
    with FhirServer(RESOURCES, login=login) as server:
        url = f"{server.url}/Patient"
        refused = [session.get(url, headers=headers, timeout=10) for headers in ({}, wrong)]
        assert [answer.status_code for answer in refused] == [401, 401]
        assert refused[0].headers["WWW-Authenticate"]
        assert refused[0].json()["issue"][0]["code"] == "login"
        assert session.get(url, headers=right, timeout=10).status_code == 200


def test_capabilities_are_open_to_everybody(session: requests.Session) -> None:
    with FhirServer(RESOURCES, login=Login("bearer", secret="t1")) as server:
        assert session.get(f"{server.url}/metadata", timeout=10).status_code == 200


def test_a_token_is_given_at_the_servers_own_address_and_ends(session: requests.Session) -> None:
    login = Login("client_credentials", user="c1", secret="s1", requests=1)
    with FhirServer(RESOURCES, login=login) as server:
        form = {"grant_type": "client_credentials", "client_id": "c1", "client_secret": "s1"}
        token = session.post(f"{server.url}/auth/token", data=form, timeout=10).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        statuses = [session.get(f"{server.url}/Patient", headers=headers, timeout=10).status_code for _ in range(2)]
    assert statuses == [200, 401]


@pytest.fixture(scope="module")
def keys() -> tuple[Any, str]:
    """A private key, and the public one as PEM."""
    private = ec.generate_private_key(ec.SECP384R1())
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private, public.decode()


class TestSmart:
    @pytest.fixture
    def server(self, keys: tuple[Any, str]) -> Iterator[FhirServer]:
        login = SmartLogin("c1", {"k1": keys[1]})
        with FhirServer(RESOURCES, login=login) as server:
            yield server

    def ask(self, session: requests.Session, key: Any, server: FhirServer, **changed: Any) -> requests.Response:
        configuration = session.get(f"{server.url}/.well-known/smart-configuration", timeout=10).json()
        url = configuration["token_endpoint"]
        header = {"kid": changed.pop("kid", "k1")}
        algorithm = changed.pop("algorithm", "ES384")
        claims = {"iss": "c1", "sub": "c1", "aud": url, "exp": time.time() + 200, "jti": f"{time.time_ns()}"}
        assertion = jwt.encode({**claims, **changed}, key, algorithm=algorithm, headers=header)
        form = {
            "grant_type": "client_credentials",
            "scope": "system/*.rs",
            "client_assertion_type": ASSERTION,
            "client_assertion": assertion,
        }
        return session.post(url, data=form, timeout=10)

    def test_a_signed_assertion_gives_a_token(
        self, keys: tuple[Any, str], server: FhirServer, session: requests.Session
    ) -> None:
        answer = self.ask(session, keys[0], server)
        assert answer.status_code == 200, answer.text
        headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        assert session.get(f"{server.url}/Patient", headers=headers, timeout=10).status_code == 200

    @pytest.mark.parametrize(
        "changed",
        [
            {"aud": "https://elsewhere.example/token"},
            {"iss": "c2"},
            {"sub": "c2"},
            {"exp": 1},
            {"exp": (datetime.now(timezone.utc) + timedelta(hours=1)).timestamp()},
            {"kid": "k2"},
        ],
        ids=["audience", "issuer", "subject", "past", "too long", "unknown key"],
    )
    def test_an_assertion_that_is_wrong_in_one_thing_is_refused(
        self, changed: dict[str, Any], keys: tuple[Any, str], server: FhirServer, session: requests.Session
    ) -> None:
        answer = self.ask(session, keys[0], server, **changed)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")

    def test_an_assertion_is_good_for_one_token(
        self, keys: tuple[Any, str], server: FhirServer, session: requests.Session
    ) -> None:
        assert self.ask(session, keys[0], server, jti="once").status_code == 200
        assert self.ask(session, keys[0], server, jti="once").status_code == 400

    def test_another_key_is_refused(self, server: FhirServer, session: requests.Session) -> None:
        assert self.ask(session, ec.generate_private_key(ec.SECP384R1()), server).status_code == 400
