"""A whole platform in a thread of the test process: real gateway, capacity and agents.

Stores are in memory; clients are real ones over a real port. `GatewayHarness.call` runs a coroutine
beside the gateway, for what a test wants to look at inside.
"""

from __future__ import annotations

import asyncio
import http.client
import io
import sys
import threading
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
import uvloop
from botocore.config import Config

from pilotlight.accounts import Accounts
from pilotlight.cache import Cache
from pilotlight.hosts import Hosts
from pilotlight.names import ACCOUNT_LABEL
from pilotlight.resources import IMAGE_RUNTIME, Namespace, ObjectMeta
from pilotlight.resources.registry import KINDS
from pilotlight.runtimes import OWN_PYTHON, RUNTIMES
from pilotlight.storage import LogStream
from pilotlight.walls import Subnet, Walls
from pilotlight_autoscaler.autoscaler import Autoscaler, AutoscalerSettings
from pilotlight_gateway.auth.local import LocalAuthenticator
from pilotlight_gateway.gateway import Gateway
from pilotlight_gateway.settings import Settings
from pilotlight_local.environments import Interpreter
from pilotlight_local.subprocesses import SubprocessCompute
from pilotlight_operator.feeds.store import feed
from pilotlight_operator.reconciler import Reconciler
from pilotlight_operator.services import make_services
from tests.support.containers import Bare
from tests.support.images import KnownImages
from tests.support.memory import MemoryArtifacts, MemoryResources
from tests.support.memory_event_queue import MemoryEventQueue
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence

    from pilotlight.identity_policies import IdentityPolicy
    from pilotlight.storage import LogLine, LogQuery
    from pilotlight_autoscaler.leases.capacity import Capacity
    from pilotlight_gateway.auth.caller import Authenticator, RequestHead, Verify
    from pilotlight_gateway.event_queue.interface import EventQueue

T = TypeVar("T")
Answer = tuple[int, dict[str, str], bytes]

ACCOUNT = "000000000000"
REGION = "us-east-1"
KEY = b"k" * 32
HERE = Interpreter(Path(sys.executable), OWN_PYTHON.removeprefix("python"), shared=True)


def package(files: Mapping[str, str | bytes]) -> bytes:
    """Make a deployment package."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o755 << 16  # a bootstrap is a program
            archive.writestr(entry, text, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def wait_for(client: Any, state: str, **members: Any) -> None:
    """Wait with one of boto3's waiters, which itself looks but once a second, or five."""
    often = {"Delay": 0.02, "MaxAttempts": 1500}
    client.get_waiter(state).wait(**members, WaiterConfig=often)


def open_url(client: Any, name: str, **members: Any) -> Any:
    """Give a function, or its `Qualifier`, a URL that anybody may call."""
    made = client.create_function_url_config(FunctionName=name, AuthType="NONE", **members)
    of = {key: members[key] for key in ("Qualifier",) if key in members}
    client.add_permission(
        FunctionName=name, StatementId="url", Action="lambda:InvokeFunctionUrl",
        Principal="*", FunctionUrlAuthType="NONE", **of,
    )  # fmt: skip
    client.add_permission(
        FunctionName=name, StatementId="invoke", Action="lambda:InvokeFunction",
        Principal="*", InvokedViaFunctionUrl=True, **of,
    )  # fmt: skip
    return made


class MemoryLogs:
    """A LogStore in memory."""

    def __init__(self) -> None:
        self.lines: list[LogLine] = []

    async def append(self, lines: Sequence[LogLine]) -> None:
        """Keep lines."""
        first = len(self.lines) + 1
        self.lines += [line._replace(id=first + number) for number, line in enumerate(lines)]

    async def query(self, query: LogQuery) -> list[LogLine]:
        """Return a function's lines."""
        wanted = [line for line in self.lines if _is_wanted(query, line)]
        first = query.first or query.after_id
        return wanted[: query.limit] if first else wanted[-query.limit :]

    async def streams(self, namespace: str, function: str) -> list[LogStream]:
        """Return the streams of a function."""
        mine = [
            line for line in self.lines if (line.namespace, line.function) == (namespace, function)
        ]
        names = sorted({line.stream for line in mine})
        times = {name: [line.time for line in mine if line.stream == name] for name in names}
        return [LogStream(name, min(times[name]), max(times[name])) for name in names]

    async def delete(
        self, namespace: str, function: str, *, until: float, stream: str | None = None
    ) -> int:
        """Delete old lines."""
        before = len(self.lines)
        self.lines = [
            line
            for line in self.lines
            if (line.namespace, line.function) != (namespace, function)
            or line.time >= until
            or stream not in {None, line.stream}
        ]
        return before - len(self.lines)


def _is_wanted(query: LogQuery, line: LogLine) -> bool:
    return (
        (line.namespace, line.function) == (query.namespace, query.function)
        and query.after_id < line.id < query.before_id
        and query.since <= line.time < query.until
        and query.request_id in {None, line.request_id}
        and query.stream in {None, line.stream}
    )


@dataclass(frozen=True, slots=True)
class PolicyAuthenticator:
    """Believes everybody, as local mode does, and knows the policies of some access keys."""

    policies: dict[str, IdentityPolicy] = field(default_factory=dict)

    async def check_head(self, head: RequestHead) -> Verify:
        """Believe the head, and any body."""
        caller = LocalAuthenticator(ACCOUNT).caller(head)
        if (policy := self.policies.get(caller.principal)) is not None:
            caller = replace(caller, policy=policy)
        return lambda _: caller


