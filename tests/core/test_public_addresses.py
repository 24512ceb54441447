"""Which addresses are the public internet's, and that no other one is connected to."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import aiohttp
import pytest

from pilotlight.errors import UnavailableError
from pilotlight.openid import read_keys
from pilotlight.public_addresses import connector, is_public
from tests.support.issuer import serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A port of this machine that nobody may reach."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1",
        "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.51.100.1",
        "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "::", "::1",
        "::7f00:1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "64:ff9b::10.0.0.1",
        "64:ff9b::a9fe:a9fe", "64:ff9b:1::8.8.8.8", "100::1", "2001::1", "2001:db8::1",
        "2002:0a00:0001::1", "2002:0808:0808::1", "3fff::1", "5f00::1", "fc00::1", "fd12::1",
        "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1",
    ],
)  # fmt: skip
def test_what_is_not_public(address: str) -> None:
    """Whatever hides inside: IPv4 in IPv6, relays, tunnels, translators, groups."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::1.1.1.1"]
)
def test_what_is_public(address: str) -> None:
    """The last as a network without IPv4 reaches it."""
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "127。0。0。1", "①②⑦.⓪.⓪.①", "[::1]", "[::ffff:127.0.0.1]",
     "2130706433", "0x7f.1", "017700000001", "0", "127.1"],
)  # fmt: skip
async def test_no_connection_is_made(listening: socket.socket, host: str) -> None:
    """However an address is written: what is connected to is what is judged."""
    port = listening.getsockname()[1]
    async with aiohttp.ClientSession(connector=connector(private=False)) as session:
        with pytest.raises((aiohttp.ClientError, ValueError)):
            await session.get(f"http://{host}:{port}/")
    with pytest.raises(BlockingIOError):
        listening.accept()


async def test_issuers_of_a_cluster_are_public_and_https(listening: socket.socket) -> None:
    """And nobody learns by the answer whether something listens."""
    port, said = listening.getsockname()[1], set()
    for host in (f"localhost:{port}", "localhost:1", "①②⑦.⓪.⓪.①:1", "not-there.invalid"):
        with pytest.raises(UnavailableError) as refused:
            await read_keys(f"https://{host}", private=False)
        said.add(str(refused.value).replace(host, "HOST"))
    assert said == {"https://HOST/.well-known/openid-configuration cannot be read"}
    with serving() as issuer:
        assert len(await read_keys(issuer.address, private=True)) == 1
        with pytest.raises(UnavailableError, match="an https:// address is expected"):
            await read_keys(issuer.address, private=False)
