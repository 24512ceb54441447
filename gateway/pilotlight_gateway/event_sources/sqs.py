"""Queues of SQS, standard and FIFO, at AWS or at whatever speaks its JSON protocol."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import structlog

from pilotlight.aws.client import AwsError, AwsService

from .queue import RECORDS, Message
from .queue_poller import QueuePoller
from .source import Backlog, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pilotlight.aws.client import AwsClient

    from .source import HeldShard, PolledMapping

__all__ = ["SqsSource"]

SERVICE = AwsService("sqs", "sqs", "AmazonSQS", "1.0")
LARGEST_CALL = 10
"""Messages of one call."""
_REASONS = {
    "AWS.SimpleQueueService.NonExistentQueue": "NotFound",
    "AccessDenied": "AccessDenied",
    "AccessDeniedException": "AccessDenied",
    "InvalidClientTokenId": "AccessDenied",
    "UnrecognizedClientException": "AccessDenied",
    "SignatureDoesNotMatch": "AccessDenied",
    "NoCredentials": "AccessDenied",
}
_OLDER_CODES = {"QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue"}
"""As Lambda's messages call it, though the queue's service may have the newer name alone."""
_LONGEST_VISIBILITY = 43_200
_LONGEST_FAILURE = 500
"""Characters."""
_TEXTS = ("MessageId", "ReceiptHandle", "Body", "MD5OfBody")

log = structlog.get_logger()


class SqsSource:
    """The queue of a mapping."""

    def __init__(self, polled: PolledMapping) -> None:
        arn = polled.mapping.spec.event_source_arn or ""
        self._polled = polled
        self._region, self._owner, self._name = arn.split(":")[3:6]
        self._client = polled.services.aws_clients.client(
            SERVICE,
            namespace=polled.reference.namespace,
            account=polled.reference.account,
            region=self._region,
            url=polled.mapping.spec.endpoint,
        )

    async def check(self) -> None:
        """Find the queue, and that it hides messages for as long as the function may run."""
        await self._open()

    async def backlog(self) -> Backlog:
        """Ask the queue, which counts about."""
        names = [f"ApproximateNumberOfMessages{one}" for one in ("", "Delayed", "NotVisible")]
        asked = {"QueueUrl": await self._url(), "AttributeNames": names}
        found = (await _call(self._client, "GetQueueAttributes", asked)).get("Attributes")
        try:
            waiting, delayed, hidden = (int((found or {}).get(name, 0)) for name in names)
        except (AttributeError, TypeError, ValueError) as error:
            raise SourceError(f"GetQueueAttributes: numbers are expected, {found} came") from error
        return Backlog(waiting + delayed, hidden)

    async def run(self, shard: HeldShard) -> None:
        """Poll."""
        await QueuePoller(self._polled, await self._open()).run(shard)

    async def _url(self) -> str:
        asked = {"QueueName": self._name, "QueueOwnerAWSAccountId": self._owner}
        return str((await _call(self._client, "GetQueueUrl", asked)).get("QueueUrl"))

    async def _open(self) -> SqsQueue:
        url = await self._url()
        names = ["VisibilityTimeout"]
        found = await _call(
            self._client, "GetQueueAttributes", {"QueueUrl": url, "AttributeNames": names}
        )
        visibility = _visibility(found)
        timeout = await self._polled.timeout()
        if visibility < timeout:
            raise SourceError(
                f"Queue visibility timeout: {visibility:.0f} seconds is less than Function "
                f"timeout: {timeout} seconds",
                "Invalid",
            )
        arn = self._polled.mapping.spec.event_source_arn or ""
        return SqsQueue(self._client, url, arn, visibility)


class SqsQueue:
    """A queue that was found."""

    largest_receive = LARGEST_CALL
    frame = RECORDS

    def __init__(self, client: AwsClient, url: str, arn: str, visibility: float) -> None:
        self.visibility = visibility
        self._client = client
        self._url = url
        self._arn = arn

    async def receive(self, most: int, wait_seconds: float) -> list[Message]:
        """Return messages, waiting for the first; raises SourceError."""
        asked = {
            "QueueUrl": self._url,
            "MaxNumberOfMessages": most,
            "WaitTimeSeconds": int(wait_seconds),
            # As it was when the queue was found: what is held is prolonged by it.
            "VisibilityTimeout": int(self.visibility),
            "AttributeNames": ["All"],
            "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        }
        found = await _call(self._client, "ReceiveMessage", asked, wait_seconds=wait_seconds)
        messages = found.get("Messages") or []
        if not isinstance(messages, list) or len(messages) > most:
            raise SourceError(f"ReceiveMessage: a list of at most {most} Messages is expected")
        if strange := [one for one in messages if not _is_message(one)]:
            # They stay, as what fails does, until the queue gives them up: others do not wait.
            log.warning("messages not understood", source=self._arn, count=len(strange))
        return [_message(one, self._arn) for one in messages if _is_message(one)]

    async def delete(self, messages: Sequence[Message]) -> None:
        """Delete messages; raises SourceError."""
        await self._in_calls("DeleteMessageBatch", messages, {})

    async def hide(self, messages: Sequence[Message], seconds: float) -> None:
        """Hide messages from others for so long from now; raises SourceError."""
        await self._in_calls(
            "ChangeMessageVisibilityBatch", messages, {"VisibilityTimeout": math.ceil(seconds)}
        )

    async def give_back(self, messages: Sequence[Message], seconds: float) -> None:
        """Let messages appear after so long; those that were not prolonged do so by themselves."""
        moved = [one for one in messages if one.hidden_until != one.received_at + self.visibility]
        await self.hide(moved, seconds)

    async def _in_calls(
        self, operation: str, messages: Sequence[Message], more: dict[str, Any]
    ) -> None:
        """Run an operation for messages; one that the queue does not know any more is settled."""
        for start in range(0, len(messages), LARGEST_CALL):
            entries = [
                {"Id": str(at), "ReceiptHandle": one.handle, **more}
                for at, one in enumerate(messages[start : start + LARGEST_CALL])
            ]
            asked = {"QueueUrl": self._url, "Entries": entries}
            answer = await _call(self._client, operation, asked)
            for failure in answer.get("Failed") or ():
                if not (isinstance(failure, dict) and failure.get("SenderFault", True)):
                    raise SourceError(f"{operation}: {str(failure)[:_LONGEST_FAILURE]}")


async def _call(
    client: AwsClient, operation: str, document: dict[str, Any], *, wait_seconds: float = 0.0
) -> dict[str, Any]:
    try:
        return await client.call(operation, document, wait_seconds=wait_seconds)
    except AwsError as error:
        code = _OLDER_CODES.get(error.service_code, error.service_code)
        # Lambda finds out when it receives for the first time; here the queue is looked up before.
        during = "ReceiveMessage" if operation.startswith("GetQueue") else operation
        said = f"Error occurred while {during}. SQS Error Code: {code}. SQS Error Message: "
        own = code in {"", "NoCredentials"}
        reason = _REASONS.get(code, "Unreachable")
        raise SourceError(f"{'' if own else said}{error}", reason) from error


def _visibility(found: dict[str, Any]) -> float:
    """Read for how long a queue hides messages; raises SourceError."""
    attributes = found.get("Attributes")
    text = attributes.get("VisibilityTimeout", "30") if isinstance(attributes, dict) else "30"
    try:
        seconds = int(str(text)[:10])
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= _LONGEST_VISIBILITY:
        raise SourceError(
            f"GetQueueAttributes: a VisibilityTimeout of 0 to {_LONGEST_VISIBILITY} seconds is "
            f"expected, {str(text)[:10]!r} came"
        )
    return float(seconds)


def _is_message(given: Any) -> bool:
    """Say whether something is a message of SQS; what stands in for it may say anything."""
    if not isinstance(given, dict) or not _are_texts(given.get(name) for name in _TEXTS):
        return False
    system, own = given.get("Attributes") or {}, given.get("MessageAttributes") or {}
    return (
        isinstance(system, dict)
        and _are_texts(system.values())
        and isinstance(given.get("MD5OfMessageAttributes", ""), str)
        and isinstance(own, dict)
        and all(isinstance(one, dict) and _is_attribute(one) for one in own.values())
    )


def _is_attribute(given: dict[str, Any]) -> bool:
    values = [given.get(name) for name in ("StringValue", "BinaryValue")]
    return _are_texts((given.get("DataType"), *(one for one in values if one is not None)))


def _are_texts(values: Iterable[Any]) -> bool:
    return all(isinstance(one, str) for one in values)


def _message(given: dict[str, Any], arn: str) -> Message:
    """Make of a message of SQS what a function sees (Developer Guide, "Using Lambda with SQS")."""
    attributes = given.get("Attributes") or {}
    record = {
        "messageId": given["MessageId"],
        "receiptHandle": given["ReceiptHandle"],
        "body": given["Body"],
        "attributes": attributes,
        "messageAttributes": {
            name: _attribute(value)
            for name, value in (given.get("MessageAttributes") or {}).items()
        },
        "md5OfBody": given["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": arn.split(":")[3],
    }
    if "MD5OfMessageAttributes" in given:
        record["md5OfMessageAttributes"] = given["MD5OfMessageAttributes"]
    group = attributes.get("MessageGroupId") if arn.endswith(".fifo") else None
    return Message(given["MessageId"], given["ReceiptHandle"], record, group)


def _attribute(given: dict[str, Any]) -> dict[str, Any]:
    value: dict[str, Any] = {
        name[:1].lower() + name[1:]: given[name]
        for name in ("StringValue", "BinaryValue")
        if given.get(name) is not None
    }
    return value | {
        "stringListValues": [], "binaryListValues": [], "dataType": given["DataType"],
    }  # fmt: skip
