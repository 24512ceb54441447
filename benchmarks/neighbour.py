"""What a neighbour notices of hostile clients and functions: `python -m benchmarks.neighbour`.

One function is called thirty times a second, and now and then one that nobody has called: first
alone, then while others send bodies without a key, read nothing of large answers, print a gigabyte,
crash at their start or never answer. Load generator, attackers, gateway and
functions share the machine: what the attackers spend themselves is part of what is measured.
docs/security.md says who is defended from whom.
"""

from __future__ import annotations

import argparse
import itertools
import math
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.gateway.test_memory import CHATTY, LARGE, NEIGHBOUR
from tests.support.gateway_process import GatewayProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

RATE = 30
FIRST_SECONDS = 2.0
"""Between two first calls."""
CALLERS = 100
CRASHING = "raise RuntimeError('it never starts')\n"
HANGING = "import time\n\ndef handler(event, context):\n    time.sleep(1000)\n"
COLD = "def handler(event, context):\n    return 1\n"
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
    print("| beside it | p50, ms | p99, ms | first call, p50, ms | failed |")
    print("| --- | --- | --- | --- | --- |", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        gateway = GatewayProcess(Path(folder), environments=400)
        create(gateway, count=int(seconds / FIRST_SECONDS) * (len(ATTACKS) + 1))
        for name, attack in (*ATTACKS.items(), ("nobody, again", nobody)):
            with attack(gateway), ThreadPoolExecutor(1) as pool:
                first = pool.submit(call_first, gateway, seconds)
                warm, cold = call(gateway, seconds), first.result()
            p50, p99 = statistics.median(warm), statistics.quantiles(warm, n=100)[98]
            row = [f"{one * 1000:.1f}" for one in (p50, p99, statistics.median(cold))]
            failed = (*warm, *cold).count(math.inf)
            print(f"| {name} | {' | '.join(row)} | {failed} |", flush=True)
        gateway.close()


def create(gateway: GatewayProcess, count: int) -> None:
    """Make the functions: so many of them will be called once."""
    for name, source, size in (
        ("neighbour", NEIGHBOUR, 128), ("large", LARGE, 256), ("chatty", CHATTY, 256),
        ("crashing", CRASHING, 128), ("hanging", HANGING, 128),
    ):  # fmt: skip
        gateway.create(name, source, MemorySize=size, Timeout=20 if name == "hanging" else 90)
    for number in range(count):
        gateway.create(f"first-{number}", COLD)
    for name, most in (("neighbour", 16), ("large", 20)):
        gateway.client().put_function_concurrency(
            FunctionName=name, ReservedConcurrentExecutions=most
        )


def invoke(client: Any, name: str, began: float) -> float:
    """Return how long ago a call began that is answered now; infinity where it failed."""
    try:
        client.invoke(FunctionName=name)["Payload"].read()
    except Exception as error:  # noqa: BLE001  whatever it was, it is counted
        print(repr(error), file=sys.stderr)
        return math.inf
    return time.monotonic() - began


def call_first(gateway: GatewayProcess, seconds: float) -> list[float]:
    """Call functions that nobody has called; returns how long each call took."""
    client, took = gateway.client(), []
    for _ in range(int(seconds / FIRST_SECONDS)):
        began = time.monotonic()
        took.append(invoke(client, f"first-{next(_FIRST)}", began))
        time.sleep(max(0.0, began + FIRST_SECONDS - time.monotonic()))
    return took


def call(gateway: GatewayProcess, seconds: float) -> list[float]:
    """Call the neighbour at an even rate; returns how long each call took."""
    client = gateway.client()

    def one(moment: float) -> float:
        time.sleep(max(0.0, moment - time.monotonic()))
        return invoke(client, "neighbour", moment)

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


@contextmanager
def callers_of(function: str, gateway: GatewayProcess) -> Iterator[None]:
    """A hundred call a function again and again."""
    over = threading.Event()
    client = gateway.client()

    def insist() -> None:
        while not over.is_set():
            try:
                client.invoke(FunctionName=function)["Payload"].read()
            except Exception:  # noqa: BLE001  whatever they read
                time.sleep(0.2)

    with ThreadPoolExecutor(CALLERS) as callers:
        for _ in range(CALLERS):
            callers.submit(insist)
        time.sleep(3)  # until they have begun
        yield
        over.set()


_FIRST = itertools.count()
ATTACKS: dict[str, Callable[[GatewayProcess], AbstractContextManager[None]]] = {
    "nobody": nobody,
    "bodies of 70 MB without a key": bodies,
    "100 readers of 6 MB that read nothing": idle_readers,
    "a function that prints 1 GB": a_gigabyte_of_log,
    "100 callers of a function that crashes at its start": partial(callers_of, "crashing"),
    "100 callers of a function that never answers": partial(callers_of, "hanging"),
}

if __name__ == "__main__":
    main()
