"""Options: text by name, in any case, becomes a checked object; what is wrong is named, and never shown."""

from __future__ import annotations

import base64
import pickle
import urllib.parse
from collections.abc import Mapping
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import model_validator

from connector_lib.connector.options import (
    PLATFORM_OPTIONS,
    Field,
    HttpOptions,
    OptionField,
    Options,
    SecretStr,
    plain_option_name,
)
from connector_lib.errors import ContractError, OptionError
from connector_lib.http.pacing import Pace
from connector_lib.http.retry import RetryPolicy

WHERE = "connection 'clinic'"


class ClinicOptions(Options):
    base_url: str = Field(description="Where the API is")
    auth_type: Literal["none", "bearer", "basic"] = Field("none", description="How to log in")
    token: SecretStr | None = Field(None, min_length=4, description="Bearer token")
    page_size: int = Field(100, ge=1, le=1000, description="Records a page")
    pause: float = 0.5
    with_deleted: bool = False
    resource_types: tuple[str, ...] | None = None
    search: dict[str, str] = Field(default_factory=dict)
    keys: list[SecretStr] = Field(default_factory=list)
    columns: list[str] | None = Field(None, alias="fields")

    @model_validator(mode="after")
    def _bearer_needs_a_token(self) -> ClinicOptions:
        if self.auth_type == "bearer" and self.token is None:
            raise ValueError("auth_type 'bearer' needs the option 'token'")
        return self


def read(**options: str) -> ClinicOptions:
    return ClinicOptions.read({"base_url": "https://clinic.example", **options}, where=WHERE)


def refused(options: Mapping[str, str]) -> str:
    with pytest.raises(OptionError) as caught:
        ClinicOptions.read(options, where=WHERE)
    assert caught.value.__cause__ is None
    return str(caught.value)


@pytest.mark.parametrize("name", ["base_url", "BASE_URL", "baseUrl", "baseurl", "Base-Url"])
def test_names_are_compared_without_case_and_underscores(name: str) -> None:
    assert ClinicOptions.read({name: "https://a.example"}, where=WHERE).base_url == "https://a.example"


@settings(deadline=None)
@given(st.sampled_from([field.name for field in ClinicOptions.fields()]), st.data())
def test_an_option_is_found_however_its_letters_are_written(name: str, data: st.DataObject) -> None:
    written = "".join(data.draw(st.sampled_from([letter.upper(), letter.lower()])) for letter in name)
    assert plain_option_name(written) == plain_option_name(name)


def test_text_becomes_the_type_of_its_option() -> None:
    options = read(page_size=" 50 ", pause="0.25", with_deleted="TRUE", auth_type="Basic")
    assert (options.page_size, options.pause, options.with_deleted) == (50, 0.25, True)
    assert options.auth_type == "basic"


@pytest.mark.parametrize("text", ['["Patient", "Encounter"]', "Patient,Encounter", " Patient , Encounter, "])
def test_a_list_is_a_json_array_or_names_between_commas(text: str) -> None:
    assert read(resource_types=text).resource_types == ("Patient", "Encounter")


def test_an_object_is_json() -> None:
    assert read(search='{"status": "final"}').search == {"status": "final"}


def test_an_option_goes_by_its_alias() -> None:
    assert read(FIELDS="id,name").columns == ["id", "name"]


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_value_counts_as_not_given(empty: str) -> None:
    assert read(page_size=empty, token=empty, search=empty) == read()
    assert "the option 'base_url' is missing" in refused({"base_url": empty})


def test_what_is_not_given_has_its_default() -> None:
    options = read()
    assert (options.page_size, options.resource_types, options.search) == (100, None, {})


def test_text_and_secrets_are_taken_as_they_are() -> None:
    options = ClinicOptions.read({"base_url": " [a] ", "token": " b,c "}, where=WHERE)
    assert options.base_url == " [a] "
    assert options.token is not None
    assert options.token.get_secret_value() == " b,c "


def test_an_unknown_option_names_the_nearest_and_all() -> None:
    message = refused({"base_url": "https://a.example", "page_sise": "5"})
    assert message.startswith("connection 'clinic': there is no option 'page_sise'\n  did you mean 'page_size'?")
    assert "options: base_url, auth_type, token" in message


def test_a_missing_option_is_named_with_what_it_is() -> None:
    assert refused({}) == "connection 'clinic': the option 'base_url' is missing\n  base_url: Where the API is"


def test_everything_that_is_wrong_is_said_at_once() -> None:
    message = refused({"page_size": "many", "with_deleted": "perhaps"})
    for name in ("'base_url' is missing", "'page_size'", "'with_deleted'"):
        assert name in message


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("page_size", "0", "greater than or equal to 1"),
        ("page_size", "many", "valid integer"),
        ("page_size", "1.5", "valid integer"),
        ("pause", "nan", "finite number"),
        ("auth_type", "kerberos", "'none', 'bearer' or 'basic'"),
        ("resource_types", '["Patient"', "is no JSON"),
        ("search", "status=final", "is no JSON"),
    ],
)
def test_a_value_that_does_not_fit_names_its_option(name: str, value: str, words: str) -> None:
    message = refused({"base_url": "https://a.example", name: value})
    assert f"the option '{name}'" in message
    assert words in message


