"""What event source mappings deliver, and SNS: records of queues, streams, topics and brokers."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from pilotlight.errors import InvalidResourceError
from pilotlight_gateway.http.push.sns import notification_event
from pilotlight_gateway.identifiers import new_request_id

from .setting import encoded, one_of, pair, parsed

if TYPE_CHECKING:
    from .setting import Setting

__all__ = ["activemq", "dynamodb", "kafka", "kinesis", "msk", "rabbitmq", "sns", "sqs"]

_BODY = '{"order": 17, "item": "tea"}'
_FIFO = ".fifo"


def sqs(
    setting: Setting,
    *,
    body: str = _BODY,
    queue: str = "my-queue",
    group: str = "my-group",
    count: int = 1,
) -> dict[str, Any]:
    """Messages of an SQS queue.

    It is a FIFO queue where its name ends in .fifo.
    """
    return {"Records": [_message(setting, body, queue, group) for _ in range(count)]}


def _message(setting: Setting, body: str, queue: str, group: str) -> dict[str, Any]:
    sent = str(setting.milliseconds)
    attributes = {
        "ApproximateReceiveCount": "1",
        "SentTimestamp": sent,
        "SenderId": "AIDAEXAMPLEEXAMPLE",
        "ApproximateFirstReceiveTimestamp": sent,
    }
    if queue.endswith(_FIFO):
        attributes |= {
            "SequenceNumber": setting.number(20),
            "MessageGroupId": group,
            "MessageDeduplicationId": hashlib.sha256(body.encode()).hexdigest(),
        }
    return {
        "messageId": new_request_id(),
        "receiptHandle": f"AQEB{setting.token(48)}",
        "body": body,
        "attributes": attributes,
        "messageAttributes": {},
        "md5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": setting.arn("sqs", queue),
        "awsRegion": setting.region,
    }


def sns(
    setting: Setting,
    *,
    message: str = _BODY,
    topic: str = "my-topic",
    subject: str = "",
) -> dict[str, Any]:
    """A notification of an SNS topic."""
    arn = setting.arn("sns", topic)
    subscription = f"{arn}:{new_request_id()}"
    endpoint = f"https://sns.{setting.region}.amazonaws.com"
    message_sent = {
        "MessageId": new_request_id(),
        "TopicArn": arn,
        "Subject": subject or None,
        "Message": message,
        "Timestamp": setting.precise_time,
        "SignatureVersion": "1",
        "Signature": encoded("no signature: a sample"),
        "SigningCertURL": f"{endpoint}/SimpleNotificationService-{setting.token(32)}.pem",
        "UnsubscribeURL": f"{endpoint}/?Action=Unsubscribe&SubscriptionArn={subscription}",
    }
    return notification_event(message_sent, subscription)


def kinesis(
    setting: Setting,
    *,
    data: str = _BODY,
    stream: str = "my-stream",
    partition_key: str = "17",
    count: int = 1,
) -> dict[str, Any]:
    """Records of a Kinesis data stream."""

    def record() -> dict[str, Any]:
        sequence = f"49{setting.number(54)}"
        return {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": partition_key,
                "sequenceNumber": sequence,
                "data": encoded(data),
                "approximateArrivalTimestamp": round(setting.seconds, 3),
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"shardId-000000000000:{sequence}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": f"arn:aws:iam::{setting.account}:role/my-role",
            "awsRegion": setting.region,
            "eventSourceARN": setting.arn("kinesis", f"stream/{stream}"),
        }

    return {"Records": [record() for _ in range(count)]}


def dynamodb(
    setting: Setting,
    *,
    item: str = _BODY,
    before: str = '{"order": 17, "item": "coffee"}',
    key: str = "order",
    table: str = "my-table",
    change: str = "insert",
) -> dict[str, Any]:
    """A change in a DynamoDB stream.

    --change is insert, modify or remove; items are given as plain JSON.
    """
    name, has_old, has_new = one_of("change", change, _CHANGES)
    new, old = (
        _attributes(_item(flag, text)) for flag, text in (("item", item), ("before", before))
    )
    change_made: dict[str, Any] = {
        "ApproximateCreationDateTime": int(setting.seconds),
        "Keys": {key: (new if has_new else old).get(key, {"NULL": True})},
        "SequenceNumber": setting.number(21),
        "SizeBytes": len(item),
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    change_made |= {"NewImage": new} if has_new else {}
    change_made |= {"OldImage": old} if has_old else {}
    stream = setting.time("%Y-%m-%dT%H:%M:%S.000")
    record = {
        "eventID": setting.token(32),
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": setting.region,
        "dynamodb": change_made,
        "eventSourceARN": setting.arn("dynamodb", f"table/{table}/stream/{stream}"),
    }
    return {"Records": [record]}


_CHANGES = {
    "insert": ("INSERT", False, True),
    "modify": ("MODIFY", True, True),
    "remove": ("REMOVE", True, False),
}
"""DynamoDB's word of each, and whether there are an old and a new image."""


