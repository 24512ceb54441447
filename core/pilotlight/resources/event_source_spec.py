"""The spec of an `EventSourceMapping`: Lambda's members, and the rules between them.

Names and limits are Lambda's (API reference, CreateEventSourceMapping), so that what an API client
sends is what a manifest says; what a kind of source allows is in `event_source_kinds`. Then
`event_source_mapping`.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from ..patterns import compile_filters
from .asynchronous import destination_kind
from .event_source_kinds import PARTICULAR, SOURCE_KINDS, UNWINDOWED_BATCH
from .meta import Model
from .route import FUNCTION_REFERENCE

if TYPE_CHECKING:
    from ..patterns import FilterCriteria as CompiledFilters
    from .event_source_kinds import SourceKind

__all__ = ["EventSourceMappingSpec", "filters_of", "source_kind", "spec_problem"]


def _check_failure_destination(text: str) -> str:
    if destination_kind(text) is None and not text.startswith("kafka://"):
        raise ValueError(
            f"{text!r}: the ARN of an SQS queue, an SNS topic or an S3 bucket is expected, or "
            "kafka://TOPIC"
        )
    return text


def _check_moment(text: str | None) -> str | None:
    try:
        datetime.fromisoformat(text or "1970-01-01")
    except ValueError as error:
        raise ValueError(f"{text!r} came, a time that there is is expected") from error
    return text


class Filter(Model):
    """One pattern of which a record must match at least one."""

    pattern: str = Field(max_length=4096, description="JSON, in EventBridge's pattern language.")


class FilterCriteria(Model):
    """Which records the function gets."""

    filters: list[Filter] = Field(
        default_factory=list, max_length=10, description="A record must match one of them."
    )


class ScalingConfig(Model):
    """How many batches of a queue run at once."""

    maximum_concurrency: int | None = Field(
        default=None, ge=2, le=1000, description="Batches that run at once, at most."
    )


class OnFailure(Model):
    """Where records go that are given up."""

    destination: Annotated[str, AfterValidator(_check_failure_destination)] = Field(
        description="An ARN, or kafka://TOPIC."
    )


class DestinationConfig(Model):
    """Where records go that are given up."""

    on_failure: OnFailure | None = Field(default=None, description="Those that failed.")


class MetricsConfig(Model):
    """Which metrics are wanted; all are always kept."""

    metrics: list[Literal["EventCount", "ErrorCount", "KafkaMetrics"]] = Field(
        default_factory=list, max_length=3, description="Kept whether they are named or not."
    )


class SourceAccess(Model):
    """A credential of the source, or what it is reached by."""

    type: Literal[
        "BASIC_AUTH",
        "SASL_SCRAM_256_AUTH",
        "SASL_SCRAM_512_AUTH",
        "CLIENT_CERTIFICATE_TLS_AUTH",
        "SERVER_ROOT_CA_CERTIFICATE",
        "VIRTUAL_HOST",
    ] = Field(description="What it is.")
    uri: str = Field(
        min_length=1, max_length=200, description="A Secret of the account, or the virtual host."
    )


class SelfManagedEventSource(Model):
    """Where a source is that is no service of AWS's."""

    endpoints: dict[Literal["KAFKA_BOOTSTRAP_SERVERS"], list[str]] = Field(
        description="host:port of the brokers.", min_length=1
    )


class KafkaConfig(Model):
    """How a topic is read."""

    consumer_group_id: str | None = Field(
        default=None, min_length=1, max_length=200, description="The mapping's uid if absent."
    )


class EventSourceMappingSpec(Model):
    """What is polled, and how."""

    function: str = Field(
        pattern=FUNCTION_REFERENCE, description="Name of the function, :alias if need be."
    )
    event_source_arn: str | None = Field(
        default=None, max_length=10_000, description="ARN of a queue, a stream or a broker."
    )
    endpoint: str | None = Field(
        default=None,
        pattern=r"^[a-z]+://[^\s/?#@]+/?$",
        max_length=1000,
        description="Where the source is, such as http://elasticmq:9324, kafka://a:9092,b:9092 or "
        "amqps://rabbitmq:5671, if neither the account nor the platform says so.",
    )
    source: str | None = Field(
        default=None,
        max_length=1000,
        description="What no ARN names: redis://HOST:PORT/STREAM or nats://HOST:PORT/STREAM; with "
        "TLS rediss:// or tls://.",
    )
    enabled: bool = Field(default=True, description="Whether it is polled.")
    batch_size: int | None = Field(
        default=None, ge=1, le=10_000, description="Records of an invocation, at most."
    )
    maximum_batching_window_in_seconds: int | None = Field(
        default=None, ge=0, le=300, description="Seconds that a batch may gather."
    )
    filter_criteria: FilterCriteria | None = Field(
        default=None, description="Which records the function gets; all if absent."
    )
    function_response_types: list[Literal["ReportBatchItemFailures"]] = Field(
        default_factory=list, max_length=1, description="Whether answers name records that failed."
    )
    scaling_config: ScalingConfig | None = Field(
        default=None, description="How many batches of a queue run at once."
    )
    starting_position: Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"] | None = Field(
        default=None, description="Where a stream is read from at first."
    )
    starting_position_timestamp: Annotated[str | None, AfterValidator(_check_moment)] = Field(
        default=None,
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z$",
        description="With AT_TIMESTAMP, such as 2026-01-01T00:00:00Z.",
    )
    parallelization_factor: int | None = Field(
        default=None, ge=1, le=10, description="Batches of a shard that run at once."
    )
    tumbling_window_in_seconds: int | None = Field(
        default=None, ge=0, le=900, description="Seconds of a window that shares a state."
    )
    maximum_retry_attempts: int | None = Field(
        default=None, ge=-1, le=10_000, description="Of a batch that failed; -1: without end."
    )
    maximum_record_age_in_seconds: int | None = Field(
        default=None, ge=-1, le=604_800, description="Older records are given up; -1: never."
    )
    bisect_batch_on_function_error: bool | None = Field(
        default=None, description="Whether a batch that failed is tried again in two halves."
    )
    destination_config: DestinationConfig | None = Field(
        default=None, description="Where records go that are given up."
    )
    metrics_config: MetricsConfig | None = Field(default=None, description="Which are wanted.")
    topics: list[str] = Field(default_factory=list, max_length=1, description="Of Kafka.")
    queues: list[str] = Field(default_factory=list, max_length=1, description="Of a broker.")
    source_access_configurations: list[SourceAccess] = Field(
        default_factory=list, max_length=23, description="The source's credentials."
    )
    self_managed_event_source: SelfManagedEventSource | None = Field(
        default=None, description="Where a source is that is no service of AWS's."
    )
    self_managed_kafka_event_source_config: KafkaConfig | None = Field(
        default=None, description="How a topic is read."
    )
    amazon_managed_kafka_event_source_config: KafkaConfig | None = Field(
        default=None, description="How a topic is read."
    )
    tags: dict[str, str] = Field(default_factory=dict, max_length=50, description="Lambda's tags.")


