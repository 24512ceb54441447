"""What a neighbour notices of hostile clients and functions: `python -m benchmarks.neighbour`.

One function is called thirty times a second, first alone, then while others send bodies without a
key, read nothing of large answers, or print a gigabyte. Load generator, attackers, gateway and
functions share the machine: what the attackers spend themselves is part of what is measured.
docs/security.md says who is defended from whom.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.gateway.test_memory import CHATTY, LARGE, NEIGHBOUR
from tests.support.gateway_process import GatewayProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

RATE = 30
SEND = r"""
import socket, sys, time
HEAD = b"POST /2015-03-31/functions HTTP/1.1\r\nHost: x\r\nContent-Length: 70000000\r\n\r\n"
while True:
    try:
        with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as one:
            one.sendall(HEAD)
            for _ in range(70):
                one.sendall(b"x" * 1_000_000)
    except OSError:
        pass
    time.sleep(0.2)
"""


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.neighbour", description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0, help="of each measurement")
    seconds = parser.parse_args().seconds
    print("| beside it | p50, ms | p99, ms | failed |\n| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        gateway = GatewayProcess(Path(folder), environments=136)
        for name, source, size in (
            ("neighbour", NEIGHBOUR, 128), ("large", LARGE, 256), ("chatty", CHATTY, 256),
        ):  # fmt: skip
            gateway.create(name, source, MemorySize=size, Timeout=90)
        gateway.client().put_function_concurrency(
            FunctionName="neighbour", ReservedConcurrentExecutions=16
        )
        gateway.client().put_function_concurrency(
            FunctionName="large", ReservedConcurrentExecutions=20
        )
        for name, attack in (*ATTACKS.items(), ("nobody, again", nobody)):
            with attack(gateway):
                took = call(gateway, seconds)
            fine = [one for one in took if one is not None]
            p50, p99 = statistics.median(fine), statistics.quantiles(fine, n=100)[98]
            failed = len(took) - len(fine)
            print(f"| {name} | {p50 * 1000:.1f} | {p99 * 1000:.1f} | {failed} |", flush=True)
        gateway.close()


def call(gateway: GatewayProcess, seconds: float) -> list[float | None]:
    """Call the neighbour at an even rate; returns how long each call took, None where it failed."""
    client = gateway.client()

    def one(moment: float) -> float | None:
        time.sleep(max(0.0, moment - time.monotonic()))
        try:
            client.invoke(FunctionName="neighbour")["Payload"].read()
        except Exception as error:  # noqa: BLE001  whatever it was, it is counted
            print(repr(error), file=sys.stderr)
            return None
        return time.monotonic() - moment

    one(0.0)
    began = time.monotonic() + 0.1
    with ThreadPoolExecutor(8) as pool:
        moments = [began + n / RATE for n in range(int(seconds * RATE))]
        return list(pool.map(one, moments))


@contextmanager
def nobody(gateway: GatewayProcess) -> Iterator[None]:
    """Nothing else happens."""
    del gateway
    yield


@contextmanager
def bodies(gateway: GatewayProcess) -> Iterator[None]:
    """Eight at once send 70 MB without a key, again and again."""
    command = (sys.executable, "-I", "-S", "-c", SEND, str(gateway.port))
    senders = [subprocess.Popen(command) for _ in range(8)]
    time.sleep(2)  # until they have begun
    yield
    for sender in senders:
        sender.kill()
        sender.wait()


@contextmanager
def idle_readers(gateway: GatewayProcess) -> Iterator[None]:
    """A hundred ask for 6 MB and read nothing."""
    with ExitStack() as clients:
        for _ in range(100):
            client = socket.create_connection(("127.0.0.1", gateway.port))
            clients.enter_context(client)
            client.sendall(gateway.signed("large"))
        time.sleep(3)  # until twenty environments have started
        yield


@contextmanager
def a_gigabyte_of_log(gateway: GatewayProcess) -> Iterator[None]:
    """A function prints a gigabyte."""
    printing = threading.Thread(target=lambda: gateway.client().invoke(FunctionName="chatty"))
    printing.start()
    yield
    printing.join()


ATTACKS: dict[str, Callable[[GatewayProcess], AbstractContextManager[None]]] = {
    "nobody": nobody,
    "bodies of 70 MB without a key": bodies,
    "100 readers of 6 MB that read nothing": idle_readers,
    "a function that prints 1 GB": a_gigabyte_of_log,
}

if __name__ == "__main__":
    main()
