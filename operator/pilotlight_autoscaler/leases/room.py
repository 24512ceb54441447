"""Whose pods go where nothing has room for another: accounts share nodes by what they have on them.

Who has more pods than the account that finds no room gives some up, and so does that account
itself: a flood of one account's functions empties its own pods and pools, and nobody else's. What
a claim has waited for for a while anybody's idle pod gives: idle room is no reason for a throttle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pilotlight.compute import Crowd

__all__ = ["who_gives_room"]


def who_gives_room(crowd: Crowd, pods: Mapping[str, int]) -> set[str]:
    """Return the accounts, by namespace, whose idle pods may go for one; given each one's pods.

    A pool takes room from accounts that have more, and none from its own: what it would prepare
    for is worth no more than what idles.
    """
    if crowd.in_quota:
        return {crowd.namespace}
    if crowd.urgent:
        return set(pods)
    larger = {one for one, count in pods.items() if count > pods.get(crowd.namespace, 0)}
    return larger | {crowd.namespace} if crowd.waited_for else larger
