"""With whose keys the platform calls AWS for a tenant: the account's own, never the gateway's.

They are a Secret of the account's namespace, which its admin makes. Where a stand-in for AWS is
given (`aws_endpoint_url`), it takes any keys. On one machine the user is the tenant, so there what
boto3 finds by itself serves.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pilotlight.errors import UnavailableError
from pilotlight.resources import Key, Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight.cache import Cache

    from .settings import Settings

__all__ = ["SECRET", "AwsCredentials", "AwsKeys", "NoAwsCredentialsError"]

SECRET = "aws-credentials"  # noqa: S105  a name
"""Of the account's Secret: accessKeyId, secretAccessKey and, of temporary keys, sessionToken."""


KEPT_SECONDS = 10.0
"""How long an account's Secret is believed: deliveries come by the hundred, and gateways follow no
Secrets of accounts."""


class NoAwsCredentialsError(Exception):
    """The account has no keys for AWS; the message says what is expected where."""


@dataclass(frozen=True, slots=True)
class AwsKeys:
    """Keys for AWS; empty ones stand for what boto3 finds by itself."""

    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    session_token: str | None = field(default=None, repr=False)


class AwsCredentials:
    """The keys of all accounts."""

    def __init__(
        self, settings: Settings, cache: Cache, clock: Callable[[], float] = time.monotonic
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

    async def of(self, namespace: str, account: str) -> AwsKeys:
        """Return an account's keys; raises NoAwsCredentialsError."""
        secret = await self._secret(namespace)
        if secret is not None:
            return _keys(secret)
        if self._settings.own_aws_credentials:
            return AwsKeys()
        if self._settings.aws_endpoint_url:
            # What stands in for AWS takes any keys, and one of 12 digits as its account.
            return AwsKeys(account, "test")
        raise NoAwsCredentialsError(
            f"account {account} has no keys for AWS: a Secret {SECRET} with accessKeyId and "
            f"secretAccessKey is expected in its namespace {namespace}"
        )

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


def _keys(secret: Secret) -> AwsKeys:
    values = secret.string_data
    if not values.get("accessKeyId") or not values.get("secretAccessKey"):
        raise NoAwsCredentialsError(
            f"Secret {secret.key}: accessKeyId and secretAccessKey are expected, "
            f"{', '.join(sorted(values)) or 'nothing'} came"
        )
    return AwsKeys(values["accessKeyId"], values["secretAccessKey"], values.get("sessionToken"))
