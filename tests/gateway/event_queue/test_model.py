"""No state that the protocol can reach breaks a promise; every known mistake reaches one."""

from __future__ import annotations

import pytest

from .model import Variant, explore


def test_the_protocol_keeps_its_promises_in_every_state() -> None:
    explored = explore(Variant.RIGHT)
    assert explored.broken is None
    assert explored.states > 500


@pytest.mark.parametrize(
    ("variant", "promise"),
    [
        (Variant.ACK_BEFORE_COMMIT, "what was answered with 202 is kept"),
        (Variant.SETTLE_WITHOUT_EPOCH, "only the newest lease settles"),
        (Variant.LEASE_WITHOUT_NEW_EPOCH, "only the newest lease settles"),
        (Variant.RETRY_FORGETS_THE_LEASE, "what was answered with 202 can still end"),
        (Variant.COUNT_WITHOUT_THE_EVENT, "every event that came is somewhere"),
    ],
)
def test_a_mistake_is_found(variant: Variant, promise: str) -> None:
    broken = explore(variant).broken
    assert broken is not None
    assert broken.promise == promise, broken.path
