"""Every form of login, against a server that asks for it."""

from __future__ import annotations

import pytest

from connector_lib.errors import ApiError
from connector_lib.testing.fhir_logins import SmartLogin
from connector_lib.testing.fhir_store import ManualClock
from connector_lib.testing.logins import Login
from tests.unit.sources.fhir.conftest import StartServer, ids, patient, read, source_of

SECRET = "open sesame/& 4711"


@pytest.mark.parametrize(
    ("login", "options"),
    [
        (Login("basic", user="lab", secret=SECRET), {"username": "lab", "password": SECRET}),
        (Login("bearer", secret=SECRET), {"token": SECRET}),
        (Login("header", header="X-Lab-Key", secret=SECRET), {"header_name": "X-Lab-Key", "header_value": SECRET}),
    ],
    ids=["basic", "bearer", "header"],
)
def test_a_login_lets_in_and_a_wrong_one_does_not(
    start_server: StartServer, clock: ManualClock, login: Login, options: dict[str, str]
) -> None:
    server = start_server(login=login)
    server.put(patient(1))
    clock.advance(1)
    assert ids(read(source_of(server, auth_type=login.form, **options))[0]) == ["p1"]
    wrong = {name: value.replace(SECRET, "something else") for name, value in options.items()}
    with pytest.raises(ApiError) as caught:
        read(source_of(server, auth_type=login.form, **wrong))
    assert caught.value.status == 401
    assert "something else" not in str(caught.value)


@pytest.mark.parametrize("place", ["header", "body"])
def test_client_credentials_get_a_token_and_another_when_it_ends(
    start_server: StartServer, clock: ManualClock, place: str
) -> None:
    server = start_server(login=Login("client_credentials", user="lab", secret="sesame-4711", requests=2))
    for number in range(6):
        server.put(patient(number))
        clock.advance(1)
    options = {"token_url": f"{server.url}/auth/token", "client_id": "lab", "client_secret": "sesame-4711"}
    source = source_of(server, auth_type="client_credentials", client_secret_in=place, page_size="2", **options)
    assert len(read(source)[0]) == 6


@pytest.mark.parametrize("kind", ["RS384", "ES384"])
def test_a_signed_assertion_gets_a_token(start_server: StartServer, clock: ManualClock, kind: str) -> None:
    private, public = key_pair(kind)
    server = start_server(login=SmartLogin("lab", {"key-1": public}))
    server.put(patient(1))
    clock.advance(1)
    source = source_of(server, auth_type="smart", client_id="lab", private_key=private, key_id="key-1")
    assert ids(read(source)[0]) == ["p1"]
    assert "PRIVATE KEY" not in repr(source)


def test_a_key_whose_line_ends_are_written_out_signs_as_well(start_server: StartServer, clock: ManualClock) -> None:
    private, public = key_pair("ES384")
    server = start_server(login=SmartLogin("lab", {"key-1": public}))
    server.put(patient(1))
    clock.advance(1)
    written_out = private.replace("\n", "\\n")
    source = source_of(server, auth_type="smart", client_id="lab", private_key=written_out, key_id="key-1")
    assert ids(read(source)[0]) == ["p1"]


def key_pair(kind: str) -> tuple[str, str]:
    """A private and a public key in PEM form, for tests only."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = rsa.generate_private_key(65537, 2048) if kind == "RS384" else ec.generate_private_key(ec.SECP384R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()
