"""Whose pods go for another's: those of who has more, and in the end anybody's."""

from __future__ import annotations

import pytest

from pilotlight.compute import Crowd
from pilotlight_autoscaler.leases.room import who_gives_room

PODS = {"flood": 90, "few": 3, "none": 0}


@pytest.mark.parametrize(
    ("crowd", "accounts"),
    [
        (Crowd("flood"), {"flood"}),
        (Crowd("few"), {"flood", "few"}),
        (Crowd("new"), {"flood", "few", "new"}),
        (Crowd("flood", urgent=True), {"flood", "few", "none"}),
        (Crowd("few", in_quota=True, urgent=True), {"few"}),
        (Crowd("few", waited_for=False), {"flood"}),
        (Crowd("flood", waited_for=False), set()),
    ],
)
def test_who_gives_room(crowd: Crowd, accounts: set[str]) -> None:
    assert who_gives_room(crowd, PODS) == accounts
