"""Logins to Kafka and Event Hubs: which one the settings ask for, and what Spark is told of it."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from connector_lib.errors import ConfigurationError
from connector_lib.flows.event_logins import (
    EntraLogin,
    Login,
    PasswordLogin,
    ServiceCredential,
    event_hubs_login,
    kafka_login,
    login_options,
)

SECRET = "Endpoint=sb://lab.servicebus.windows.net/;SharedAccessKeyName=read;SharedAccessKey=canary+/="
HOST = "lab.servicebus.windows.net"
Secrets = dict[tuple[str, str], str]
HIDDEN: list[dict[str, str]] = [
    {},
    dict.fromkeys(("secretScope", "secretKey"), "*********(redacted)"),
]
"""What Spark shows of settings that it hides: nothing, or stars."""


def in_text(login: Login | None) -> str:
    return f"{login} {login!r} {vars(login) if hasattr(login, '__dict__') else ''}"


class TestKafka:
    """Settings ``kafka.*``."""

    @pytest.mark.usefixtures("settings")
    def test_without_a_user_nobody_logs_in(self) -> None:
        assert kafka_login() is None

    def test_here_the_password_is_in_the_environment(
        self, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("KAFKA_PASSWORD", SECRET)
        settings["kafka.user"] = "lab"
        assert kafka_login() == PasswordLogin("lab", SecretStr(SECRET), "PLAIN")

    def test_on_databricks_the_password_is_in_a_secret_scope(self, settings: dict[str, str], secrets: Secrets) -> None:
        settings |= {"kafka.user": "lab", "kafka.secretScope": "hl7", "kafka.sasl.mechanism": "SCRAM-SHA-512"}
        secrets["hl7", "kafka-password"] = SECRET
        assert kafka_login() == PasswordLogin("lab", SecretStr(SECRET), "SCRAM-SHA-512")

    def test_the_key_of_the_secret_can_be_chosen(self, settings: dict[str, str], secrets: Secrets) -> None:
        settings |= {"kafka.user": "lab", "kafka.secretScope": "hl7", "kafka.secretKey": "other"}
        secrets["hl7", "other"] = SECRET
        login = kafka_login()
        assert login is not None
        assert login.password.get_secret_value() == SECRET

    @pytest.mark.parametrize("hidden", HIDDEN)
    def test_where_the_names_are_hidden_the_second_ones_are_read(
        self, hidden: dict[str, str], settings: dict[str, str], secrets: Secrets
    ) -> None:
        settings |= {f"kafka.{name}": value for name, value in hidden.items()}
        settings |= {"kafka.user": "lab", "kafka.scope": "hl7", "kafka.scopeEntry": "other"}
        secrets["hl7", "other"] = SECRET
        assert kafka_login() == PasswordLogin("lab", SecretStr(SECRET), "PLAIN")

    def test_the_first_names_win(self, settings: dict[str, str], secrets: Secrets) -> None:
        settings |= {"kafka.user": "lab", "kafka.secretScope": "hl7", "kafka.secretKey": "first"}
        settings |= {"kafka.scope": "elsewhere", "kafka.scopeEntry": "second"}
        secrets["hl7", "first"] = SECRET
        assert kafka_login() == PasswordLogin("lab", SecretStr(SECRET), "PLAIN")

    @pytest.mark.parametrize("hidden", HIDDEN)
    @pytest.mark.usefixtures("secrets")
    def test_a_missing_scope_may_be_a_hidden_one(self, hidden: dict[str, str], settings: dict[str, str]) -> None:
        settings |= {"kafka.user": "lab"} | {f"kafka.{name}": value for name, value in hidden.items()}
        with pytest.raises(ConfigurationError) as caught:
            kafka_login()
        assert caught.value.message.startswith(
            "the setting 'kafka.secretScope' is missing, or hidden by spark.redaction.regex of this compute:"
            " use 'kafka.scope'"
        )
        assert "'kafka.scope: <value>'" in caught.value.hint

    def test_an_unknown_mechanism_is_refused(self, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KAFKA_PASSWORD", SECRET)
        settings |= {"kafka.user": "lab", "kafka.sasl.mechanism": "GSSAPI"}
        with pytest.raises(ConfigurationError, match=r"'kafka\.sasl\.mechanism' must be one of PLAIN, .*not 'GSSAPI'"):
            kafka_login()


class TestEventHubs:
    """Settings ``eventhub.*``."""

    @pytest.mark.usefixtures("settings")
    def test_here_the_connection_string_is_in_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("EVENTHUB_CONNECTION_STRING", SECRET)
        assert event_hubs_login() == PasswordLogin("$ConnectionString", SecretStr(SECRET))

    def test_on_databricks_it_is_in_a_secret_scope(self, settings: dict[str, str], secrets: Secrets) -> None:
        settings["eventhub.secretScope"] = "hl7"
        secrets["hl7", "eventhub-connection-string"] = SECRET
        assert event_hubs_login() == PasswordLogin("$ConnectionString", SecretStr(SECRET))

    def test_with_tenant_and_client_it_is_entra_id(self, settings: dict[str, str], secrets: Secrets) -> None:
        settings |= {"eventhub.secretScope": "hl7", "eventhub.tenantId": "t-1", "eventhub.clientId": "c-1"}
        secrets["hl7", "eventhub-client-secret"] = SECRET
        assert event_hubs_login() == EntraLogin("t-1", "c-1", SecretStr(SECRET))

    @pytest.mark.parametrize("hidden", HIDDEN)
    @pytest.mark.parametrize("key", ["", "other"])
    def test_where_the_names_are_hidden_the_second_ones_are_read(
        self, key: str, hidden: dict[str, str], settings: dict[str, str], secrets: Secrets
    ) -> None:
        settings |= {f"eventhub.{name}": value for name, value in hidden.items()}
        settings |= {"eventhub.scope": "hl7", "eventhub.scopeEntry": key}
        secrets["hl7", key or "eventhub-connection-string"] = SECRET
        assert event_hubs_login() == PasswordLogin("$ConnectionString", SecretStr(SECRET))

    @pytest.mark.parametrize("client", [{}, {"eventhub.tenantId": "t-1", "eventhub.clientId": "c-1"}])
    @pytest.mark.usefixtures("secrets")
    def test_a_missing_scope_may_be_a_hidden_one(self, client: dict[str, str], settings: dict[str, str]) -> None:
        settings |= client
        with pytest.raises(
            ConfigurationError,
            match=r"missing, or hidden by spark\.redaction\.regex of this compute: use 'eventhub\.scope'",
        ):
            event_hubs_login()

    @pytest.mark.parametrize(
        ("given", "missing"),
        [("eventhub.tenantId", "eventhub.clientId"), ("eventhub.clientId", "eventhub.tenantId")],
    )
    def test_tenant_and_client_go_together(self, given: str, missing: str, settings: dict[str, str]) -> None:
        settings[given] = "x"
        with pytest.raises(ConfigurationError, match=f"the setting '{missing}' is missing"):
            event_hubs_login()

    @pytest.mark.usefixtures("databricks")
    def test_a_service_credential_needs_no_secret(self, settings: dict[str, str]) -> None:
        settings["eventhub.serviceCredential"] = "hl7-reader"
        assert event_hubs_login() == ServiceCredential("hl7-reader")

    def test_a_service_credential_is_refused_here(self, settings: dict[str, str]) -> None:
        settings["eventhub.serviceCredential"] = "hl7-reader"
        with pytest.raises(ConfigurationError, match="works on Databricks only"):
            event_hubs_login()

    @pytest.mark.parametrize("other", ["eventhub.clientId", "eventhub.tenantId"])
    @pytest.mark.usefixtures("databricks")
    def test_two_ways_to_log_in_are_refused(self, other: str, settings: dict[str, str]) -> None:
        settings |= {"eventhub.serviceCredential": "hl7-reader", other: "x"}
        with pytest.raises(ConfigurationError, match=f"'eventhub.serviceCredential' and '{other}' are two ways"):
            event_hubs_login()


class TestOptions:
    """What Spark is told."""

    def test_a_connection_string_is_a_password_under_a_user_of_its_own(self) -> None:
        assert login_options(PasswordLogin("$ConnectionString", SecretStr(SECRET)), HOST) == {
            "kafka.sasl.mechanism": "PLAIN",
            "kafka.sasl.jaas.config": (
                "org.apache.kafka.common.security.plain.PlainLoginModule required"
                f' username="$ConnectionString" password="{SECRET}";'
            ),
        }

    def test_entra_id_is_a_token_for_the_namespace(self) -> None:
        assert login_options(EntraLogin("t-1", "c-1", SecretStr("s-1")), HOST) == {
            "kafka.sasl.mechanism": "OAUTHBEARER",
            "kafka.sasl.login.callback.handler.class": (
                "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler"
            ),
            "kafka.sasl.oauthbearer.token.endpoint.url": "https://login.microsoftonline.com/t-1/oauth2/v2.0/token",
            "kafka.sasl.jaas.config": (
                "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required"
                f' clientId="c-1" clientSecret="s-1" scope="https://{HOST}/.default";'
            ),
        }

    @pytest.mark.parametrize(
        ("mechanism", "module"),
        [("PLAIN", "plain.PlainLoginModule"), ("SCRAM-SHA-256", "scram.ScramLoginModule")],
    )
    @pytest.mark.usefixtures("databricks")
    def test_on_databricks_the_classes_are_those_of_its_own_client(self, mechanism: str, module: str) -> None:
        options = login_options(PasswordLogin("lab", SecretStr("x"), mechanism), HOST)
        assert options["kafka.sasl.jaas.config"].startswith(f"kafkashaded.org.apache.kafka.common.security.{module} ")

    @pytest.mark.usefixtures("databricks")
    def test_on_databricks_the_token_handler_is_the_documented_one(self) -> None:
        options = login_options(EntraLogin("t-1", "c-1", SecretStr("s-1")), HOST)
        package = "kafkashaded.org.apache.kafka.common.security.oauthbearer"
        assert options["kafka.sasl.jaas.config"].startswith(f"{package}.OAuthBearerLoginModule ")
        assert (
            options["kafka.sasl.login.callback.handler.class"] == f"{package}.secured.OAuthBearerLoginCallbackHandler"
        )

    def test_a_service_credential_is_named_and_nothing_else(self) -> None:
        assert login_options(ServiceCredential("hl7-reader"), HOST) == {"databricks.serviceCredential": "hl7-reader"}

    def test_quotes_and_backslashes_do_not_end_the_password(self) -> None:
        options = login_options(PasswordLogin("lab", SecretStr('a"; b="\\')), HOST)
        assert options["kafka.sasl.jaas.config"].endswith('password="a\\"; b=\\"\\\\";')


@pytest.mark.parametrize(
    "login", [PasswordLogin("lab", SecretStr(SECRET)), EntraLogin("t-1", "c-1", SecretStr(SECRET))]
)
def test_a_login_does_not_show_its_secret(login: Login) -> None:
    assert "canary" not in in_text(login)