def _item(flag: str, text: str) -> dict[str, Any]:
    item = parsed(flag, text)
    if not isinstance(item, dict):
        raise InvalidResourceError(f"--{flag}: a JSON object is expected", field=flag)
    return item


def _attributes(item: dict[str, Any]) -> dict[str, Any]:
    return {name: _attribute(value) for name, value in item.items()}


def _attribute(value: Any) -> dict[str, Any]:
    """Write a value as DynamoDB does: with its type, numbers as texts."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int() | float():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case list():
            return {"L": [_attribute(one) for one in value]}
        case _:
            return {"M": _attributes(value)}


def kafka(
    setting: Setting,
    *,
    value: str = _BODY,
    key: str = "17",
    topic: str = "my-topic",
    header: tuple[str, ...] = (),
    bootstrap_servers: str = "kafka.example.org:9092",
    count: int = 1,
) -> dict[str, Any]:
    """Records of a topic of a Kafka of one's own."""
    return {
        "eventSource": "SelfManagedKafka",
        "bootstrapServers": bootstrap_servers,
        "records": _records(setting, topic, key, value, header, count),
    }


def msk(
    setting: Setting,
    *,
    value: str = _BODY,
    key: str = "17",
    topic: str = "my-topic",
    header: tuple[str, ...] = (),
    cluster: str = "my-cluster",
    count: int = 1,
) -> dict[str, Any]:
    """Records of a topic of Amazon MSK."""
    broker = f"b-1.{cluster}.abc123.c1.kafka.{setting.region}.amazonaws.com:9094"
    return {
        "eventSource": "aws:kafka",
        "eventSourceArn": setting.arn("kafka", f"cluster/{cluster}/{new_request_id()}-1"),
        "bootstrapServers": f"{broker},{broker.replace('b-1', 'b-2')}",
        "records": _records(setting, topic, key, value, header, count),
    }


def _records(  # noqa: PLR0917  what a record has
    setting: Setting, topic: str, key: str, value: str, headers: tuple[str, ...], count: int
) -> dict[str, Any]:
    pairs = (pair("header", ":", one) for one in headers)
    record = {
        "topic": topic,
        "partition": 0,
        "timestamp": setting.milliseconds,
        "timestampType": "CREATE_TIME",
        "key": encoded(key),
        "value": encoded(value),
        "headers": [{name: list(text.encode())} for name, text in pairs],
    }
    return {f"{topic}-0": [record | {"offset": 15 + number} for number in range(count)]}


def activemq(
    setting: Setting,
    *,
    data: str = _BODY,
    queue: str = "my-queue",
    broker: str = "my-broker",
) -> dict[str, Any]:
    """A message of a queue of Amazon MQ for ActiveMQ."""
    message = {
        "messageID": f"ID:{broker}.mq.{setting.region}.amazonaws.com-37557-1:4:1:1:1",
        "messageType": "jms/text-message",
        "connectionId": f"ID:{broker}-37557-1:4",
        "deliveryMode": 1,
        "replyTo": None,
        "type": None,
        "expiration": "60000",
        "priority": 1,
        "correlationId": "my-correlation",
        "redelivered": False,
        "destination": {"physicalName": queue},
        "data": encoded(data),
        "timestamp": setting.milliseconds,
        "brokerInTime": setting.milliseconds,
        "brokerOutTime": setting.milliseconds,
        "properties": {},
    }
    return {
        "eventSource": "aws:mq",
        "eventSourceArn": setting.arn("mq", f"broker:{broker}:b-{new_request_id()}"),
        "messages": [message],
    }


def rabbitmq(
    setting: Setting,
    *,
    data: str = _BODY,
    queue: str = "my-queue",
    virtual_host: str = "/",
    broker: str = "my-broker",
    content_type: str = "application/json",
) -> dict[str, Any]:
    """A message of a queue of Amazon MQ for RabbitMQ."""
    properties: dict[str, Any] = {
        "contentType": content_type,
        "contentEncoding": None,
        "headers": {},
        "deliveryMode": 1,
        "priority": 0,
        "correlationId": None,
        "replyTo": None,
        "expiration": "60000",
        "messageId": None,
        "timestamp": setting.time("%b %-d, %Y, %-I:%M:%S %p"),
        "type": None,
        "userId": "my-user",
        "appId": None,
        "clusterId": None,
        "bodySize": len(data.encode()),
    }
    message = {"basicProperties": properties, "redelivered": False, "data": encoded(data)}
    return {
        "eventSource": "aws:rmq",
        "eventSourceArn": setting.arn("mq", f"broker:{broker}:b-{new_request_id()}"),
        "rmqMessagesByQueue": {f"{queue}::{virtual_host}": [message]},
    }
