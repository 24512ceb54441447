"""What strangers can make a gateway hold: a real process, its resident memory, and a neighbour.

Few and bounded, for each moves a gigabyte.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from tests.support.gateway_process import GatewayProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_MEGABYTES = 256
NEIGHBOUR = "def handler(e, c):\n    return 1\n"
LARGE = "def handler(e, c):\n    return 'x' * 6_000_000\n"
CHATTY = """
import sys
def handler(e, c):
    line = "x" * 250_000 + "\\n"
    for _ in range(4_000):
        sys.stdout.write(line)
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    process = GatewayProcess(tmp_path_factory.mktemp("pods"))
    process.create("neighbour", NEIGHBOUR)
    yield process
    process.close()


def answers(gateway: GatewayProcess) -> bool:
    payload = gateway.client().invoke(FunctionName="neighbour")["Payload"].read()
    return bool(payload == b"1")


def test_bodies_without_a_key_are_not_read(gateway: GatewayProcess) -> None:
    """Eight of 70 MB at once: each is refused by its head, while others are served."""
    statuses: list[bytes] = []

    def send() -> None:
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as client:
            client.sendall(
                b"POST /2015-03-31/functions HTTP/1.1\r\nHost: x\r\n"
                b"Content-Length: 70000000\r\n\r\n"
            )
            statuses.append(client.recv(12))  # before one byte of the body was sent
            with suppress(OSError):
                for _ in range(70):
                    client.sendall(b"x" * 1_000_000)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert answers(gateway)
    for thread in threads:
        thread.join(60)
    assert statuses == [b"HTTP/1.1 403"] * 8
    assert gateway.peak_megabytes() < MOST_MEGABYTES


def test_a_client_with_a_wrong_key_is_told_so_whatever_it_uploads(
    gateway: GatewayProcess,
) -> None:
    """Boto3 reads once it has sent, or cannot go on sending."""
    stranger = gateway.client("AKIDOTHER")
    with pytest.raises(ClientError, match="security token"):
        stranger.update_function_code(FunctionName="neighbour", ZipFile=os.urandom(20_000_000))


def test_clients_that_read_nothing_hold_no_more_than_a_budget(gateway: GatewayProcess) -> None:
    """A hundred answers of 6 MB; once their clients leave, all environments are free at once."""
    gateway.create("large", LARGE, MemorySize=256)
    with ExitStack() as clients:
        idle = [
            clients.enter_context(socket.create_connection(("127.0.0.1", gateway.port)))
            for _ in range(100)
        ]
        for client in idle:
            client.sendall(gateway.signed("large"))
        for client in idle:  # the head is there: answered, or refused for want of environments
            client.settimeout(60)
            assert client.recv(9, socket.MSG_PEEK)
        assert gateway.peak_megabytes() < MOST_MEGABYTES
    assert answers(gateway)
    assert len(gateway.client().invoke(FunctionName="large")["Payload"].read()) == 6_000_002


def test_a_function_that_prints_a_gigabyte_loses_lines_and_costs_little(
    gateway: GatewayProcess,
) -> None:
    """Its owner is told how many."""
    gateway.create("chatty", CHATTY, Timeout=90)
    gateway.client().invoke(FunctionName="chatty")
    assert "lines" in gateway.wait_for_dropped()
    assert answers(gateway)
    assert gateway.peak_megabytes() < MOST_MEGABYTES
