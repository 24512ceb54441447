"""Reads objects of S3, or of whatever speaks its protocol, with an account's own keys.

Only `GetObject`, over the connections of `client`: so the guard of addresses holds for buckets that
a tenant's Secret places, and a large object is given up before it is held. Gateways read what
CreateFunction names, the operator what a manifest does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import aiohttp

from pilotlight.errors import PilotlightError
from pilotlight.signing import Signer

from .client import SECONDS, AwsError, find_keys
from .credentials import NoAwsCredentialsError

if TYPE_CHECKING:
    from pilotlight.resources import S3Object

    from .client import AwsClients
    from .credentials import AwsCredentials

__all__ = ["BucketError", "Buckets"]

READ_SECONDS = 120.0
LONGEST_REFUSAL = 1 << 16
_OK = 200
_CODE = re.compile(r"<Code>([^<]{1,100})</Code>")
_MESSAGE = re.compile(r"<Message>([^<]{1,1000})</Message>")


class BucketError(PilotlightError):
    """An object could not be read; the message is Lambda's, with S3's own code and message."""

    code = "BucketUnreadable"
    status = 400

    def __init__(self, source: S3Object, error: AwsError) -> None:
        said = f"S3 Error Code: {error.service_code or 'none'}. S3 Error Message: {error}"
        self.denied = error.service_code == "AccessDenied"
        super().__init__(
            "Your access has been denied by S3, please make sure your request credentials have "
            f"permission to GetObject for {source.bucket}/{source.key}. {said}"
            if self.denied
            else f"Error occurred while GetObject. {said}"
        )


class Buckets:
    """The buckets of all accounts, in one region."""

    def __init__(self, region: str, credentials: AwsCredentials, clients: AwsClients) -> None:
        self._region = region
        self._credentials = credentials
        self._clients = clients

    async def read(
        self,
        source: S3Object,
        *,
        namespace: str,
        account: str,
        limit: int,
        seconds: float = READ_SECONDS,
    ) -> bytes:
        """Return an object of at most `limit` bytes, read within `seconds`; raises BucketError."""
        try:
            return await self._read(source, namespace, account, limit, seconds)
        except AwsError as error:
            raise BucketError(source, error) from error

    async def _read(
        self, source: S3Object, namespace: str, account: str, limit: int, seconds: float
    ) -> bytes:
        try:
            access = await self._credentials.access(
                namespace=namespace, account=account, service="s3", region=self._region
            )
        except NoAwsCredentialsError as error:
            raise AwsError(str(error), "NoCredentials") from error
        url = access.url + _target(source)
        signer = Signer(await find_keys(access.keys), self._region, "s3")
        try:
            async with self._clients.session(access).get(
                url, headers=signer.sign("GET", url, b""), allow_redirects=False,
                timeout=aiohttp.ClientTimeout(connect=SECONDS, sock_read=SECONDS, total=seconds),
            ) as answer:  # fmt: skip
                return await _content(answer, limit)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise self._clients.unreachable(access, error) from error


def _target(source: S3Object) -> str:
    path = quote(f"/{source.bucket}/{source.key}", safe="/-_.~")
    return path + ("?" + urlencode({"versionId": source.version}) if source.version else "")


async def _content(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    if answer.status != _OK:
        text = (await answer.content.read(LONGEST_REFUSAL)).decode(errors="replace")
        code, message = _CODE.search(text), _MESSAGE.search(text)
        raise AwsError(
            message[1] if message else f"status {answer.status}",
            code[1] if code else str(answer.status),
        )
    _check_length(answer.content_length or 0, limit)
    content = bytearray()
    async for piece in answer.content.iter_any():
        content += piece
        _check_length(len(content), limit)
    return bytes(content)


def _check_length(length: int, limit: int) -> None:
    if length > limit:
        raise AwsError(f"at most {limit} bytes are expected, more came", "EntityTooLarge")
