"""SQS, SNS, EventBridge and S3, by boto3 in a bounded number of threads (docs/decisions/0008).

The extra `[aws]` brings boto3; without it these destinations cannot be reached, and say so.
"""

from __future__ import annotations

import asyncio
import functools
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pilotlight_gateway.events.delivery import UndeliveredError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight.aws.credentials import AwsCredentials
    from pilotlight.signing import Credentials
    from pilotlight_gateway.events.delivery import Destination
    from pilotlight_gateway.events.record import InvocationRecord

__all__ = ["AwsDestinations"]

THREADS = 8
CONNECT_SECONDS, READ_SECONDS = 3, 10


class AwsDestinations:
    """Destinations of four services, behind one endpoint if one is given."""

    def __init__(
        self, region: str, credentials: AwsCredentials, endpoint_url: str | None = None
    ) -> None:
        self._region = region
        self._credentials = credentials
        self._endpoint_url = endpoint_url
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="destination")
        self._send: dict[str, Callable[[Credentials, InvocationRecord, Destination], None]] = {
            "sqs": self._to_queue,
            "sns": self._to_topic,
            "events": self._to_bus,
            "s3": self._to_bucket,
        }

    async def deliver(self, record: InvocationRecord, destination: Destination) -> None:
        """Send a record; raises UndeliveredError."""
        address, event = destination.address, record.event
        send = self._send[address.split(":")[2]]
        if not self._credentials.may_reach(address, event.account):
            raise UndeliveredError(f"{address} is not of account {event.account}")
        try:
            keys = await self._credentials.of(event.namespace, event.account)
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._threads, send, keys, record, destination)
        except UndeliveredError:
            raise
        except Exception as error:
            # botocore's errors are many and have no common ancestor of their own.
            raise UndeliveredError(f"{address}: {error}") from error

    async def close(self) -> None:
        """Let go of the threads; what they are sending ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    @functools.cached_property
    def _session(self) -> Any:
        try:
            import boto3  # noqa: PLC0415  an extra, and slow to import
        except ImportError as error:
            raise UndeliveredError("boto3 is missing: install pilotlight[aws]") from error
        return boto3.Session()

    @functools.lru_cache(maxsize=256)  # noqa: B019  lives as long as the gateway
    def _client(self, service: str, keys: Credentials) -> Any:
        from botocore.config import Config  # noqa: PLC0415  an extra, as above

        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": 1},  # the queue tries again
            ignore_configured_endpoint_urls=True,  # they may point at this gateway
            s3={"addressing_style": "path"},
        )
        return self._session.client(
            service,
            region_name=self._region,
            endpoint_url=self._endpoint_url,
            config=config,
            aws_access_key_id=keys.access_key or None,
            aws_secret_access_key=keys.secret_key or None,
            aws_session_token=keys.session_token,
        )

    @functools.lru_cache(maxsize=1000)  # noqa: B019  lives as long as the gateway
    def _queue_url(self, arn: str, keys: Credentials) -> str:
        owner, name = arn.split(":")[4:6]
        found = self._client("sqs", keys).get_queue_url(
            QueueName=name, QueueOwnerAWSAccountId=owner
        )
        return str(found["QueueUrl"])

    def _to_queue(
        self, keys: Credentials, record: InvocationRecord, destination: Destination
    ) -> None:
        event, arn = record.event, destination.address
        extra: dict[str, str] = {}
        if arn.endswith(".fifo"):
            extra = {"MessageGroupId": event.id, "MessageDeduplicationId": event.id}
        self._client("sqs", keys).send_message(
            QueueUrl=self._queue_url(arn, keys),
            MessageBody=destination.message(record, self._region),
            MessageAttributes=_attributes(record, destination),
            **extra,
        )

    def _to_topic(
        self, keys: Credentials, record: InvocationRecord, destination: Destination
    ) -> None:
        self._client("sns", keys).publish(
            TopicArn=destination.address,
            Message=destination.message(record, self._region),
            MessageAttributes=_attributes(record, destination),
        )

    def _to_bus(
        self, keys: Credentials, record: InvocationRecord, destination: Destination
    ) -> None:
        outcome = "Success" if record.succeeded else "Failure"
        document = record.document(self._region)
        entry = {
            "Source": "lambda",
            "DetailType": f"Lambda Function Invocation Result - {outcome}",
            "Detail": json.dumps(document),
            "EventBusName": destination.address,
            "Resources": [destination.address, document["requestContext"]["functionArn"]],
        }
        answer = self._client("events", keys).put_events(Entries=[entry])
        if answer.get("FailedEntryCount"):
            raise UndeliveredError(f"{destination.address}: {answer['Entries'][0]}")

    def _to_bucket(
        self, keys: Credentials, record: InvocationRecord, destination: Destination
    ) -> None:
        event, at = record.event, datetime.fromtimestamp(record.ended_at, UTC)
        name = f"{at:%Y-%m-%dT%H.%M.%S}-{uuid.uuid5(uuid.NAMESPACE_URL, event.id)}"
        batch = record.batch
        place = f"{batch.mapping}/{batch.shard}" if batch else f"async/{event.function}"
        self._client("s3", keys).put_object(
            Bucket=destination.address.rpartition(":")[2],
            Key=f"aws/lambda/{place}/{at:%Y/%m/%d}/{name}",
            Body=destination.message(record, self._region).encode(),
            ContentType="application/json",
        )


def _attributes(record: InvocationRecord, destination: Destination) -> dict[str, dict[str, str]]:
    return {
        name: {"DataType": kind, "StringValue": value}
        for name, (kind, value) in destination.attributes(record).items()
    }
