"""A lean client of AWS's services that speak JSON: signed requests over aiohttp.

Event sources are polled by it, not by boto3 in threads (docs/decisions/0008): a long poll would
hold a thread for 20 s, and where tenants say what is asked, each address is judged as its socket is
made (`pilotlight.public_addresses`), which no SDK lets us do. SQS, Kinesis and DynamoDB Streams are
one protocol: the operation in a header, JSON in and out (Smithy, "AWS JSON 1.0" and "1.1").
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp

from pilotlight.budget import ByteBudget
from pilotlight.errors import PilotlightError
from pilotlight.public_addresses import connector
from pilotlight.signing import Credentials, Signer

from .credentials import NoAwsCredentialsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .credentials import AwsAccess, AwsCredentials, AwsSettings

    _Access = Callable[[], Awaitable[AwsAccess]]

__all__ = ["AwsClient", "AwsClients", "AwsError", "AwsService", "find_keys"]

SECONDS = 10.0
"""For an answer, beyond what the operation itself may wait."""
LARGEST_ANSWER = 16 << 20
"""Bytes: ten messages or a read of a stream have ten million, and escapes."""
MOST_ANSWERS = 2 * LARGEST_ANSWER
"""Bytes of all answers that are read at once, beyond those that are small."""
SMALL = 1 << 16
MOST_VALUES = 250_000
"""Texts, objects and arrays of an answer: each takes far more memory than the bytes it is said in.
A read of a stream has 10,000 records."""
LONGEST_REASON = 500
"""Characters of what a service says is wrong: it goes into a status, and into logs."""
_OK = 200
_VALUE = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]', re.DOTALL)
"""A text whose end is missing counts: to look for it again from each quote would take for ever."""


class AwsError(PilotlightError):
    """A service refused, or could not be reached; `code` is its own, else empty."""

    status = 502

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(_shortened(message))
        self.service_code = code[:LONGEST_REASON]


@dataclass(frozen=True, slots=True)
class AwsService:
    """How a service is spoken to."""

    host: str
    """Its name in AWS's hosts."""
    scope: str
    """Its name in signatures."""
    target: str
    """What stands before an operation in X-Amz-Target."""
    version: str
    """Of the JSON protocol."""


class AwsClients:
    """Makes clients for accounts; the connections are shared."""

    def __init__(self, settings: AwsSettings, credentials: AwsCredentials) -> None:
        self._settings = settings
        self._credentials = credentials
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self.answers = ByteBudget(MOST_ANSWERS)
        """For those that are being read."""

    def client(
        self, service: AwsService, *, namespace: str, account: str, region: str, url: str | None
    ) -> AwsClient:
        """Make an account's client of a service, at `url` if it is given."""

        async def access() -> AwsAccess:
            return await self._credentials.access(
                namespace=namespace, account=account, service=service.host, region=region, url=url
            )

        return AwsClient(self, service, region, access)

    def session(self, access: AwsAccess) -> aiohttp.ClientSession:
        """Return connections that may go where a service is."""
        private = self._may_be_private(access)
        if private not in self._sessions:
            self._sessions[private] = aiohttp.ClientSession(
                connector=connector(private=private, limit=0),  # a long poll holds a connection
                cookie_jar=aiohttp.DummyCookieJar(),  # one account's would go with another's calls
            )
        return self._sessions[private]

    def unreachable(self, access: AwsAccess, error: Exception) -> AwsError:
        """Say why a service is not reached; of what is private nothing, not even its name."""
        said = str(error) or type(error).__name__
        if isinstance(error, aiohttp.ClientConnectorError) and not self._may_be_private(access):
            return AwsError(f"{access.url} cannot be reached on the public internet")
        return AwsError(f"{access.url} cannot be reached: {said}")

    def _may_be_private(self, access: AwsAccess) -> bool:
        settings, place = self._settings, urlsplit(access.url).netloc
        return access.trusted or settings.private_addresses or place in settings.private_sources

    async def close(self) -> None:
        """Let go of connections."""
        for session in self._sessions.values():
            await session.close()
        await asyncio.sleep(0)  # connections close in the next turn of the loop


