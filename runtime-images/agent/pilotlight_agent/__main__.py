"""The agent: `python -m pilotlight_agent`.

Standard output carries JSON lines only. The first says where it listens; the rest is the journal.
"""

import asyncio
import gc
import json
import os
import signal
import sys

from pilotlight_agent import isolation, options, tree
from pilotlight_agent.gateway_api import GatewayApi
from pilotlight_agent.journal import Cursor, Journal
from pilotlight_agent.options import Options
from pilotlight_agent.pod import Pod
from pilotlight_agent.process import ExecSpawner, Reaper
from pilotlight_agent.standard_output import StandardOutput


async def serve(chosen: Options) -> None:
    """Serve gateways until the pod is drained or the parent is gone."""
    journal, output, reaper = Journal(), StandardOutput(), Reaper()
    await output.open()
    reaper.start()
    pod = Pod(chosen.places, ExecSpawner(reaper), journal)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        GatewayApi(pod, chosen.token_sha256).connection, chosen.host, chosen.port
    )
    _stop_on_signals(pod)
    if chosen.parent_stdin:
        loop.add_reader(0, _watch_parent, pod)
    port = server.sockets[0].getsockname()[1]
    output.write(json.dumps({"type": "listening", "port": port}).encode() + b"\n")
    output.on_writable = Cursor(journal, 0, output.write, output.writable).advance
    gc.freeze()
    await pod.finished.wait()
    server.close()
    journal.flush()
    await output.close()


def _stop_on_signals(pod: Pod) -> None:
    """Drain on SIGTERM and SIGINT."""
    draining: list[asyncio.Task[None]] = []

    async def drain() -> None:
        await pod.drain()
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


def main() -> None:
    """Run the agent; exits 0 after draining."""
    chosen = options.read(sys.argv[1:])
    isolation.isolate()
    asyncio.run(serve(chosen))
    for pid in tree.descendants(os.getpid()):
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
