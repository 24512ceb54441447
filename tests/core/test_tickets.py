"""Tickets open one artifact for a while; nothing that is no ticket does more than not open it."""

from __future__ import annotations

import pytest

from pilotlight.tickets import LIFETIME, ticket_for, ticket_opens

KEY, SHA256 = b"k" * 32, "0" * 64


def test_a_ticket_opens_one_artifact_until_it_expires() -> None:
    """And neither another one, nor with another key."""
    ticket = ticket_for(KEY, SHA256, now=0)
    assert ticket_opens(KEY, ticket, SHA256, now=LIFETIME)
    assert not ticket_opens(KEY, ticket, SHA256, now=LIFETIME + 1)
    assert not ticket_opens(KEY, ticket, "1" * 64, now=0)
    assert not ticket_opens(b"x" * 32, ticket, SHA256, now=0)


@pytest.mark.parametrize("ticket", ["", ".", "9" * 5_000 + ".x", "1e9.x", "²." + "x", "-1.x"])
def test_what_is_no_ticket_opens_nothing(ticket: str) -> None:
    """However many digits its time has."""
    assert not ticket_opens(KEY, ticket, SHA256, now=0)