WALLS = Walls(
    subnets={
        "subnet-0a1": Subnet("vpc-0f", "eu-1a"),
        "subnet-0b2": Subnet("vpc-0f", "eu-1b"),
        "subnet-0c3": Subnet("vpc-1e"),
    }
)
"""Nothing is closed, and there are subnets."""


class GatewayHarness:
    """Starts the platform; `close` ends it."""

    def __init__(
        self,
        folder: Path,
        *,
        limit: int = 1000,
        authenticator: Authenticator | None = None,
        events: EventQueue | None = None,
        logs: MemoryLogs | None = None,
        aws_endpoint_url: str = "",
        aws_endpoint_urls: Mapping[str, str] | None = None,
        otlp_endpoint: str = "",
    ) -> None:
        self.cache: Cache
        self.resources = MemoryResources()
        self.artifacts = MemoryArtifacts()
        self.logs = logs or MemoryLogs()
        self.events: EventQueue = events or MemoryEventQueue()
        self._aws_endpoint_url = aws_endpoint_url
        self._otlp_endpoint = otlp_endpoint
        self._aws_endpoint_urls = dict(aws_endpoint_urls or {})
        self.port = 0
        self.gateway: Gateway
        self.autoscaler: Autoscaler
        self.capacity: Capacity
        self._folder = folder
        self._limit = limit
        self.policies: dict[str, IdentityPolicy] = {}
        """What access keys may do; those that are not here may do everything in their account."""
        self._authenticator = authenticator or PolicyAuthenticator(self.policies)
        self._loop = uvloop.new_event_loop()
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait(20)
        if self._failure is not None:
            raise self._failure

    @property
    def url(self) -> str:
        """Where clients reach the gateway."""
        return f"http://127.0.0.1:{self.port}"

    def call(self, work: Coroutine[Any, Any, T], seconds: float = 30.0) -> T:
        """Run a coroutine beside the gateway."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    def client(self, access_key: str = "test", **options: Any) -> Any:
        """Make a boto3 client that never retries."""
        options.setdefault("config", Config(retries={"max_attempts": 0}, read_timeout=60))
        return boto3.client(
            "lambda",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=access_key,
            aws_secret_access_key=options.pop("secret", "test"),
            **options,
        )

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Send a GET as it stands; returns status, headers and body."""
        return self._send("GET", path, None, headers or {})

    def post(
        self, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a POST as it stands; returns status, headers and body."""
        return self._send("POST", path, body, headers or {})

    def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def create(self, name: str, source: str, **members: Any) -> Any:
        """Create a function from a source text and wait until it is Active."""
        client = self.client()
        request = {
            "FunctionName": name,
            "Runtime": "python3.13",
            "Handler": "index.handler",
            "Role": f"arn:aws:iam::{ACCOUNT}:role/test",
            "Code": {"ZipFile": package({"index.py": source})},
        }
        created = client.create_function(**(request | members))
        wait_for(client, "function_active_v2", FunctionName=name)
        return created

    def open_url(self, name: str, **members: Any) -> Any:
        """Give a function, or its `Qualifier`, a URL that anybody may call, as SAM does."""
        return open_url(self.client(), name, **members)

    def close(self) -> None:
        """Stop the platform."""
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(30)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._main())
        except BaseException as error:  # noqa: BLE001  the test's thread raises it
            self._failure = error
            self._ready.set()

    async def _main(self) -> None:
        self._stopped = asyncio.Event()
        await self.resources.create(
            Namespace(metadata=ObjectMeta(name="default", labels={ACCOUNT_LABEL: ACCOUNT}))
        )
        self.cache = Cache(self.resources, *KINDS.values())
        accounts = Accounts(self.cache)
        port = free_port()
        self.autoscaler = Autoscaler(
            AutoscalerSettings(
                platform_key=KEY,
                region=REGION,
                artifact_url=f"http://127.0.0.1:{port}/-/artifacts/{{sha256}}",
                account_limit=self._limit,
            ),
            compute=SubprocessCompute(self._folder, KEY, lambda _: HERE, Bare()),
            cache=self.cache,
            artifacts=self.artifacts,
            accounts=accounts,
            pool_spec=_no_pool,
        )
        self.capacity = self.autoscaler.capacity
        self.gateway = Gateway(
            Settings(
                REGION,
                KEY,
                concurrency_limit=self._limit,
                hosts=Hosts(("api.example.com",)),
                walls=WALLS,
                one_port=True,
                private_addresses=True,
                aws_endpoint_url=self._aws_endpoint_url,
                aws_endpoint_urls=self._aws_endpoint_urls,
                longest_poll=2.0,
                otlp_endpoint=self._otlp_endpoint,
            ),
            cache=self.cache,
            artifacts=self.artifacts,
            logs=self.logs,
            accounts=accounts,
            claims=self.autoscaler.claims(),
            events=self.events,
            authenticator=self._authenticator,
        )
        services = make_services(
            self.cache, self.artifacts, self.gateway.services.buckets,
            acknowledgements=self.autoscaler.acknowledgements,
            provisioning=self.autoscaler.provisioned, accounts=accounts, region=REGION,
            images=KnownImages(), runnable=RUNTIMES | {IMAGE_RUNTIME},
            private_addresses=True, walls=WALLS,
        )  # fmt: skip
        reconciler = Reconciler(self.cache, services)
        background = [asyncio.create_task(feed(self.cache, reconciler))]
        await self.gateway.start()
        self.port = await self.gateway.listen("127.0.0.1", port)
        self.autoscaler.start()
        self._ready.set()
        try:
            await self._stopped.wait()
        finally:
            for task in background:
                task.cancel()
            await reconciler.close()
            await self.gateway.stop(drain_seconds=1)
            await self.autoscaler.close()


async def _no_pool(runtime: str) -> None:
    del runtime
