"""The API of records, asked as a client asks it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from connector_lib.testing.instants import instant, instant_text
from connector_lib.testing.logins import Login, LoginForm
from connector_lib.testing.records_api import Paging, RecordsApi, RecordsTable

VISITS = RecordsTable("visits", {"id": "string", "updated": "timestamp"})
NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


@pytest.fixture
def api() -> Iterator[RecordsApi]:
    with RecordsApi([VISITS], page_size=4, now=lambda: NOON) as api:
        yield api


def ask(api: RecordsApi, path: str = "/tables/visits", **parameters: Any) -> Any:
    return requests.get(api.url + path, params=parameters, timeout=5).json()


def test_the_root_tells_the_time_and_what_the_tables_are(api: RecordsApi) -> None:
    root = ask(api, "/")
    assert root["time"].startswith("2026-01-01T12:00:00.0000")
    assert root["tables"][0]["key"] == "id"
    assert [column["name"] for column in root["tables"][0]["columns"]] == ["id", "updated"]


def test_time_never_stands_still(api: RecordsApi) -> None:
    assert api.time < api.time


def test_records_of_one_call_share_a_time_and_a_time_of_their_own_is_kept(api: RecordsApi) -> None:
    api.put("visits", {"id": "a"}, {"id": "b"}, {"id": "c", "updated": "2020-01-01T00:00:00Z"})
    api.put("visits", {"id": "d"})
    times = [record["updated"] for record in api.rows("visits")]
    assert times[0] == times[1] != times[3]
    assert times[2] == "2020-01-01T00:00:00Z"


def test_a_window_has_what_changed_from_its_start_on_and_before_its_end(api: RecordsApi) -> None:
    for minute in range(5):
        api.put("visits", {"id": str(minute), "updated": f"2026-01-01T10:0{minute}:00Z"})
    window = ask(api, since="2026-01-01T10:01:00Z", until="2026-01-01T11:03:00+01:00")
    assert [record["id"] for record in window["items"]] == ["1", "2"]


def test_a_window_has_the_records_without_a_time(api: RecordsApi) -> None:
    api.put("visits", {"id": "a", "updated": None})
    assert ask(api, since="2026-01-01T10:01:00Z")["count"] == 1


def test_a_changed_record_is_there_once_and_a_deleted_one_in_the_feed(api: RecordsApi) -> None:
    api.put("visits", {"id": "a"}, {"id": "b"})
    api.put("visits", {"id": "a", "note": "changed"})
    api.delete("visits", "b")
    assert [(record["id"], record["note"]) for record in ask(api)["items"]] == [("a", "changed")]
    assert [record["id"] for record in ask(api, "/tables/visits/deleted")["items"]] == ["b"]


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("paging", ["link", "token", "link_header", "offset", "page"])
def test_every_way_of_paging_leads_to_all_records(paging: Paging, ordered: bool) -> None:
    with RecordsApi([VISITS], page_size=4, paging=paging, ordered=ordered) as api:
        api.put("visits", *({"id": f"{number:02}"} for number in range(10)))
        given_ids: list[str] = []
        address, parameters = f"{api.url}/tables/visits", {"limit": "3"}
        for number in itertools.count(1):
            answer = requests.get(address, params=parameters, timeout=5)
            page = answer.json()
            given_ids.extend(record["id"] for record in page["items"])
            if paging == "token" and page["next"]:
                parameters["token"] = page["next"]
            elif paging == "offset" and len(given_ids) < page["total"]:
                parameters["offset"] = str(len(given_ids))
            elif paging == "page" and len(given_ids) < page["total"]:
                parameters["page"] = str(number + 1)
            elif paging in ("link", "link_header") and (page["next"] or answer.links):
                address, parameters = page["next"] or answer.links["next"]["url"], {}
            else:
                break
    assert sorted(given_ids) == [f"{number:02}" for number in range(10)]
    assert (given_ids == sorted(given_ids)) is ordered


def test_a_link_goes_on_behind_the_last_record_although_others_came_and_went(api: RecordsApi) -> None:
    api.put("visits", *({"id": f"{number:02}"} for number in range(8)))
    first = ask(api)
    api.delete("visits", "00", "02")
    rest = requests.get(first["next"], timeout=5).json()
    assert [record["id"] for record in rest["items"]] == ["04", "05", "06", "07"]


def test_expired_links_are_gone(api: RecordsApi) -> None:
    api.put("visits", *({"id": str(number)} for number in range(8)))
    first = ask(api)
    api.expire_tokens()
    assert requests.get(first["next"], timeout=5).status_code == 410


@pytest.mark.parametrize("parameters", [{"since": "yesterday"}, {"limit": "0"}, {"limit": "few"}, {"token": "!"}])
def test_a_parameter_that_cannot_be_read_is_a_400(api: RecordsApi, parameters: dict[str, str]) -> None:
    assert requests.get(f"{api.url}/tables/visits", params=parameters, timeout=5).status_code == 400


def test_an_unknown_table_is_a_404(api: RecordsApi) -> None:
    assert requests.get(f"{api.url}/tables/doctors", timeout=5).status_code == 404


def test_more_requests_than_the_rate_are_told_to_come_later() -> None:
    clock = itertools.chain([NOON] * 6, itertools.repeat(NOON + timedelta(seconds=1)))
    with RecordsApi([VISITS], rate=2, now=lambda: next(clock)) as api:
        answers = [requests.get(f"{api.url}/tables/visits", timeout=5) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[2].headers["Retry-After"] == "1"
        while (answer := requests.get(f"{api.url}/tables/visits", timeout=5)).status_code == 429:
            pass
        assert answer.status_code == 200


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("basic", {"auth": ("reader", "hush")}),
        ("bearer", {"headers": {"Authorization": "Bearer hush"}}),
        ("header", {"headers": {"X-Api-Key": "hush"}}),
    ],
)
def test_a_login_lets_in_who_has_the_secret_and_no_one_else(form: LoginForm, options: dict[str, Any]) -> None:
    with RecordsApi([VISITS], login=Login(form, secret="hush")) as api:
        assert requests.get(f"{api.url}/", timeout=5, **options).status_code == 200
        assert requests.get(f"{api.url}/", timeout=5).status_code == 401


def test_a_client_gets_a_token_that_is_good_for_so_many_requests() -> None:
    form = {"grant_type": "client_credentials", "client_id": "reader", "client_secret": "hush"}
    with RecordsApi([VISITS], login=Login("client_credentials", secret="hush", requests=2)) as api:
        token = requests.post(f"{api.url}/token", data=form, timeout=5).json()["access_token"]
        login = {"Authorization": f"Bearer {token}"}
        statuses = [requests.get(f"{api.url}/", headers=login, timeout=5).status_code for _ in range(3)]
    assert statuses == [200, 200, 401]


def test_a_client_that_sends_its_secret_in_two_places_gets_no_token() -> None:
    form = {"grant_type": "client_credentials", "client_id": "reader", "client_secret": "hush"}
    with RecordsApi([VISITS], login=Login("client_credentials", secret="hush")) as api:
        answer = requests.post(f"{api.url}/token", data=form, auth=("reader", "hush"), timeout=5)
    assert answer.status_code == 401


def test_a_login_shows_no_secret() -> None:
    assert "hush" not in repr(Login("basic", secret="hush"))


@given(
    st.datetimes(timezones=st.just(timezone.utc)).filter(lambda moment: 1 < moment.year < 9999),
    st.integers(-14 * 60, 14 * 60),
)
def test_a_time_is_the_same_moment_in_every_zone(moment: datetime, minutes: int) -> None:
    passed = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    nanoseconds = ((passed.days * 86_400 + passed.seconds) * 10**6 + passed.microseconds) * 1000
    elsewhere = moment.astimezone(timezone(timedelta(minutes=minutes)))
    assert instant(instant_text(moment)) == instant(elsewhere.isoformat()) == nanoseconds


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "2026-01-01T25:00:00Z", "2026-01-01T10:00:00.1234567891Z"])
def test_a_text_that_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        instant(text)
