"""SNS over HTTP: subscriptions confirmed, signatures checked, notifications as Lambda gets them.

Amazon SNS Developer Guide, "Verifying the signatures of Amazon SNS messages" and "HTTP/HTTPS
notification JSON format". A certificate is believed only from SNS' own host in the topic's region,
or from one that the route names; a topic only if the route names it, since anybody can have one.
"""

from __future__ import annotations

import base64
from collections import OrderedDict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from pilotlight.errors import UnavailableError
from pilotlight_gateway.http.errors import HttpError

from .pushed import Pushed, malformed, read_object

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pilotlight.resources import SnsSource
    from pilotlight_gateway.http.site import Match

__all__ = ["Sns", "notification_event"]

_EXPECTED = "a message of SNS, not a raw delivery: a JSON object with Type, TopicArn and Signature"
_MOST_CERTIFICATES = 64
_SIGNED = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_SIGNED_OF_SUBSCRIPTION = (
    "Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type",
)  # fmt: skip
_FIELDS = {
    "Notification": _SIGNED,
    "SubscriptionConfirmation": _SIGNED_OF_SUBSCRIPTION,
    "UnsubscribeConfirmation": _SIGNED_OF_SUBSCRIPTION,
}
"""What is signed of each type, in its order."""
_HASHES = {"1": SHA1, "2": SHA256}
_LOCAL = {"127.0.0.1", "localhost"}

log = structlog.get_logger()


class Sns:
    """Reads messages of SNS, with the certificates that it has seen."""

    def __init__(self, fetch: Callable[[str], Awaitable[bytes]]) -> None:
        self._fetch = fetch
        self._certificates: OrderedDict[str, x509.Certificate] = OrderedDict()

    async def events(self, match: Match) -> list[Pushed]:
        """Return the event of a notification; none of a confirmation, which is carried out."""
        message, source = _read(match), match.site.sns
        topic = message["TopicArn"]
        if source is None or topic not in source.topics:
            raise HttpError(403, f"{topic} is no topic of this route")
        hosts = _hosts(topic, source)
        await self._verify(message, hosts)
        if message["Type"] == "Notification":
            subscription = match.request.header("x-amz-sns-subscription-arn")
            return [Pushed(notification_event(message, subscription), message["MessageId"])]
        if message["Type"] == "SubscriptionConfirmation":
            await self._get(_checked(message["SubscribeURL"], hosts))
        log.info("sns subscription", type=message["Type"], topic=topic, route=match.site.id)
        return []

    async def _verify(self, message: dict[str, str], hosts: list[str]) -> None:
        address = _checked(message.get("SigningCertURL", ""), hosts)
        certificate = await self._certificate(address)
        key, hashed = certificate.public_key(), _HASHES.get(message["SignatureVersion"])
        if hashed is None or not isinstance(key, RSAPublicKey):
            raise malformed("SignatureVersion 1 or 2, with an RSA key,")
        try:
            signature = base64.b64decode(message["Signature"], validate=True)
            key.verify(signature, _canonical(message), PKCS1v15(), hashed())
        except (InvalidSignature, ValueError) as error:
            raise HttpError(403, "the signature is not that of the message") from error

    async def _certificate(self, address: str) -> x509.Certificate:
        known = self._certificates.get(address)
        if known is None:
            try:
                known = x509.load_pem_x509_certificate(await self._get(address))
            except ValueError as error:
                raise HttpError(403, f"{address} is no certificate") from error
            self._certificates[address] = known
            if len(self._certificates) > _MOST_CERTIFICATES:
                self._certificates.popitem(last=False)
        if not known.not_valid_before_utc <= datetime.now(UTC) <= known.not_valid_after_utc:
            raise HttpError(403, f"{address} is not valid now")
        return known

    async def _get(self, address: str) -> bytes:
        try:
            return await self._fetch(address)
        except UnavailableError as error:
            raise HttpError(503, str(error)) from error


def notification_event(message: dict[str, Any], subscription: str) -> dict[str, Any]:
    """Return Lambda's event of a notification as SNS sends it over HTTP."""
    notification = {
        "Type": "Notification",
        "MessageId": message["MessageId"],
        "TopicArn": message["TopicArn"],
        "Subject": message.get("Subject"),
        "Message": message["Message"],
        "Timestamp": message["Timestamp"],
        "SignatureVersion": message["SignatureVersion"],
        "Signature": message["Signature"],
        "SigningCertUrl": message["SigningCertURL"],
        "UnsubscribeUrl": message.get("UnsubscribeURL", ""),
        "MessageAttributes": message.get("MessageAttributes", {}),
    }
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription,
        "Sns": notification,
    }
    return {"Records": [record]}


def _read(match: Match) -> dict[str, Any]:
    message = read_object(match, _EXPECTED)
    fields = _FIELDS.get(str(message.get("Type")))
    if fields is None:
        raise malformed(_EXPECTED)
    needed = {*fields, "Signature", "SignatureVersion", "SigningCertURL"} - {"Subject"}
    wrong = [name for name in sorted(needed) if not isinstance(message.get(name), str)]
    if wrong:
        raise malformed(f"a message of SNS with {', '.join(wrong)}")
    return message


def _canonical(message: dict[str, Any]) -> bytes:
    names = (name for name in _FIELDS[message["Type"]] if message.get(name) is not None)
    return "".join(f"{name}\n{message[name]}\n" for name in names).encode()


def _hosts(topic: str, source: SnsSource) -> list[str]:
    if source.signing_hosts:
        return source.signing_hosts
    _, partition, _, region, *_ = topic.split(":")
    return [f"sns.{region}.amazonaws.com{'.cn' if partition == 'aws-cn' else ''}"]


def _checked(address: str, hosts: list[str]) -> str:
    """Return an address of one of the hosts; raises HttpError for any other."""
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise malformed("an address of SNS") from error
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL)
    if not secure or parts.netloc not in hosts:
        raise HttpError(403, f"{address} is not at {' or '.join(hosts)} over https")
    return address
