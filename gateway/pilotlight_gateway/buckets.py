"""Reads objects of S3, or of whatever speaks its protocol, with an account's own keys.

Only `GetObject`, over the connections of `aws_client`: so the guard of addresses holds for buckets
that a tenant's Secret places, and a large object is given up before it is held.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import aiohttp

from pilotlight.signing import Signer

from .aws_client import SECONDS, AwsError, find_keys
from .aws_credentials import NoAwsCredentialsError

if TYPE_CHECKING:
    from pilotlight.resources import S3Object

    from .aws_client import AwsClients
    from .aws_credentials import AwsCredentials

__all__ = ["Buckets"]

LONGEST_REFUSAL = 1 << 16
_OK = 200
_CODE = re.compile(r"<Code>([^<]{1,100})</Code>")
_MESSAGE = re.compile(r"<Message>([^<]{1,1000})</Message>")


class Buckets:
    """The buckets of all accounts, in one region."""

    def __init__(self, region: str, credentials: AwsCredentials, clients: AwsClients) -> None:
        self._region = region
        self._credentials = credentials
        self._clients = clients

    async def read(self, source: S3Object, *, namespace: str, account: str, limit: int) -> bytes:
        """Return an object of at most `limit` bytes; raises AwsError, with S3's own code."""
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
                timeout=aiohttp.ClientTimeout(connect=SECONDS, sock_read=SECONDS, total=120),
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
    content = bytearray()
    async for piece in answer.content.iter_any():
        content += piece
        if len(content) > limit:
            raise AwsError(f"at most {limit} bytes are expected, more came", "EntityTooLarge")
    return bytes(content)
