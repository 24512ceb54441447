"""One platform for all tests of the gateway that need a whole one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.gateway import GatewayHarness

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayHarness]:
    """A running platform."""
    harness = GatewayHarness(tmp_path_factory.mktemp("pods"))
    yield harness
    harness.close()
