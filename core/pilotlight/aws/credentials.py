"""With whose keys the platform calls AWS for a tenant: the account's own, never the gateway's.

They are a Secret of the account's namespace, which its admin makes. Where a stand-in for AWS is
given (`aws_endpoint_url`), it takes any keys. On one machine the user is the tenant, so there what
boto3 finds by itself serves. The Secret may say where services are that stand in for AWS's, too.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pilotlight.errors import UnavailableError
from pilotlight.resources import Key, Secret
from pilotlight.signing import Credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pilotlight.cache import Cache

__all__ = [
    "SECRET",
    "SERVICE_IDS",
    "AwsAccess",
    "AwsCredentials",
    "AwsSettings",
    "NoAwsCredentialsError",
]

SECRET = "aws-credentials"  # noqa: S105  a name
"""Of the account's Secret: accessKeyId, secretAccessKey and, of temporary keys, sessionToken; where
services are, AWS_ENDPOINT_URL_SQS and the like, or AWS_ENDPOINT_URL for all."""


SERVICE_IDS = {
    "sqs": "SQS",
    "kinesis": "KINESIS",
    "streams.dynamodb": "DYNAMODB_STREAMS",
    "s3": "S3",
    "kafka": "KAFKA",
    "mq": "MQ",
    "sts": "STS",
}
"""By the name in AWS's hosts the one in AWS_ENDPOINT_URL_… (AWS SDKs and Tools Reference Guide)."""
KEPT_SECONDS = 10.0
"""How long an account's Secret is believed: deliveries come by the hundred, and gateways follow no
Secrets of accounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsSettings:
    """Where AWS is, and what may stand in for it."""

    own_aws_credentials: bool = False
    """Whether keys for AWS that the process itself finds serve its tenants (local mode)."""
    aws_endpoint_url: str = ""
    """Where SQS, SNS, EventBridge and S3 are; empty: at AWS."""
    aws_endpoint_urls: Mapping[str, str] = field(default_factory=dict)
    """Where single services of AWS's are, by their name in AWS's hosts."""
    private_addresses: bool = False
    """Whether what tenants name may be in private networks."""
    private_sources: tuple[str, ...] = ()
    """`host:port` of what tenants may name although it is in private networks."""


class NoAwsCredentialsError(Exception):
    """The account has no keys for AWS; the message says what is expected where."""


@dataclass(frozen=True, slots=True)
class AwsAccess:
    """Where a service is, and the keys for it."""

    url: str
    keys: Credentials
    """Empty ones stand for what boto3 finds by itself."""
    trusted: bool
    """Whether the platform's admin, or AWS, says where: else it must be a public address."""


class AwsCredentials:
    """The keys of all accounts."""

    def __init__(
        self, settings: AwsSettings, cache: Cache, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._cache = cache
        self._clock = clock
        self._kept: dict[str, tuple[float, Secret | None]] = {}
        """Of a namespace the Secret, and since when it is kept."""

    def may_reach(self, arn: str, account: str) -> bool:
        """Whether an account may have something brought to an ARN: its own, or a bucket's.

        A stand-in for AWS has account ids of its own, and takes any keys.
        """
        settings = self._settings
        if settings.own_aws_credentials or settings.aws_endpoint_url:
            return True
        return arn.split(":")[4] in {"", account}

    async def of(self, namespace: str, account: str) -> Credentials:
        """Return an account's keys; raises NoAwsCredentialsError."""
        secret = await self._secret(namespace)
        if secret is not None:
            return _keys(secret)
        if self._settings.own_aws_credentials:
            return Credentials()
        if self._settings.aws_endpoint_url:
            # What stands in for AWS takes any keys, and one of 12 digits as its account.
            return Credentials(account, "test")
        raise NoAwsCredentialsError(
            f"account {account} has no keys for AWS: a Secret {SECRET} with accessKeyId and "
            f"secretAccessKey is expected in its namespace {namespace}"
        )

    async def access(
        self, *, namespace: str, account: str, service: str, region: str, url: str | None = None
    ) -> AwsAccess:
        """Say how a service of AWS's is reached for an account; raises NoAwsCredentialsError.

        It is at `url`, else where the account's Secret says, else where the platform's settings
        say, else at AWS. `service` is the name in AWS's hosts.
        """
        named = url or _endpoint(await self._secret(namespace), service)
        settings = self._settings
        set_up = settings.aws_endpoint_urls.get(service) or settings.aws_endpoint_url
        if named is None and not set_up:
            keys = await self.of(namespace, account)
            return AwsAccess(_at_aws(service, region), keys, trusted=True)
        secret = await self._secret(namespace)
        has_keys = secret is not None and "accessKeyId" in secret.string_data
        # What stands in for AWS takes any keys, and one of 12 digits as its account.
        keys = _keys(secret) if secret and has_keys else Credentials(account, "test")
        return AwsAccess((named or set_up).rstrip("/"), keys, trusted=named is None)

    async def place(self, *, namespace: str, service: str, region: str) -> AwsAccess:
        """Say where a service is, by the same order, for who asks without keys."""
        named = _endpoint(await self._secret(namespace), service)
        settings = self._settings
        set_up = settings.aws_endpoint_urls.get(service) or settings.aws_endpoint_url
        url = named or set_up or _at_aws(service, region)
        return AwsAccess(url.rstrip("/"), Credentials(), trusted=named is None)

    async def endpoint(self, service: str, namespace: str, named: str | None) -> str | None:
        """Say where an account's brokers are: where is named, else where its Secret says."""
        if named is not None:
            return named
        secret = await self._secret(namespace)
        values = secret.string_data if secret else {}
        return values.get("AWS_ENDPOINT_URL_" + SERVICE_IDS[service])

    async def _secret(self, namespace: str) -> Secret | None:
        """Read an account's Secret; while nobody answers the one read last is as good."""
        since, kept = self._kept.get(namespace, (-KEPT_SECONDS, None))
        now = self._clock()
        if now - since < KEPT_SECONDS:
            return kept
        try:
            kept = await self._cache.find(Secret, Key(namespace, SECRET))
        except UnavailableError:
            if kept is None:
                raise
        self._kept[namespace] = (now, kept)
        return kept


def _endpoint(secret: Secret | None, service: str) -> str | None:
    values = secret.string_data if secret else {}
    variable = "AWS_ENDPOINT_URL_" + SERVICE_IDS[service]
    return values.get(variable) or values.get("AWS_ENDPOINT_URL")


def _at_aws(service: str, region: str) -> str:
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://{service}.{region}.{domain}"


def _keys(secret: Secret) -> Credentials:
    values = secret.string_data
    if not values.get("accessKeyId") or not values.get("secretAccessKey"):
        raise NoAwsCredentialsError(
            f"Secret {secret.key}: accessKeyId and secretAccessKey are expected, "
            f"{', '.join(sorted(values)) or 'nothing'} came"
        )
    return Credentials(values["accessKeyId"], values["secretAccessKey"], values.get("sessionToken"))
