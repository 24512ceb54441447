"""The agent's life: serve gateways until the pod is drained or the parent is gone.

Standard output carries JSON lines only. The first says where it listens; the rest is the journal.
What gateways may ask is `gateway_api`, what there is to ask for `pod`.
"""

import asyncio
import gc
import json
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress

from . import options
from .gateway_api import GatewayApi
from .journal import Cursor, Journal
from .lifecycle import package
from .lifecycle.pod import Pod
from .options import Options
from .processes import isolation, tree
from .processes.spawner import ExecSpawner, Reaper
from .processes.standard_output import StandardOutput
from .runtimes import FAMILIES, family_of
from .runtimes.prepared import Expected
from .runtimes.zygote import Born

_LINGER_SECONDS = 1.0


async def serve(chosen: Options, zygote: Born | None) -> None:
    """Serve gateways until the pod is drained or the parent is gone."""
    journal, output, reaper = Journal(), StandardOutput(), Reaper()
    await output.open()
    reaper.start()
    family = family_of(chosen.runtime)
    expected = Expected(chosen.runtime, chosen.memory)
    spawner = family.spawner(expected, chosen.places, ExecSpawner(reaper), journal, zygote)
    pod = Pod(chosen.places, spawner, journal, zone=chosen.zone)
    loop = asyncio.get_running_loop()
    api = GatewayApi(pod, chosen.token_sha256)
    servers = [await loop.create_server(api.connection, chosen.host, chosen.port)]
    servers += await _listen_beside(api, chosen.socket)
    _stop_on_signals(pod, linger=0.0 if chosen.parent_stdin else _LINGER_SECONDS)
    if chosen.parent_stdin:
        loop.add_reader(0, _watch_parent, pod)
    port = servers[0].sockets[0].getsockname()[1]
    beside = {"socket": chosen.socket} if len(servers) > 1 else {}
    output.write(json.dumps({"type": "listening", "port": port, **beside}).encode() + b"\n")
    output.on_writable = Cursor(journal, 0, output.write, output.writable).advance
    spawner.start()
    reaper.reap()  # a zygote that was there before may have ended before
    await asyncio.to_thread(package.rehearse, f"http://{_reachable(chosen.host)}:{port}/ready")
    gc.freeze()
    await pod.finished.wait()
    for server in servers:
        server.close()
    journal.flush()
    await output.close()
    _leave_signals()


async def _listen_beside(api: GatewayApi, path: str) -> list[asyncio.Server]:
    """Listen at a path, if one is given; a folder of another system's may hold no sockets."""
    if not path:
        return []
    with suppress(OSError):
        return [await asyncio.get_running_loop().create_unix_server(api.connection, path)]
    return []


def _leave_signals() -> None:
    """Hear no signal any more: the loop closes the pipe that they come by before it unhooks them.

    A child that ended in between would have the interpreter print "Bad file descriptor".
    """
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().remove_signal_handler(number)


def _reachable(host: str) -> str:
    """Return an address at which a server that listens on `host` answers itself."""
    return "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 -- compared, not listened on


def _stop_on_signals(pod: Pod, linger: float) -> None:
    """Drain on SIGTERM and SIGINT.

    A pod that was somebody's lingers and refuses: what a gateway sends before it knows goes
    elsewhere, instead of being lost with the connection.
    """
    draining: list[asyncio.Task[None]] = []

    async def drain() -> None:
        await pod.drain()
        if pod.specialised:
            await asyncio.sleep(linger)
        pod.finished.set()

    def stop() -> None:
        if not draining:
            draining.append(asyncio.create_task(drain()))

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


def _watch_parent(pod: Pod) -> None:
    """End at once when the parent's end of the pipe is closed."""
    if not os.read(0, 4096):
        asyncio.get_running_loop().remove_reader(0)
        pod.end()
        pod.finished.set()


def prepare(arguments: Sequence[str]) -> Callable[[int, int], None]:
    """Read options; returns what runs the agent beside a zygote, whose id and descriptor it takes.

    What is done here is done before the fork, and its memory shared.
    """
    chosen = options.read(arguments)
    _load()
    return lambda zygote, descriptor: run(chosen, Born(zygote, descriptor))


def run(chosen: Options, zygote: Born | None = None) -> None:
    """Run the agent; returns after draining."""
    _load()
    isolation.isolate()
    asyncio.run(serve(chosen, zygote))
    for pid in tree.descendants(os.getpid()):
        os.kill(pid, signal.SIGKILL)


def _load() -> None:
    """Have everything imported before there is a function that would wait for it."""
    for family in FAMILIES:
        family.load()