def test_one_option_in_two_spellings_is_an_error() -> None:
    message = refused({"base_url": "https://a.example", "baseUrl": "https://b.example"})
    assert "'base_url' and 'baseUrl' are the same option" in message


def test_what_only_several_options_together_can_say_is_said() -> None:
    message = refused({"base_url": "https://a.example", "auth_type": "bearer"})
    assert message == "connection 'clinic': auth_type 'bearer' needs the option 'token'"


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([field.name for field in ClinicOptions.fields()]), st.text(max_size=12)))
def test_whatever_is_given_it_is_read_or_an_option_error(options: dict[str, str]) -> None:
    try:
        found = ClinicOptions.read(options, where=WHERE)
    except OptionError as error:
        message = str(error)
    else:
        message = WHERE
        assert found.base_url == options["base_url"]
    assert message.startswith(WHERE)


def test_options_of_the_platform_are_passed_over() -> None:
    assert read(**{name.lower(): "x" for name in PLATFORM_OPTIONS}) == read()


def test_options_of_somebody_else_are_passed_over_where_they_are_named() -> None:
    options = {"base_url": "https://a.example", "SINCE": "2026-01-01"}
    assert ClinicOptions.read(options, where=WHERE, passed_over=["since"]).base_url == "https://a.example"
    assert "no option 'SINCE'" in refused(options)


class TalkativeOptions(Options):
    token: SecretStr
    count: int = 1

    @model_validator(mode="after")
    def _shows_the_token(self) -> TalkativeOptions:
        raise ValueError(f"the token {self.token.get_secret_value()} is refused")


@settings(deadline=None)
@given(st.text(st.characters(codec="ascii", exclude_characters=" \n"), min_size=6))
def test_no_message_has_a_secret_in_it_even_if_the_author_puts_it_there(secret: str) -> None:
    secret = f"#{secret}#"
    with pytest.raises(OptionError) as caught:
        TalkativeOptions.read({"token": secret}, where=WHERE)
    shown = f"{caught.value}{caught.value!r}{caught.value.__cause__!r}"
    for form in (secret, urllib.parse.quote(secret, safe=""), base64.b64encode(secret.encode()).decode()):
        assert form not in shown


def test_a_secret_that_does_not_fit_is_not_shown() -> None:
    assert "abc" not in refused({"base_url": "https://a.example", "token": "abc"})
    assert "s3cret" not in refused({"base_url": "https://a.example", "keys": '["s3cret'})


def test_a_secret_is_in_no_repr_and_known_to_what_masks_texts() -> None:
    options = read(token="hush hush", keys='["k1-secret", "k2-secret"]')
    assert "hush" not in repr(options)
    assert "secret'" not in repr(options)
    assert options.secret_values() == {"hush hush", "k1-secret", "k2-secret"}
    assert ClinicOptions.secret_names() == {"token", "keys"}


def test_options_pickle() -> None:
    options = read(token="hush hush", page_size="5")
    assert pickle.loads(pickle.dumps(options)) == options


def test_options_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        read().page_size = 5


def test_the_fields_say_what_there_is_to_give() -> None:
    described = {field.name: field for field in ClinicOptions.fields()}
    assert described["base_url"] == OptionField("base_url", "string", True, None, False, "Where the API is")
    assert described["auth_type"].choices == ("none", "bearer", "basic")
    assert described["token"].secret
    assert described["keys"] == OptionField("keys", "list", False, None, True, "")
    assert described["search"].default == {}
    types = {name: field.type for name, field in described.items()}
    assert types == {
        "base_url": "string",
        "auth_type": "string",
        "token": "string",
        "page_size": "integer",
        "pause": "number",
        "with_deleted": "boolean",
        "resource_types": "list",
        "search": "object",
        "keys": "list",
        "fields": "list",
    }


def test_a_class_cannot_take_a_name_of_the_platform() -> None:
    with pytest.raises(ContractError, match="has an option 'table_name' already"):
        type("Clash", (Options,), {"__annotations__": {"table_name": str}, "__module__": __name__})


def test_a_class_cannot_have_two_names_that_are_one() -> None:
    with pytest.raises(ContractError, match="'base_url' and 'baseurl' are one name"):
        type("Clash", (Options,), {"__annotations__": {"base_url": str, "baseurl": str}, "__module__": __name__})


def test_options_of_http_become_a_policy_of_retries() -> None:
    options = HttpOptions.read({"timeoutSeconds": "5", "max_attempts": "7", "deadline_seconds": "60"}, where=WHERE)
    assert options.retry_policy() == RetryPolicy(max_attempts=7, timeout=5.0, deadline=60.0)
    assert HttpOptions.read({}, where=WHERE).retry_policy() == RetryPolicy()


def test_options_of_http_become_a_pace() -> None:
    assert HttpOptions.read({"requests_per_second": "5"}, where=WHERE).pace() == Pace(5.0)
    assert HttpOptions.read({}, where=WHERE).pace() is None