class AwsClient:
    """One account's client of one service."""

    def __init__(
        self, clients: AwsClients, service: AwsService, region: str, access: _Access
    ) -> None:
        self._clients = clients
        self._service = service
        self._region = region
        self._access = access

    async def url(self) -> str:
        """Say where the service is; raises AwsError."""
        return (await self._reached()).url

    async def call(
        self, operation: str, document: dict[str, Any], *, wait_seconds: float = 0.0
    ) -> dict[str, Any]:
        """Run an operation that itself may wait; raises AwsError."""
        access = await self._reached()
        url, body = access.url + "/", json.dumps(document).encode()
        keys = await find_keys(access.keys)
        headers = {
            "Content-Type": f"application/x-amz-json-{self._service.version}",
            "X-Amz-Target": f"{self._service.target}.{operation}",
        }
        signer = Signer(keys, self._region, self._service.scope)
        try:
            signed = signer.sign("POST", url, body, headers)
            async with self._clients.session(access).post(
                url, data=body, headers=signed, allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=SECONDS + wait_seconds),
            ) as answer:  # fmt: skip
                return await self._read(answer, operation)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise self._clients.unreachable(access, error) from error

    async def _read(self, answer: aiohttp.ClientResponse, operation: str) -> dict[str, Any]:
        """Read an answer; a large one once there is memory for it."""
        budget, lent, body = self._clients.answers, 0, bytearray()
        try:
            async for piece in answer.content.iter_any():
                body += piece
                if len(body) > LARGEST_ANSWER:
                    raise ValueError(f"more than {LARGEST_ANSWER} bytes came")
                if len(body) > SMALL and not lent:
                    lent = await budget.take(LARGEST_ANSWER)
            return _parse(answer, bytes(body), operation)
        finally:
            budget.give(lent)

    async def _reached(self) -> AwsAccess:
        try:
            return await self._access()
        except NoAwsCredentialsError as error:
            raise AwsError(str(error), "NoCredentials") from error


def _parse(answer: aiohttp.ClientResponse, body: bytes, operation: str) -> dict[str, Any]:
    if next(islice(_VALUE.finditer(body), MOST_VALUES, None), None):
        raise ValueError(f"more than {MOST_VALUES} values came")
    try:
        document = json.loads(body) if body else {}
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise AwsError(f"{operation}: status {answer.status}, and no JSON object: {body[:200]!r}")
    if answer.status == _OK:
        return document
    # The name that clients of the older protocol know, where there is one.
    older = answer.headers.get("x-amzn-query-error", "").partition(";")[0]
    code = (older or str(document.get("__type", ""))).rpartition("#")[2]
    said = document.get("message") or document.get("Message") or f"status {answer.status}"
    raise AwsError(str(said), code)


def _shortened(message: str) -> str:
    """Make of a stranger's message one that a status, a log and a terminal can hold."""
    text = message if len(message) <= LONGEST_REASON else message[:LONGEST_REASON] + "…"
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


async def find_keys(given: Credentials) -> Credentials:
    """Return keys as they are; empty ones become what boto3 finds by itself; raises AwsError."""
    return given if given.access_key else await asyncio.to_thread(_find_keys)


def _find_keys() -> Credentials:
    """Return what boto3 finds by itself: on one machine the user is the tenant."""
    try:
        import botocore.session  # noqa: PLC0415  an extra, and slow to import
    except ImportError as error:
        raise AwsError("boto3 is missing: install pilotlight[aws]", "NoCredentials") from error
    found = botocore.session.get_session().get_credentials()
    if found is None:
        raise AwsError("no keys for AWS are found on this machine", "NoCredentials")
    keys = found.get_frozen_credentials()
    return Credentials(keys.access_key, keys.secret_key, keys.token)
