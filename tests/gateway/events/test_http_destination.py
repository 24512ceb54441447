"""The gateway posts to the public internet only, unless private networks are allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pilotlight_gateway.events.delivery import Destination, UndeliveredError
from pilotlight_gateway.events.destinations.http import HttpDestination
from pilotlight_gateway.events.record import InvocationRecord
from tests.support.events import event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


RECORD = InvocationRecord(event("a"), "Success", "", 1, 0.0)


@pytest.fixture
async def destination() -> AsyncIterator[HttpDestination]:
    destination = HttpDestination("us-east-1", private=False)
    yield destination
    await destination.close()


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:1/",
        "http://localhost:1/",
        "http://10.96.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[fe80::1%25eth0]/",
        "http://0.0.0.0/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://127。0。0。1/",
        "http://①②⑦.⓪.⓪.①/",
        "http://[64:ff9b::7f00:1]/",
        "http://not-there.invalid/",
        "http://localhost:99999/",
    ],
)
async def test_private_addresses_are_refused(destination: HttpDestination, address: str) -> None:
    """In one text: neither what is there is told, nor whether a port of it is open."""
    with pytest.raises(UndeliveredError) as refused:
        await destination.deliver(RECORD, Destination(address))
    assert str(refused.value) == f"{address} cannot be reached on the public internet"
