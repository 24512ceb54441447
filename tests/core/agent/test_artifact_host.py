"""The address of the packages' host: looked up once, and only where that is safe."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from pilotlight.agent.artifact_host import KEPT_SECONDS, ArtifactHost

pytestmark = pytest.mark.looptime


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Answer every question with the next address; gives the names that were asked for."""
    names: list[str] = []

    async def getaddrinfo(self: object, host: str, port: int) -> list[Any]:
        del self
        names.append(host)
        if host == "unknown" or (host == "lost" and names.count(host) > 1):
            raise socket.gaierror("no such name")
        address = "fd00::7" if host == "six" else f"10.0.0.{6 + names.count(host)}"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return names


async def test_the_address_stands_in_for_the_name(asked: list[str]) -> None:
    host = ArtifactHost()
    url = "http://gateway.ns.svc:8081/-/artifacts/abc?x=1"
    assert await host.reachable(url) == "http://10.0.0.7:8081/-/artifacts/abc?x=1"
    assert await host.reachable("http://six:1/a") == "http://[fd00::7]:1/a"
    await host.reachable(url)
    assert asked == ["gateway.ns.svc", "six"]


async def test_an_address_is_asked_for_again_after_a_while(asked: list[str]) -> None:
    host = ArtifactHost()
    await host.reachable("http://gateway:80/a")
    await asyncio.sleep(KEPT_SECONDS)
    assert await host.reachable("http://gateway:80/a") == "http://10.0.0.7:80/a"  # nobody waits
    await host.reachable("http://gateway:80/a")
    await asyncio.sleep(0)
    assert asked == ["gateway", "gateway"]
    assert await host.reachable("http://gateway:80/a") == "http://10.0.0.8:80/a"


async def test_a_name_that_is_lost_is_forgotten(asked: list[str]) -> None:
    host = ArtifactHost()
    await host.reachable("http://lost:80/a")
    await asyncio.sleep(KEPT_SECONDS)
    assert await host.reachable("http://lost:80/a") == "http://10.0.0.7:80/a"
    await asyncio.sleep(1)
    assert await host.reachable("http://lost:80/a") == "http://lost:80/a"
    assert asked == ["lost", "lost", "lost"]


@pytest.mark.parametrize("url", ["https://gateway/a", "file:///a/b", "http://unknown:80/a"])
async def test_other_urls_stay(asked: list[str], url: str) -> None:
    """TLS checks the name, a file has none, and what is unknown here a pod may know."""
    assert await ArtifactHost().reachable(url) == url
    assert set(asked) <= {"unknown"}
