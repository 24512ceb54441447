"""Where an event that has ended goes: to its destinations, or to the function's own dead letters.

Nothing is dropped unseen: a failure that nobody is told of stands in the queue as a dead letter
(docs/events.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight_gateway.event_queue.interface import Again, Dead, Done

from .delivery import Delivery, Target

if TYPE_CHECKING:
    from pilotlight.resources import AsyncConfig
    from pilotlight_gateway.event_queue.interface import Event, Settlement

    from .decide import Ended

__all__ = ["MOST_DELIVERIES", "after_delivery", "end"]

MOST_DELIVERIES = 10
"""How often a destination is tried, over about ten minutes."""
LONGEST_WAIT = 300.0
LONGEST_MESSAGE = 4096
"""Characters of an error's text that a dead letter keeps."""


def end(
    event: Event, ended: Ended, config: AsyncConfig, dead_letter_target: str | None, now: float
) -> Settlement:
    """Say how an event that has ended goes on."""
    if ended.succeeded:
        targets = [Target(config.on_success)] if config.on_success else []
    else:
        targets = [Target(config.on_failure)] if config.on_failure else []
        if dead_letter_target:
            targets.append(Target(dead_letter_target, dead_letter=True))
    if targets:
        delivery = Delivery(ended, tuple(targets), ended_at=now)
        return Again(now, event.tries, 0, delivery.dump())
    if ended.succeeded:
        return Done()
    return Dead(ended.condition, _kept(ended.message), now, ended.tries)


def after_delivery(
    event: Event, delivery: Delivery, unreached: dict[Target, str], now: float
) -> Settlement:
    """Say how an event goes on whose targets were told, but for these, and why not."""
    if not unreached:
        return Done()
    left = delivery.left(tuple(unreached))
    if left.attempts < MOST_DELIVERIES:
        wait = min(LONGEST_WAIT, 2.0**delivery.attempts)
        return Again(now + wait, event.tries, 0, left.dump())
    reasons = "; ".join(unreached.values())
    message = f"{delivery.ended.condition}, and nobody could be told: {reasons}"
    tries = delivery.ended.tries
    return Dead("DestinationDeliveryFailed", _kept(message), now, tries)


def _kept(message: str) -> str:
    # PostgreSQL's text holds no NUL.
    return message[:LONGEST_MESSAGE].replace("\0", "\N{REPLACEMENT CHARACTER}")
