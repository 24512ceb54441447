"""What is polled: a kind of event source is a file here and a line in `SOURCES`.

`keeper` has each mapping polled by one gateway, `source` says what a source is and gets, and
`queue_poller` is for every queue, `stream_source` for every stream of shards. What a kind allows of
a mapping is `event_source_kinds` in core.
"""

from __future__ import annotations

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

SOURCES: dict[str, Callable[[PolledMapping], Source]] = {
    "sqs": SqsSource,
    "kinesis": partial(StreamSource, make=KinesisStream),
    "dynamodb": partial(StreamSource, make=DynamoDbStream),
}
"""What makes the source of a mapping, by its kind's name (`SourceKind`)."""


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
        )
    )