def source_kind(spec: EventSourceMappingSpec) -> SourceKind | None:
    """Say what kind of source a mapping has; None where it is none that is known."""
    address = spec.event_source_arn or spec.source
    if address is None:
        return SOURCE_KINDS["kafka"] if spec.self_managed_event_source else None
    return next((kind for kind in SOURCE_KINDS.values() if kind.address.fullmatch(address)), None)


def spec_problem(spec: EventSourceMappingSpec) -> str | None:
    """Say which of its source's rules a mapping breaks, in Lambda's words."""
    kind = source_kind(spec)
    if kind is None:
        return f"Unrecognized event source, {spec.event_source_arn or spec.source or 'none'} came."
    for name in sorted(PARTICULAR - kind.fields):
        if getattr(spec, name) not in (None, []):
            member = type(spec).model_fields[name].alias or name
            return f"{member} is not supported for {kind.title} event sources."
    return (
        _place_problem(spec, kind)
        or _batch_problem(spec, kind)
        or _position_problem(spec, kind)
        or _filter_problem(spec, kind)
        or _told_problem(spec, kind)
    )


def _place_problem(spec: EventSourceMappingSpec, kind: SourceKind) -> str | None:
    scheme = (spec.endpoint or "").partition("://")[0]
    if scheme and scheme not in kind.schemes:
        wanted = " or ".join(f"{one}://" for one in kind.schemes) or "none"
        return f"endpoint: {spec.endpoint} came, {wanted} is expected for {kind.title}"
    if kind.name == "mq" and not spec.queues:
        return "A queue is expected in Queues."
    return None


def _told_problem(spec: EventSourceMappingSpec, kind: SourceKind) -> str | None:
    """Say who cannot be told: a stream's failures go to queues, topics and buckets."""
    failed = spec.destination_config and spec.destination_config.on_failure
    if failed and kind.name == "kafka" and failed.destination.startswith("kafka://"):
        return "On-failure destinations kafka://TOPIC are not supported yet."
    if failed and destination_kind(failed.destination) not in {"sqs", "sns", "s3"}:
        return (
            f"{failed.destination}: {kind.title} event sources have an SQS queue, an SNS topic "
            "or an S3 bucket as their on-failure destination."
        )
    metrics = spec.metrics_config.metrics if spec.metrics_config else []
    if kind.name != "kafka" and "KafkaMetrics" in metrics:
        return f"KafkaMetrics is not supported for {kind.title} event sources."
    return None


def _batch_problem(spec: EventSourceMappingSpec, kind: SourceKind) -> str | None:
    window, size = spec.maximum_batching_window_in_seconds, spec.batch_size or kind.batch_size
    is_fifo = (spec.event_source_arn or "").endswith(".fifo")
    if is_fifo and window:
        return "Batching window is not supported for FIFO queues"
    largest = UNWINDOWED_BATCH if is_fifo else kind.largest_batch
    if size > largest:
        return f"Batch size {size} exceeds the maximum of {largest} of this event source"
    if kind.name == "sqs" and size > UNWINDOWED_BATCH and not window:
        return (
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is "
            "greater than 10"
        )
    if spec.tumbling_window_in_seconds and (spec.parallelization_factor or 1) > 1:
        return "Tumbling windows are not supported with a parallelizationFactor above 1"
    return None


def _position_problem(spec: EventSourceMappingSpec, kind: SourceKind) -> str | None:
    if not kind.ordered:
        return None
    if spec.starting_position is None:
        return (
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy "
            "constraint: Member must not be null."
        )
    at_timestamp = spec.starting_position == "AT_TIMESTAMP"
    if at_timestamp and kind.name == "dynamodb":
        return "Unsupported starting position for arn type: dynamodb. AT_TIMESTAMP came."
    if at_timestamp != (spec.starting_position_timestamp is not None):
        return "StartingPositionTimestamp is given with AT_TIMESTAMP, and only with it."
    if kind.name == "kafka" and not spec.topics:
        return "A topic is expected in Topics."
    return None


def _filter_problem(spec: EventSourceMappingSpec, kind: SourceKind) -> str | None:
    try:
        filters_of(spec, kind)
    except ValueError as error:
        return str(error)
    return None


def filters_of(spec: EventSourceMappingSpec, kind: SourceKind) -> CompiledFilters:
    """Compile a mapping's filters; raises ValueError that names the wrong one, and where."""
    given = spec.filter_criteria.filters if spec.filter_criteria else []
    return compile_filters([one.pattern for one in given], kind.content)
