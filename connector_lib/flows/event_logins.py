"""How a stream logs in to Kafka or Azure Event Hubs, as options of Spark's Kafka source.

A login holds its secret as a :class:`pydantic.SecretStr`, so it can be shown and logged; only
:func:`login_options` takes the value out. On Databricks the Kafka client has another package name (``kafkashaded.…``).

Sources: https://kafka.apache.org/39/documentation.html#security_sasl,
https://learn.microsoft.com/azure/event-hubs/azure-event-hubs-apache-kafka-overview,
https://learn.microsoft.com/azure/databricks/connect/streaming/kafka/authentication.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from pydantic import SecretStr

from connector_lib.errors import ConfigurationError
from connector_lib.flows.runtime import on_databricks, secret, setting, where_to_write

__all__ = [
    "CONNECTION_STRING_USER",
    "EntraLogin",
    "Login",
    "PasswordLogin",
    "ServiceCredential",
    "event_hubs_login",
    "jaas_text",
    "kafka_login",
    "login_options",
]

CONNECTION_STRING_USER = "$ConnectionString"
"""The user under whom Event Hubs takes a connection string as the password."""

_PASSWORD_MODULES: Final = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}
_OAUTH_MODULE = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule"
# Databricks documents the first name. The client of Spark 4 has both, and from Kafka 4 on only the second is left.
_OAUTH_HANDLER_ON_DATABRICKS = "org.apache.kafka.common.security.oauthbearer.secured.OAuthBearerLoginCallbackHandler"
_OAUTH_HANDLER = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler"
_JAAS_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"})


@dataclass(frozen=True, slots=True)
class PasswordLogin:
    """User and password, by the SASL mechanism PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.

    Raises :class:`~connector_lib.errors.ConfigurationError` for another mechanism.
    """

    user: str
    password: SecretStr
    mechanism: str = "PLAIN"

    def __post_init__(self) -> None:
        if self.mechanism not in _PASSWORD_MODULES:
            raise ConfigurationError(
                f"'kafka.sasl.mechanism' must be one of {', '.join(_PASSWORD_MODULES)}, not '{self.mechanism}'",
                hint=where_to_write("kafka.sasl.mechanism"),
            )


@dataclass(frozen=True, slots=True)
class EntraLogin:
    """A service principal of Microsoft Entra ID: its tenant, client id and client secret."""

    tenant_id: str
    client_id: str
    client_secret: SecretStr


@dataclass(frozen=True, slots=True)
class ServiceCredential:
    """A service credential of Unity Catalog, by name: no secret at all. On Databricks only (runtime 16.1 and newer)."""

    name: str


Login: TypeAlias = PasswordLogin | EntraLogin | ServiceCredential


def kafka_login() -> PasswordLogin | None:
    """The login that the settings ``kafka.*`` ask for; None where ``kafka.user`` is not set. For module level.

    The password is the secret ``kafka.secretKey`` (``kafka-password`` by default) of the scope ``kafka.secretScope``;
    outside Databricks the environment variable ``KAFKA_PASSWORD``. Where Spark hides settings with ``secret`` in their
    name, ``kafka.scopeEntry`` and ``kafka.scope`` take the place of the two
    (:func:`~connector_lib.flows.runtime.setting`). ``kafka.sasl.mechanism`` is PLAIN by default.

    Raises :class:`~connector_lib.errors.ConfigurationError` as :func:`~connector_lib.flows.runtime.secret` does, and
    for an unknown mechanism.

    ::

        # configuration: {kafka.user: hl7-reader, kafka.secretScope: hl7}
        from connector_lib.flows.event_logins import kafka_login

        LOGIN = kafka_login()
        print(LOGIN)  # PasswordLogin(user='hl7-reader', password=SecretStr('**********'), mechanism='PLAIN')
    """
    user = setting("kafka.user")
    if user is None:
        return None
    password = _secret_of("kafka", "kafka-password", "KAFKA_PASSWORD")
    return PasswordLogin(user, password, setting("kafka.sasl.mechanism", "PLAIN"))


def event_hubs_login() -> Login:
    """The login that the settings ``eventhub.*`` ask for. For module level of a pipeline file.

    - ``eventhub.serviceCredential``: a service credential of Unity Catalog (Databricks only)
    - ``eventhub.clientId`` and ``eventhub.tenantId``: Microsoft Entra ID. The client secret is the secret
      ``eventhub.secretKey`` (``eventhub-client-secret``) of ``eventhub.secretScope``, or ``EVENTHUB_CLIENT_SECRET``
    - neither: a connection string: the secret ``eventhub.secretKey`` (``eventhub-connection-string``) of
      ``eventhub.secretScope``, or the environment variable ``EVENTHUB_CONNECTION_STRING``

    Where Spark hides settings with ``secret`` in their name, ``eventhub.scopeEntry`` and ``eventhub.scope`` take the
    place of ``eventhub.secretKey`` and ``eventhub.secretScope`` (:func:`~connector_lib.flows.runtime.setting`).

    Raises :class:`~connector_lib.errors.ConfigurationError` as :func:`~connector_lib.flows.runtime.secret` does, and
    for settings that contradict each other or do not work here.

    ::

        # configuration: {eventhub.secretScope: hl7}
        from connector_lib.flows.event_logins import event_hubs_login

        LOGIN = event_hubs_login()
        print(LOGIN)  # PasswordLogin(user='$ConnectionString', password=SecretStr('**********'), mechanism='PLAIN')
    """
    credential, client_id, tenant_id = (
        setting(f"eventhub.{name}") for name in ("serviceCredential", "clientId", "tenantId")
    )
    if credential is not None:
        _check_service_credential(client_id, tenant_id)
        return ServiceCredential(credential)
    if client_id is None and tenant_id is None:
        text = _secret_of("eventhub", "eventhub-connection-string", "EVENTHUB_CONNECTION_STRING")
        return PasswordLogin(CONNECTION_STRING_USER, text)
    if client_id is None or tenant_id is None:
        missing = "eventhub.clientId" if client_id is None else "eventhub.tenantId"
        raise ConfigurationError(
            f"the setting '{missing}' is missing: a login by Microsoft Entra ID needs tenant and client",
            hint=where_to_write(missing),
        )
    client_secret = _secret_of("eventhub", "eventhub-client-secret", "EVENTHUB_CLIENT_SECRET")
    return EntraLogin(tenant_id, client_id, client_secret)


def _secret_of(group: str, default_key: str, environment_variable: str) -> SecretStr:
    """The secret that the settings ``group.secretScope`` and ``group.secretKey``, or their second names, tell."""
    option, second_option = f"{group}.secretScope", f"{group}.scope"
    return secret(
        setting(option, second_name=second_option),
        setting(f"{group}.secretKey", default_key, second_name=f"{group}.scopeEntry"),
        environment_variable,
        option=option,
        second_option=second_option,
    )


def _check_service_credential(client_id: str | None, tenant_id: str | None) -> None:
    if client_id is not None or tenant_id is not None:
        other = "eventhub.tenantId" if client_id is None else "eventhub.clientId"
        raise ConfigurationError(
            f"'eventhub.serviceCredential' and '{other}' are two ways to log in", hint="keep one of them"
        )
    if not on_databricks():
        raise ConfigurationError(
            "'eventhub.serviceCredential' works on Databricks only: the credential is kept by Unity Catalog",
            hint="here leave it empty ('--set eventhub.serviceCredential=') and take a connection string",
        )


def login_options(login: Login | None, host: str) -> dict[str, str]:
    """``login`` as options of Spark's Kafka source; ``host`` is what a token is asked for. Empty without a login.

    What comes out holds the secret in plain text: it goes to Spark and nowhere else.

    >>> options = login_options(PasswordLogin("lab", SecretStr("hush"), "SCRAM-SHA-512"), "a.example.org:9093")
    >>> options["kafka.sasl.mechanism"]
    'SCRAM-SHA-512'
    >>> print(options["kafka.sasl.jaas.config"])
    org.apache.kafka.common.security.scram.ScramLoginModule required username="lab" password="hush";
    """
    if login is None:
        return {}
    if isinstance(login, ServiceCredential):
        return {"databricks.serviceCredential": login.name}
    if isinstance(login, PasswordLogin):
        module = _PASSWORD_MODULES[login.mechanism]
        parts = {"username": login.user, "password": login.password.get_secret_value()}
        return {"kafka.sasl.mechanism": login.mechanism, "kafka.sasl.jaas.config": jaas_text(_shaded(module), parts)}
    handler = _OAUTH_HANDLER_ON_DATABRICKS if on_databricks() else _OAUTH_HANDLER
    parts = {
        "clientId": login.client_id,
        "clientSecret": login.client_secret.get_secret_value(),
        "scope": f"https://{host}/.default",
    }
    return {
        "kafka.sasl.mechanism": "OAUTHBEARER",
        "kafka.sasl.login.callback.handler.class": _shaded(handler),
        "kafka.sasl.oauthbearer.token.endpoint.url": (
            f"https://login.microsoftonline.com/{login.tenant_id}/oauth2/v2.0/token"
        ),
        "kafka.sasl.jaas.config": jaas_text(_shaded(_OAUTH_MODULE), parts),
    }


def jaas_text(module: str, parts: dict[str, str]) -> str:
    """A login in the form of JAAS: Kafka reads it with Java's ``StreamTokenizer``, where a backslash escapes.

    >>> print(jaas_text("PlainLoginModule", {"username": "lab", "password": 'two"quotes'}))
    PlainLoginModule required username="lab" password="two\\"quotes";
    """
    quoted = " ".join(f'{name}="{value.translate(_JAAS_ESCAPES)}"' for name, value in parts.items())
    return f"{module} required {quoted};"


def _shaded(class_name: str) -> str:
    return f"kafkashaded.{class_name}" if on_databricks() else class_name
