"""The Lease as Kubernetes keeps it: written where nobody wrote it since, each taking counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from pilotlight.storage.kubernetes.lease import KubernetesLease
from tests.support.api_server import ApiServer

if TYPE_CHECKING:
    from pilotlight.storage.kubernetes.api import KubernetesApi


@pytest.fixture
def lease() -> KubernetesLease:
    return KubernetesLease(cast("KubernetesApi", ApiServer()), "release", "operator")


async def test_each_taking_counts_and_no_renewal_does(lease: KubernetesLease) -> None:
    """Also where the holder's name is the same: a container that was restarted has its address."""
    record = await lease.read()
    for taken, transitions in [(True, 1), (False, 1), (True, 2), (False, 2)]:
        written = await lease.write(record, holder="a:1", seconds=15, taken=taken)
        assert written is not None
        assert (written.holder, written.transitions) == ("a:1", transitions)
        record = written
    released = await lease.write(record, holder="", seconds=1)
    assert released is not None
    assert (released.holder, released.transitions) == ("", 2)


async def test_who_read_it_before_somebody_wrote_it_writes_nothing(lease: KubernetesLease) -> None:
    first = await lease.write(await lease.read(), holder="a:1", seconds=15, taken=True)
    assert first is not None
    assert await lease.write(first, holder="a:1", seconds=15) is not None
    assert await lease.write(first, holder="b:1", seconds=15, taken=True) is None
