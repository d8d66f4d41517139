"""Which addresses a client may ask."""

from __future__ import annotations

import pickle
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_lib.errors import OptionError, PagingError
from connector_lib.http.origin import BaseAddress, Origin, shown_address

BASE = BaseAddress("https://ehr.example.org/fhir/")
HOSTILE = st.text(st.sampled_from("/.:@\\?#%2ef \t\r\nhtpsexampl[]-"), max_size=40)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://h", "https://h:443/x"),
        ("http://h:80", "http://H/"),
        ("http://[::1]:80/", "http://[::1]"),
        ("https://h.", "https://h"),
    ],
)
def test_two_ways_to_write_one_origin(one: str, other: str) -> None:
    assert Origin.of(one) == Origin.of(other) is not None


@pytest.mark.parametrize(
    "other", ["http://h", "https://h:8443", "https://h.evil.net", "https://evil.h", "https://h@evil"]
)
def test_origins_that_differ(other: str) -> None:
    assert Origin.of(other) != Origin.of("https://h")


@pytest.mark.parametrize(
    "url", ["", "h/x", "ftp://h", "https://", "https://h:x", "https://h:99999", "http://[::1", "mailto:x"]
)
def test_what_is_no_address_has_no_origin(url: str) -> None:
    assert Origin.of(url) is None
    with pytest.raises(OptionError, match="base_url is no address of an API"):
        BaseAddress(url)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://lab:hush@h/x", "base_url has a user or a password in it"),
        ("https://h/x?key=hush", "base_url has a query or a fragment"),
        ("https://h/x#hush", "base_url has a query or a fragment"),
        ("https://h/x\nhush", "base_url is no address of an API"),
    ],
)
def test_a_base_address_has_no_login_and_no_query(url: str, message: str) -> None:
    with pytest.raises(OptionError, match=message) as error:
        BaseAddress(url)
    assert "hush" not in str(error.value)


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("Patient", "https://ehr.example.org/fhir/Patient"),
        ("/Patient", "https://ehr.example.org/fhir/Patient"),
        ("", "https://ehr.example.org/fhir"),
        ("?_type=Patient", "https://ehr.example.org/fhir?_type=Patient"),
        ("https://ehr.example.org/fhir/Patient", "https://ehr.example.org/fhir/Patient"),
        ("HTTPS://EHR.example.org:443/fhir", "https://ehr.example.org/fhir"),
        ("//ehr.example.org/x", "https://ehr.example.org/fhir/ehr.example.org/x"),
    ],
)
def test_a_path_is_below_the_base_address(path: str, address: str) -> None:
    assert BASE.address(path) == address


@pytest.mark.parametrize(
    "path", ["../admin", "Patient/../../admin", "%2e%2e/admin", "https://evil.example.net/fhir", "file:///x"]
)
def test_a_path_that_leaves_the_base_address_is_an_error(path: str) -> None:
    with pytest.raises(PagingError):
        BASE.address(path)


@given(HOSTILE)
def test_whatever_a_link_says_it_stays_at_the_origin_below_the_base_path(link: str) -> None:
    try:
        url = BASE.followed(link, "https://ehr.example.org/fhir/Patient?page=1")
    except PagingError:
        return
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc) == ("https", "ehr.example.org")
    assert parts.path == "/fhir" or parts.path.startswith("/fhir/")
    assert ".." not in parts.path.split("/")


@pytest.mark.parametrize(
    ("link", "followed"),
    [
        ("http://10.0.0.7:8080/fhir?_getpages=1", "https://ehr.example.org/fhir?_getpages=1"),
        ("https://ehr.example.org/fhir/x", "https://ehr.example.org/fhir/x"),
        ("http://ehr.example.org/fhir/x#part", "https://ehr.example.org/fhir/x"),
    ],
)
def test_the_policy_rewrite_sends_path_and_query_to_the_base_origin(link: str, followed: str) -> None:
    base = BaseAddress("https://ehr.example.org/fhir", next_link_policy="rewrite")
    assert base.followed(link, base.url) == followed


@pytest.mark.parametrize(
    "link", ["http://10.0.0.7/admin", "http://lab:hush@10.0.0.7/fhir", "http://10.0.0.7/fhir/../admin"]
)
def test_the_policy_rewrite_takes_no_other_path_and_no_login(link: str) -> None:
    base = BaseAddress("https://ehr.example.org/fhir", next_link_policy="rewrite")
    with pytest.raises(PagingError) as error:
        base.followed(link, base.url)
    assert "hush" not in str(error.value)


def test_a_policy_that_is_none_is_refused() -> None:
    with pytest.raises(OptionError, match=r"next_link_policy is 'follow'\n  give one of refuse, rewrite"):
        BaseAddress("https://h", next_link_policy="follow")  # type: ignore[arg-type]


def test_another_server_is_refused_with_the_way_out() -> None:
    with pytest.raises(PagingError) as error:
        BASE.followed("http://ehr.example.org/fhir?page=2", BASE.url)
    assert error.value.message == "https://ehr.example.org/fhir gave a link to another server, http://ehr.example.org"
    assert "next_link_policy=rewrite" in error.value.hint


def test_an_address_is_shown_without_its_query() -> None:
    assert shown_address("https://lab:hush@h:443/x?name=doe#a") == "https://h/x"
    assert shown_address("http://[::1") == "(no address)"


def test_a_base_address_pickles() -> None:
    base = BaseAddress("https://h/x", next_link_policy="rewrite")
    assert pickle.loads(pickle.dumps(base)).followed("http://other/x/1", base.url) == "https://h/x/1"
