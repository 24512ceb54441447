"""Delivers log lines to functions: CloudWatch Logs' subscription filters.

The log sink brings lines here once they are stored. What a filter wants of one stream becomes an
event of its function, in the event queue; with its name, the group's and the stream's, compressed
as CloudWatch Logs does ("Using CloudWatch Logs subscription filters"). Best effort, as there: a
gateway that is killed delivers nothing of what it had not delivered.
"""

from __future__ import annotations

import base64
import functools
import gzip
import itertools
import json
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import structlog

from pilotlight.errors import PilotlightError
from pilotlight_gateway.errors import ApiError
from pilotlight_gateway.identifiers import new_request_id, new_trace_id
from pilotlight_gateway.invocation.behalf import as_service
from pilotlight_gateway.invocation.invocation import Invocation
from pilotlight_gateway.invocation.reference import Reference

from .filter_pattern import FilterPatternError, compile_filter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pilotlight.accounts import Accounts
    from pilotlight.resources import SubscriptionFilter
    from pilotlight.storage import LogLine
    from pilotlight_gateway.invocation.invoker import Invoker

    from .filter_pattern import Filter
    from .groups import Group, LogGroups

__all__ = ["Subscriptions", "document_of"]

MOST_CHARACTERS = 400_000
"""Of the messages of one event: with what stands around them it is an event's size at most, however
badly it compresses."""

log = structlog.get_logger()


class Subscriptions:
    """Brings lines to whoever subscribed to their group."""

    def __init__(
        self, groups: LogGroups, invoker: Invoker, accounts: Accounts, region: str
    ) -> None:
        self._groups, self._invoker = groups, invoker
        self._accounts, self._region = accounts, region
        self._ids = itertools.count()

    async def deliver(self, lines: Sequence[LogLine]) -> None:
        """Have subscribers get what they want of these lines."""
        by_function: defaultdict[tuple[str, str], list[LogLine]] = defaultdict(list)
        for line in lines:
            by_function[line.namespace, line.function].append(line)
        for function, some in by_function.items():
            group = self._groups.of_function(*function)
            if group is not None and group.spec.subscription_filters:
                await self._deliver_of(group, some)

    async def _deliver_of(self, group: Group, lines: Sequence[LogLine]) -> None:
        for subscription in group.spec.subscription_filters:
            wants = _compiled(subscription.pattern)
            wanted = [line for line in lines if wants(line.message)]
            for stream, some in _by_stream(wanted):
                try:
                    await self._send(group, subscription, stream, some)
                except (PilotlightError, ApiError) as error:
                    log.warning(
                        "log lines not delivered", group=group.name, lines=len(some),
                        function=subscription.function, error=str(error),
                    )  # fmt: skip

    async def _send(
        self, group: Group, subscription: SubscriptionFilter, stream: str, lines: list[LogLine]
    ) -> None:
        account = await self._accounts.account(group.namespace)
        document = document_of(
            account, group.name, stream, subscription.name, lines, map(self._new_id, lines)
        )
        packed = gzip.compress(json.dumps(document, ensure_ascii=False).encode(errors="replace"))
        event = {"awslogs": {"data": base64.b64encode(packed).decode()}}
        name, _, qualifier = subscription.function.partition(":")
        reference = Reference(group.namespace, account, self._region, name, qualifier or None)
        invocation = Invocation(
            event=json.dumps(event).encode(),
            request_id=new_request_id(),
            function_arn=reference.arn,
            trace_id=new_trace_id(),
        )
        arn = f"arn:aws:logs:{self._region}:{account}:log-group:{group.name}:*"
        behalf = as_service("logs.amazonaws.com", arn, account)
        await self._invoker.enqueue(reference, invocation, behalf=behalf)

    def _new_id(self, line: LogLine) -> str:
        return f"{int(line.time * 1000):013d}{time.time_ns():023d}{next(self._ids):020d}"


def document_of(  # noqa: PLR0913, PLR0917  the document has that many parts
    account: str,
    group: str,
    stream: str,
    subscription: str,
    lines: Iterable[LogLine],
    ids: Iterable[str],
) -> dict[str, Any]:
    """Return what CloudWatch Logs sends of lines."""
    return {
        "messageType": "DATA_MESSAGE",
        "owner": account,
        "logGroup": group,
        "logStream": stream,
        "subscriptionFilters": [subscription],
        "logEvents": [
            {"id": one, "timestamp": int(line.time * 1000), "message": line.message}
            for one, line in zip(ids, lines, strict=False)
        ],
    }


@functools.lru_cache(maxsize=1000)
def _compiled(pattern: str) -> Filter:
    try:
        return compile_filter(pattern)
    except FilterPatternError as error:  # kubectl may write anything
        log.warning("a subscription's pattern cannot be read", error=str(error))
        return lambda _: False


def _by_stream(lines: Iterable[LogLine]) -> Iterator[tuple[str, list[LogLine]]]:
    """Return lines by stream, as many at once as an event holds."""
    some: dict[str, list[LogLine]] = {}
    sizes: dict[str, int] = {}
    for line in lines:
        if sizes.get(line.stream, 0) + len(line.message) > MOST_CHARACTERS and line.stream in some:
            yield line.stream, some.pop(line.stream)
            sizes[line.stream] = 0
        some.setdefault(line.stream, []).append(line)
        sizes[line.stream] = sizes.get(line.stream, 0) + len(line.message)
    yield from some.items()
