"""Assumes the roles of functions at AWS's STS, or at whatever speaks its protocol (MinIO, moto).

With a token of the role's own ServiceAccount, where it has one and the platform gives them, else
with the account's own keys, as all that the platform asks of AWS for a tenant (`credentials`): what
a role may be assumed by, its trust policy says there. Sessions are kept, and renewed well before
they end, by whoever asks then. Nothing here is ever logged. AWS STS API reference, "AssumeRole" and
"AssumeRoleWithWebIdentity".
"""

from __future__ import annotations

import asyncio
import html
import re
import time
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import aiohttp

from pilotlight.errors import PilotlightError
from pilotlight.signing import Signer

from .client import SECONDS, AwsError, find_keys
from .credentials import NoAwsCredentialsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pilotlight.role_grants import RoleGrant

    from .client import AwsClients
    from .credentials import AwsAccess, AwsCredentials

__all__ = ["RoleCredentials", "RoleSessions"]

SESSION_SECONDS = 3600
"""What STS allows every role, also one that is assumed with credentials of another."""
RENEWED_SECONDS = 1500.0
"""Before their end sessions are renewed: AWS's SDKs ask for others a quarter of an hour before."""
REFUSED_SECONDS = 5.0
"""How long STS' refusal is believed: a function asks before every request."""
MOST_SESSIONS = 1000
LONGEST_ANSWER = 1 << 16
_OK = 200
_FORM = "application/x-www-form-urlencoded; charset=utf-8"


@dataclass(frozen=True, slots=True)
class RoleCredentials:
    """Temporary credentials of a role."""

    role: str
    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expiration: str
    """As STS writes it."""

    @property
    def expires(self) -> float:
        """Epoch seconds."""
        return datetime.fromisoformat(self.expiration).timestamp()

    def document(self) -> dict[str, str]:
        """Return them as AWS's SDKs read them of a container (Amazon ECS, "Task IAM role")."""
        return {
            "RoleArn": self.role,
            "AccessKeyId": self.access_key,
            "SecretAccessKey": self.secret_key,
            "Token": self.session_token,
            "Expiration": self.expiration,
        }


@dataclass(slots=True)
class _Session:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    credentials: RoleCredentials | None = None
    refused: AwsError | None = None
    refused_at: float = 0.0


class RoleSessions:
    """The sessions of all functions that were asked for here."""

    def __init__(
        self,
        region: str,
        credentials: AwsCredentials,
        clients: AwsClients,
        clock: Callable[[], float] = time.time,
        identify: Callable[[RoleGrant], Awaitable[str | None]] | None = None,
    ) -> None:
        """`identify` gives a token that the STS takes for a role, if it has one."""
        self._region = region
        self._credentials = credentials
        self._clients = clients
        self._clock = clock
        self._identify = identify
        self._sessions: OrderedDict[tuple[str, str, str], _Session] = OrderedDict()
        """By namespace, function and role; what was asked for longest ago is first."""

    async def of(self, grant: RoleGrant) -> RoleCredentials:
        """Return credentials that are good for a while; raises AwsError."""
        session = self._session(grant)
        async with session.lock:
            left = session.credentials.expires - self._clock() if session.credentials else 0.0
            if session.credentials is None or left < RENEWED_SECONDS:
                await self._renew(session, grant, needed=left <= 0)
            assert session.credentials is not None  # noqa: S101  else `_renew` raised
            return session.credentials

    def _session(self, grant: RoleGrant) -> _Session:
        key = (grant.namespace, grant.function, grant.role)
        session = self._sessions.setdefault(key, _Session())
        self._sessions.move_to_end(key)
        if len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return session

    async def _renew(self, session: _Session, grant: RoleGrant, *, needed: bool) -> None:
        """Begin a new session; where that fails, the one before does while it lasts."""
        if session.refused and self._clock() - session.refused_at < REFUSED_SECONDS:
            if needed:
                raise session.refused
            return
        try:
            session.credentials = await self._assume(grant)
            session.refused = None
        except AwsError as error:
            session.refused, session.refused_at = error, self._clock()
            if needed:
                raise

    async def _assume(self, grant: RoleGrant) -> RoleCredentials:
        """Begin a session, by a token of the role's own where there is one, else by keys."""
        form = {
            "Action": "AssumeRole",
            "Version": "2011-06-15",
            "RoleArn": grant.role,
            "RoleSessionName": grant.function.ljust(2, "-"),
            "DurationSeconds": str(SESSION_SECONDS),
        }
        token = await self._token(grant)
        if token is not None:
            form |= {"Action": "AssumeRoleWithWebIdentity", "WebIdentityToken": token}
            access = await self._credentials.place(
                namespace=grant.namespace, service="sts", region=self._region
            )
            body = urlencode(form).encode()
            return await self._ask(grant.role, access, body, {"Content-Type": _FORM})
        access = await self._access(grant)
        signer = Signer(await find_keys(access.keys), self._region, "sts")
        body = urlencode(form).encode()
        headers = signer.sign("POST", f"{access.url}/", body, {"Content-Type": _FORM})
        return await self._ask(grant.role, access, body, headers)

    async def _token(self, grant: RoleGrant) -> str | None:
        try:
            return await self._identify(grant) if self._identify else None
        except PilotlightError as error:
            raise AwsError(f"its ServiceAccount gives no token: {error}") from error

    async def _ask(
        self, role: str, access: AwsAccess, body: bytes, headers: dict[str, str]
    ) -> RoleCredentials:
        try:
            async with self._clients.session(access).post(
                f"{access.url}/", data=body, headers=headers,
                allow_redirects=False, timeout=aiohttp.ClientTimeout(total=SECONDS),
            ) as answer:  # fmt: skip
                text = (await answer.content.read(LONGEST_ANSWER)).decode(errors="replace")
                return _read(role, answer.status, text)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._clients.unreachable(access, error) from error

    async def _access(self, grant: RoleGrant) -> AwsAccess:
        try:
            access = await self._credentials.access(
                namespace=grant.namespace, account=grant.account,
                service="sts", region=self._region,
            )  # fmt: skip
            # An STS that is named is no stand-in that takes any keys.
            return replace(access, keys=await self._credentials.of(grant.namespace, grant.account))
        except NoAwsCredentialsError as error:
            raise AwsError(str(error), "NoCredentials") from error


def _read(role: str, status: int, text: str) -> RoleCredentials:
    """Read STS' answer; raises AwsError with its own code and message."""
    if status != _OK:
        said = _member(text, "Message") or f"STS answered status {status}"
        raise AwsError(said, _member(text, "Code"))
    names = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
    values = [_member(text, name) for name in names]
    for name, value in zip(names, values, strict=True):
        if not value:
            raise AwsError(f"STS answered no {name}")
    credentials = RoleCredentials(role, *values)
    try:
        credentials.expires  # noqa: B018  it is read where an error still has a place
    except ValueError as error:
        raise AwsError("STS answered an Expiration that is no time") from error
    return credentials


def _member(text: str, name: str) -> str:
    found = re.search(f"<{name}>([^<]{{1,20000}})</{name}>", text)
    return html.unescape(found[1]).strip() if found else ""
