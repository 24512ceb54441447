"""What is polled: a kind of event source is a file here and a line in `SOURCES`.

`keeper` has each mapping polled by one gateway, `source` says what a source is and gets, and
`queue_poller` is for every queue, `stream_source` for every stream of shards. What a kind allows of
a mapping is `event_source_kinds` in core.
"""

from __future__ import annotations

import importlib
import logging
from functools import partial
from typing import TYPE_CHECKING

from pilotlight.resources import source_kind
from pilotlight.resources.event_source_spec import filters_of
from pilotlight_gateway.errors import NotSupportedError
from pilotlight_gateway.invocation.reference import Reference

from .dynamodb import DynamoDbStream
from .kinesis import KinesisStream
from .source import PolledMapping
from .sqs import SqsSource
from .stream_source import StreamSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight.resources import EventSourceMapping
    from pilotlight_gateway.services import Services

    from .source import Source

__all__ = ["SOURCES", "make_source"]


def _extra(module: str, name: str) -> Callable[[PolledMapping], Source]:
    """Return what makes a source whose client not every installation has."""

    def make(polled: PolledMapping) -> Source:
        try:
            found = importlib.import_module(f".{module}", __package__)
        except ImportError as error:
            raise NotSupportedError(
                f"{error.name} is missing: install pilotlight[sources]"
            ) from error
        source: Source = getattr(found, name)(polled)
        return source

    return make


SOURCES: dict[str, Callable[[PolledMapping], Source]] = {
    "sqs": SqsSource,
    "kinesis": partial(StreamSource, make=KinesisStream),
    "dynamodb": partial(StreamSource, make=DynamoDbStream),
    "kafka": _extra("kafka", "KafkaSource"),
    "mq": _extra("rabbitmq", "RabbitSource"),
    "redis": _extra("redis_stream", "RedisSource"),
    "nats": _extra("nats_stream", "NatsSource"),
}
"""What makes the source of a mapping, by its kind's name (`SourceKind`)."""

for _client in ("aiokafka", "aio_pika", "aiormq", "nats"):
    # What their clients log to nobody's handler a mapping says in its state.
    logging.getLogger(_client).addHandler(logging.NullHandler())


def make_source(services: Services, account: str, mapping: EventSourceMapping) -> Source:
    """Make the source of an account's mapping; raises NotSupportedError."""
    spec, kind = mapping.spec, source_kind(mapping.spec)
    if kind is None or kind.name not in SOURCES:
        raise NotSupportedError(
            f"Event sources of {kind.title if kind else mapping.source} are not supported yet."
        )
    namespace = mapping.metadata.namespace
    name, _, qualifier = spec.function.partition(":")
    region = services.settings.region
    return SOURCES[kind.name](
        PolledMapping(
            mapping=mapping,
            reference=Reference(namespace, account, region, name, qualifier or None),
            services=services,
            filters=filters_of(spec, kind),
            metrics=services.metrics.event_sources.of(namespace, mapping.metadata.name, name),
            kind=kind,
        )
    )
