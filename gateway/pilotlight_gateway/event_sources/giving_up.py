"""Gives up messages that failed for good, of queues that have no rules of their own for it.

The rules are those of Kafka's records (`stream_batches.Rules`), for each message alone. How often
one was tried its server knows: it counts deliveries, over any number of gateways. Only a run that
failed ends in giving up, so a throttle never does, but the deliveries that it took count. Whoever
is to be told is told on disk before the message goes.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from pilotlight.errors import PilotlightError
from pilotlight_gateway.events.attempt import Ran
from pilotlight_gateway.identifiers import new_request_id

from .failed_batch import LastRun, failure_event
from .stream_batches import DEFAULT_RETRIES, Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pilotlight_gateway.events.attempt import Outcome

    from .queue import Message
    from .source import PolledMapping

__all__ = ["GivingUp"]

log = structlog.get_logger()


class GivingUp:
    """A mapping's rules, and who is told of what they end."""

    def __init__(
        self,
        polled: PolledMapping,
        frame: tuple[bytes, bytes],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`frame` is what stands around an event's records."""
        spec = polled.mapping.spec
        rules = Rules.of(spec)
        if spec.destination_config is not None and rules.retries < 0:
            rules = replace(rules, retries=DEFAULT_RETRIES)
        self._polled = polled
        self._frame = frame
        self._rules = rules
        self._clock = clock

    async def expired(self, batch: Sequence[Message]) -> list[Message]:
        """Give up the messages of a batch that are too old to be tried, and return them."""
        if self._rules.age < 0:
            return []
        oldest = self._clock() - self._rules.age
        old = [one for one in batch if one.arrived_at < oldest]
        return [one for one in old if await self._told(one, "RecordAgeExceeded", None)]

    async def exhausted(self, failed: Sequence[Message], outcome: Outcome) -> list[Message]:
        """Give up those of a run's failed messages that were tried often enough; return them."""
        most = self._rules.retries
        if most < 0 or not isinstance(outcome, Ran):
            return []
        spent = [one for one in failed if one.deliveries > most]
        return [one for one in spent if await self._told(one, "RetryAttemptsExhausted", outcome)]

    async def _told(self, message: Message, condition: str, ran: Ran | None) -> bool:
        """Have the destination told; False where that is not on disk: then it comes again."""
        before, after = self._frame
        last = LastRun(new_request_id(), before + message.encoded + after, ran)
        tries = message.deliveries if ran else message.deliveries - 1
        event = failure_event(self._polled, condition, tries, last, now=self._clock())
        mapping = self._polled.mapping.metadata.uid
        if event is not None:
            try:
                await self._polled.services.events.enqueue(event)
            except PilotlightError as error:
                log.warning("failure is not kept", mapping=mapping, error=str(error))
                return False
        log.warning("message is given up", mapping=mapping, id=message.id, condition=condition)
        self._polled.metrics.dropped.inc()
        return True
