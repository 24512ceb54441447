"""`pilotlight dev`: the platform on this machine until Ctrl-C, its manifests applied on every save.

`local.platform` is the platform; this module starts it, feeds it and ends it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import sys
from contextlib import aclosing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
import structlog
import uvloop

from pilotlight.aws.credentials import SERVICE_IDS
from pilotlight.errors import StartFailedError
from pilotlight.resources import Function
from pilotlight.runtimes import family_of
from pilotlight.signing import Credentials
from pilotlight_cli.dev.console import Console
from pilotlight_cli.dev.folder import AppliedFolder
from pilotlight_local.accounts import DEFAULT_NAMESPACE
from pilotlight_local.containers.engines import ENGINES
from pilotlight_local.platform import LocalPlatform
from pilotlight_local.settings import LocalSettings

from ..builders import Packager, this_machine
from ..client import Client
from ..connection import DEFAULT_PORT, DEFAULT_REGION, Connection
from ..manifests import load
from ..platform import Platform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..manifests import Manifest

__all__ = ["command"]


def _account(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"\d{12}", value):
        raise click.BadParameter(f"{value!r}: an account id of 12 digits is expected")
    return value


@click.command("dev")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--port", default=DEFAULT_PORT, show_default=True, help="0 takes a free one.")
@click.option(
    "--listen",
    default="127.0.0.1",
    show_default=True,
    help="For containers: whoever reaches another address than loopback runs code as you.",
)
@click.option(
    "--state",
    default=Path(".pilotlight"),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder that functions, packages and logs are kept in.",
)
@click.option("--watch/--no-watch", default=True, help="Apply again what is saved.")
@click.option("--account", default="0" * 12, show_default=True, callback=_account)
@click.option("--region", default=DEFAULT_REGION, show_default=True)
@click.option("--aws-endpoint-url", metavar="URL", help="What functions get as AWS_ENDPOINT_URL.")
@click.option(
    "--sts-endpoint",
    metavar="URL",
    envvar="AWS_ENDPOINT_URL_STS",
    help="Where functions' roles are assumed, such as https://sts.eu-west-1.amazonaws.com.",
)
@click.option(
    "--otlp-endpoint",
    metavar="URL",
    default="",
    envvar="OTEL_EXPORTER_OTLP_ENDPOINT",
    help="Where spans go of functions whose tracing is Active, by OTLP over HTTP.",
)
@click.option(
    "--function-url",
    type=click.Choice(["path", "host"]),
    default="path",
    show_default=True,
    help="What FunctionUrl says: a path of this port, or a host below localhost.",
)
@click.option(
    "--engine",
    type=click.Choice([engine.name for engine in ENGINES]),
    help="What runs container images; left out, whichever has the image.",
)
def command(  # noqa: PLR0913  one parameter an option
    paths: tuple[Path, ...],
    *,
    port: int,
    listen: str,
    state: Path,
    watch: bool,
    account: str,
    region: str,
    aws_endpoint_url: str | None,
    sts_endpoint: str | None,
    otlp_endpoint: str,
    function_url: Literal["path", "host"],
    engine: str | None,
) -> None:
    """Run the platform on this machine and apply the manifests of PATHS, files or folders."""
    roots = [path.resolve() for path in paths]
    packager = Packager(architecture=this_machine())
    manifests = load(roots, packager=packager)
    console = Console()
    _log_to_standard_error()
    settings = LocalSettings(
        state=state.resolve(),
        port=port,
        listen=listen,
        account=account,
        region=region,
        aws_endpoint_url=aws_endpoint_url,
        aws_endpoint_urls=_endpoint_urls() | ({"sts": sts_endpoint} if sts_endpoint else {}),
        otlp_endpoint=otlp_endpoint,
        function_url=function_url,
        engine=engine or "",
        tell=console.tell,
        echo=console.log,
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(settings, console, manifests, packager, roots if watch else []))


def _endpoint_urls() -> dict[str, str]:
    """Return where AWS's SDKs would find the services that are polled."""
    urls = {name: os.environ.get(f"AWS_ENDPOINT_URL_{it}") for name, it in SERVICE_IDS.items()}
    return {name: url for name, url in urls.items() if url}


async def _run(
    settings: LocalSettings,
    console: Console,
    manifests: list[Manifest],
    packager: Packager,
    watched: Sequence[Path],
) -> None:
    stopping = _stop_signal()
    platform = LocalPlatform(settings)
    try:
        await platform.start()
        console.started(settings.state)
        serving = asyncio.create_task(_serve(platform, console, manifests, packager, watched))
        until = asyncio.create_task(stopping.wait())
        await asyncio.wait({serving, until}, return_when=asyncio.FIRST_COMPLETED)
        packager.workshop.tools.stop()
        await _end(until, serving)
    finally:
        await platform.stop()


def _stop_signal() -> asyncio.Event:
    """Set on the first Ctrl-C or SIGTERM; a second one ends the process as it would any other."""
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    signals = (signal.SIGINT, signal.SIGTERM)

    def stop() -> None:
        stopping.set()
        for number in signals:
            loop.remove_signal_handler(number)

    for number in signals:
        loop.add_signal_handler(number, stop)
    return stopping


async def _serve(
    platform: LocalPlatform,
    console: Console,
    manifests: list[Manifest],
    packager: Packager,
    watched: Sequence[Path],
) -> None:
    """Apply the manifests, say what is served, and follow the files for ever."""
    settings = platform.settings
    connection = Connection(platform.endpoint, settings.region, Credentials("test", "test"))
    await _name_interpreters(platform, console, manifests)
    folder = AppliedFolder(platform.resources, Platform(Client(connection)), console, packager)
    await folder.apply(manifests)
    for function in await platform.resources.list(Function, DEFAULT_NAMESPACE):
        console.function(function, platform.endpoint)
    console.serving(platform.endpoint)
    if not watched:
        await asyncio.Event().wait()
    while True:
        await _follow(platform, console, folder, watched)


async def _follow(
    platform: LocalPlatform, console: Console, folder: AppliedFolder, watched: Sequence[Path]
) -> None:
    """Follow the files, until a manifest has its code at another place than any before."""
    from pilotlight_cli.dev.watcher import saved_files  # noqa: PLC0415  slow to import, needed from here on

    places = {*watched, *folder.sources}
    async with aclosing(saved_files(places, without=platform.settings.state)) as saves:
        async for changed in saves:
            for function in await folder.reload(changed):
                console.function(function, platform.endpoint)
            if not folder.sources <= places:
                return


async def _name_interpreters(
    platform: LocalPlatform, console: Console, manifests: list[Manifest]
) -> None:
    """Say what runs which functions, before the first call would wait for its making."""
    functions = [one.resource for one in manifests if isinstance(one.resource, Function)]
    functions += await platform.resources.list(Function, DEFAULT_NAMESPACE)
    runtimes = {function.spec.runtime or "" for function in functions}
    for runtime in sorted(runtimes):
        if family_of(runtime).pooled:
            try:
                found = await asyncio.to_thread(platform.languages.find, runtime)
            except StartFailedError as error:
                console.problem(str(error))
            else:
                console.interpreter(runtime, found)


async def _end(*tasks: asyncio.Task[object]) -> None:
    """End what still runs; raises what failed."""
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _log_to_standard_error() -> None:
    """Keep the platform's own warnings apart from what the console shows.

    What went wrong is shown without the values of variables: keys and tokens are among them.
    """
    *before, _ = structlog.get_config()["processors"]
    plain = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    structlog.configure(
        processors=[*before, plain],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
