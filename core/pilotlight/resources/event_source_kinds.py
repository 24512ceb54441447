"""What each kind of event source allows of a mapping: limits, defaults and the fields it knows.

After Lambda's Developer Guide, "Event source mapping parameters". A kind more is a row here, and a
file in the gateway's `event_sources`, which polls it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..patterns import DYNAMODB, KAFKA, KINESIS, MQ, SQS, Content

__all__ = ["PARTICULAR", "SOURCE_KINDS", "UNWINDOWED_BATCH", "SourceKind"]

UNWINDOWED_BATCH = 10
"""The largest batch for which a window need not be given, and of a FIFO queue the largest."""

_STREAM = frozenset({
    "starting_position", "maximum_retry_attempts", "maximum_record_age_in_seconds",
    "bisect_batch_on_function_error", "destination_config", "function_response_types",
})  # fmt: skip
_SHARDED = _STREAM | {"parallelization_factor", "tumbling_window_in_seconds"}
_KAFKA = _STREAM | {
    "starting_position_timestamp", "topics", "source_access_configurations",
}  # fmt: skip


_OWN = frozenset({
    "source", "starting_position", "starting_position_timestamp", "source_access_configurations",
    "function_response_types", "maximum_retry_attempts", "maximum_record_age_in_seconds",
    "bisect_batch_on_function_error", "destination_config",
})  # fmt: skip
"""Of sources that Lambda does not have."""


@dataclass(frozen=True, slots=True)
class SourceKind:
    """One kind of source."""

    name: str
    title: str
    """As Lambda's messages call it."""
    address: re.Pattern[str]
    """ARNs, or what `source` says."""
    batch_size: int
    largest_batch: int
    content: Content
    """What filters decode of its records."""
    fields: frozenset[str]
    """Of those that not every kind knows (`PARTICULAR`), the ones that this does."""
    window: float = 0.0
    """Seconds, where none is given."""
    schemes: tuple[str, ...] = ("http", "https")
    """Of the endpoint that a mapping may name."""
    ordered: bool = False
    """Whether it begins at a position and goes on from checkpoints."""


def _arn(service: str, resource: str) -> re.Pattern[str]:
    return re.compile(rf"arn:aws[a-zA-Z-]*:{service}:[a-z0-9-]+:[0-9]{{12}}:{resource}")


def _url(scheme: str, path: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{scheme})://[^\s/?#@]+:\d{{1,5}}/{path}")


_KINDS = (
    SourceKind(
        "sqs", "SQS", _arn("sqs", r"[A-Za-z0-9_-]{1,80}(\.fifo)?"), 10, 10_000,
        SQS, frozenset({"scaling_config", "function_response_types"}),
    ),
    SourceKind(
        "kinesis", "Kinesis", _arn("kinesis", r"stream/[A-Za-z0-9_.-]{1,128}"), 100, 10_000,
        KINESIS, _SHARDED | {"starting_position_timestamp"}, ordered=True,
    ),
    SourceKind(
        "dynamodb", "DynamoDB", _arn("dynamodb", r"table/[A-Za-z0-9_.-]{3,255}/stream/[0-9T:.-]+"),
        100, 10_000, DYNAMODB, _SHARDED, ordered=True,
    ),
    SourceKind(
        "kafka", "Kafka", _arn("kafka", r"cluster/.+"), 100, 10_000,
        KAFKA, _KAFKA | {
            "self_managed_event_source", "self_managed_kafka_event_source_config",
            "amazon_managed_kafka_event_source_config",
        }, window=0.5, ordered=True, schemes=("kafka",),
    ),
    SourceKind(
        "mq", "MQ", _arn("mq", r"broker:.+"), 100, 10_000,
        MQ, frozenset({"queues", "source_access_configurations"}), window=0.5,
        schemes=("amqp", "amqps"),
    ),
    SourceKind(
        "redis", "Redis", _url("rediss?", r"[^\s?#]+"), 100, 10_000, Content(()), _OWN,
        ordered=True, schemes=(),
    ),
    SourceKind(
        "nats", "NATS", _url("nats|tls", "[A-Za-z0-9_-]+"), 100, 10_000, MQ, _OWN,
        ordered=True, schemes=(),
    ),
)  # fmt: skip
SOURCE_KINDS = {kind.name: kind for kind in _KINDS}
PARTICULAR = frozenset().union(*(kind.fields for kind in _KINDS))
"""Fields that not every kind of source knows."""
