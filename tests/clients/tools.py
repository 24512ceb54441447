"""Tools that are more than a client of the API, each doing what it is for."""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import boto3
import pytest

from tests.support.platform import zip_of
from tests.support.ports import free_port

from .environments import UnavailableError, aws_cli_2, osls, python_environment
from .story import ROLE, fetch, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .platform import Platform

__all__ = ["CHALICE", "TOOLS", "Tool", "ToolOutcome", "use"]

SECONDS = 120.0
UNTOLD = {"SAM_CLI_TELEMETRY": "0", "SLS_TELEMETRY_DISABLED": "1"}
"""Nobody is told that they were used."""
HELLO = """
def handler(event, context):
    print("hello", event["word"])
    return event
"""
OSLS_SERVICE = """
service: shop
provider: {name: aws, runtime: python3.13, region: us-east-1}
functions:
  hello: {handler: index.handler}
"""
CHALICE_APP = """
from chalice import Chalice

app = Chalice(app_name="shop")

@app.lambda_function(name="hello")
def hello(event, context):
    print("hello from chalice")
    return {"word": WORD}
"""
CHALICE_CONFIG = {
    "version": "2.0", "app_name": "shop", "manage_iam_role": False, "autogen_policy": False,
    "iam_role_arn": "arn:aws:iam::000000000000:role/any",
    "stages": {
        "dev": {
            "environment_variables": {"STAGE": "dev"}, "tags": {"team": "shop"},
            "reserved_concurrency": 3,
        },
    },
}  # fmt: skip


@dataclass(frozen=True)
class Tool:
    """A tool, and a way to have it do what it is for."""

    name: str
    version: str
    do: Callable[[Workplace], None]
    """Asserts what came of it; its docstring says what it does."""


@dataclass(frozen=True)
class ToolOutcome:
    """What came of a tool's use."""

    name: str
    version: str
    did: str
    result: str
    failed: bool


@dataclass(frozen=True)
class Workplace:
    """A fresh folder and an account, which commands find by the environment."""

    folder: Path
    variables: Mapping[str, str]
    version: str

    def run(self, *command: str | Path, folder: Path | None = None) -> str:
        """Run a command; gives what it printed, and raises AssertionError with it."""
        done = subprocess.run(
            command, cwd=folder or self.folder, env=dict(self.variables), capture_output=True,
            text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stdout[-1000:]} {done.stderr[-1000:]}"
        return done.stdout

    @contextmanager
    def running(self, *command: str | Path, **variables: str) -> Iterator[Iterator[str]]:
        """Run a command for as long as the block lasts, a minute at most; gives its lines."""
        process = subprocess.Popen(
            command, cwd=self.folder, env={**self.variables, "PYTHONUNBUFFERED": "1", **variables},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        lines: Queue[str] = Queue()
        reader = threading.Thread(target=_read, args=(process, lines))
        limit = threading.Timer(SECONDS, process.kill)
        reader.start()
        limit.start()
        try:
            yield iter(lines.get, "")
        finally:
            limit.cancel()
            process.kill()
            reader.join()
            process.communicate()

    def client(self, service: str = "lambda") -> Any:
        """Make a boto3 client of the account."""
        return boto3.client(
            service, endpoint_url=self.variables["AWS_ENDPOINT_URL"], region_name="us-east-1",
            aws_access_key_id=self.variables["AWS_ACCESS_KEY_ID"], aws_secret_access_key="test",
        )  # fmt: skip

    def deploy(self, name: str) -> str:
        """Create a function that prints and returns the word it is given; gives its ARN."""
        client = self.client()
        arn: str = client.create_function(
            FunctionName=name, Runtime="python3.13", Role=ROLE, Handler="index.handler",
            Code={"ZipFile": zip_of({"index.py": HELLO})},
        )["FunctionArn"]  # fmt: skip
        client.get_waiter("function_active_v2").wait(FunctionName=name)
        return arn

    def invoke(self, name: str, word: str) -> None:
        """Have a function print a word."""
        self.client().invoke(FunctionName=name, Payload=json.dumps({"word": word}))


def _read(process: subprocess.Popen[str], lines: Queue[str]) -> None:
    """Take what a process prints as it comes, lest it waits; an empty line is the end."""
    for line in process.stdout or ():
        lines.put(line)
    lines.put("")


def use(tool: Tool, platform: Platform) -> ToolOutcome:
    """Have a tool do what it is for, in an account of its own."""
    did, failed, result = tool.do.__doc__ or "", False, "yes"
    with tempfile.TemporaryDirectory() as folder:
        variables = platform.variables(platform.account()) | {"HOME": folder} | UNTOLD
        place = Workplace(Path(folder), variables, tool.version)
        try:
            tool.do(place)
        except UnavailableError as error:
            result = f"not had here: {error}"
        except Exception as error:  # noqa: BLE001  the others are used all the same
            line = traceback.extract_tb(error.__traceback__)[-1].lineno
            result, failed = f"NO: {type(error).__name__} at line {line}: {error}", True
    return ToolOutcome(tool.name, tool.version, did, result, failed)


def chalice(place: Workplace) -> None:
    """Deployed an application, deployed it again with other code, invoked, read its log."""
    # Chalice runs its interpreter's pip to see what the application needs.
    python = python_environment(f"chalice=={place.version}", "pip==26.2", "setuptools==80.9.0")
    command, app = (python, python.with_name("chalice")), place.folder / "app"
    (app / ".chalice").mkdir(parents=True)
    (app / ".chalice" / "config.json").write_text(json.dumps(CHALICE_CONFIG))
    (app / "requirements.txt").touch()
    for word in ("1", "2"):
        (app / "app.py").write_text(f"WORD = {word}\n{CHALICE_APP}")
        place.run(*command, "deploy", folder=app)
        answer = place.run(*command, "invoke", "--name", "hello", folder=app)
        assert json.loads(answer) == {"word": int(word)}
    assert "hello from chalice" in place.run(*command, "logs", "--name", "hello", folder=app)
    place.run(*command, "delete", folder=app)


def aws_logs_tail(place: Workplace) -> None:
    """Followed a function's log and showed a line that was printed meanwhile (`aws logs tail`)."""
    [*_, program] = aws_cli_2()
    place.deploy("hello")
    tail = [program, "logs", "tail", "/aws/lambda/hello", "--follow", "--since", "1m"]
    with place.running(*tail) as lines:
        place.invoke("hello", "first")
        found_in(lines, "hello first")
        place.invoke("hello", "second")
        found_in(lines, "hello second")


def sam_remote(place: Workplace) -> None:
    """Invoked a function (`sam remote invoke`) and showed its log (`sam logs`)."""
    python = python_environment(f"aws-sam-cli=={place.version}")
    sam = (python, "-m", "samcli")
    arn = place.deploy("hello")
    event = json.dumps({"word": "by sam"})
    answer = place.run(*sam, "remote", "invoke", arn, "--event", event)
    assert json.loads(answer) == {"word": "by sam"}
    logs = place.run(*sam, "logs", "--cw-log-group", "/aws/lambda/hello")
    assert "hello by sam" in logs


def osls_logs(place: Workplace) -> None:
    """Invoked a function (`osls invoke`) and followed its log (`osls logs --tail`)."""
    node, script = osls()
    place.deploy("shop-dev-hello")
    (place.folder / "serverless.yml").write_text(OSLS_SERVICE)
    (place.folder / "index.py").touch()
    event = json.dumps({"word": "by osls"})
    answer = place.run(node, script, "invoke", "--function", "hello", "--data", event)
    assert json.loads(answer) == {"word": "by osls"}
    with place.running(node, script, "logs", "--function", "hello", "--tail") as lines:
        found_in(lines, "hello by osls")
        place.invoke("shop-dev-hello", "meanwhile")
        found_in(lines, "hello meanwhile")


def zappa_tail(place: Workplace) -> None:
    """Showed and followed a function's log (`zappa tail`)."""
    python = python_environment(f"zappa=={place.version}", "pip==26.2", "setuptools==80.9.0")
    place.deploy("shop-dev")
    settings = {"dev": {"project_name": "shop", "app_function": "app.app", "s3_bucket": "none"}}
    (place.folder / "zappa_settings.json").write_text(json.dumps(settings))
    (place.folder / "app.py").touch()
    place.invoke("shop-dev", "first")
    zappa = (python, "-m", "zappa.cli", "tail", "dev", "--since", "1m")
    with place.running(*zappa, VIRTUAL_ENV=str(python.parents[1])) as lines:
        found_in(lines, "hello first")
        place.invoke("shop-dev", "second")
        found_in(lines, "hello second")


def stackport(place: Workplace) -> None:
    """Browsed a function, its versions and aliases, invoked it, read and deleted its log stream."""
    python, port = python_environment(f"stackport=={place.version}"), free_port()
    place.deploy("hello")
    client = place.client()
    client.publish_version(FunctionName="hello")
    client.create_alias(FunctionName="hello", Name="live", FunctionVersion="1")
    server = f"http://127.0.0.1:{port}/api"
    command = (python, "-m", "uvicorn", "backend.main:app", "--port", str(port))
    with place.running(*command, STACKPORT_SERVICES="lambda,logs") as lines:
        found_in(lines, "Uvicorn running")

        def get(path: str) -> Any:
            status, text = fetch(f"{server}/{path}")
            assert status == 200, f"{path}: {text}"
            return json.loads(text)

        probed = get("stats")["services"]["lambda"]
        assert probed["resources"] == {"functions": 1}, probed
        assert get("lambda/functions/hello/versions")["versions"]
        assert get("lambda/functions/hello/aliases")["aliases"]
        with urlopen(f"{server}/lambda/functions/hello/code", timeout=30) as package:
            assert package.read(2) == b"PK"
        asked = Request(
            f"{server}/lambda/functions/hello/invoke",
            data=b'{"payload": {"word": "by port"}}', headers={"Content-Type": "application/json"},
        )  # fmt: skip
        with urlopen(asked, timeout=30) as answer:
            assert json.load(answer)["payload"] == {"word": "by port"}
        logs = place.client("logs")
        until(lambda: logs.describe_log_streams(logGroupName="/aws/lambda/hello")["logStreams"])
        group = "logs/groups//aws/lambda/hello/streams"
        [stream] = get(group)["log_streams"]
        events = get(f"{group}/{quote(stream['name'])}/events")["events"]
        printed = [one["message"] for one in events]
        assert any("hello by port" in message for message in printed), printed
        deletion = Request(f"{server}/{group}/{quote(stream['name'])}", method="DELETE")
        with urlopen(deletion, timeout=30) as answer:
            assert json.load(answer)["success"]


def terraform_calls(place: Workplace) -> None:
    """Created, read, changed and destroyed what a configuration says, in the provider's order."""
    # Its Read asks GetFunctionCodeSigningConfig, all versions and the policy of every function.
    client, of = place.client(), {"FunctionName": "hello"}
    place.deploy("hello")
    client.put_function_concurrency(**of, ReservedConcurrentExecutions=2)
    client.publish_version(**of)
    client.create_alias(**of, Name="live", FunctionVersion="1")
    client.create_function_url_config(**of, Qualifier="live", AuthType="NONE")
    client.add_permission(
        **of, Qualifier="live", StatementId="url", Principal="*",
        Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE",
    )  # fmt: skip
    client.put_function_event_invoke_config(**of, MaximumRetryAttempts=0)
    read = [read_as_terraform(client) for _ in range(2)]
    assert read[0] == read[1]
    assert read[0]["Concurrency"] == {"ReservedConcurrentExecutions": 2}
    client.update_function_configuration(**of, Timeout=9)
    client.get_waiter("function_updated").wait(**of, WaiterConfig={"Delay": 1})
    assert read_as_terraform(client)["Configuration"]["Timeout"] == 9
    client.delete_function_event_invoke_config(**of)
    client.remove_permission(**of, Qualifier="live", StatementId="url")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_policy(**of, Qualifier="live")
    client.delete_function_url_config(**of, Qualifier="live")
    client.delete_alias(**of, Name="live")
    client.delete_function(**of)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function(**of)


def read_as_terraform(client: Any) -> dict[str, Any]:
    """Read what each of its resources reads at a plan, and return what the function's showed."""
    of, live = {"FunctionName": "hello"}, {"FunctionName": "hello", "Qualifier": "live"}
    found: dict[str, Any] = client.get_function(**of)
    assert "CodeSigningConfigArn" not in client.get_function_code_signing_config(**of)
    pages = client.get_paginator("list_versions_by_function").paginate(**of)
    assert [one["Version"] for page in pages for one in page["Versions"]] == ["$LATEST", "1"]
    client.list_tags(Resource=found["Configuration"]["FunctionArn"])
    client.get_alias(**of, Name="live")
    assert "url" in client.get_policy(**live)["Policy"]
    client.get_function_url_config(**live)
    client.get_function_event_invoke_config(**of)
    del found["ResponseMetadata"], found["Code"]["Location"]  # which is signed anew each time
    return found


def found_in(lines: Iterator[str], text: str) -> None:
    """Read until a line holds a text; raises AssertionError where there are no more."""
    assert any(text in line for line in lines), f"{text!r} was never printed"


CHALICE = Tool("Chalice", "1.34.0", chalice)
TOOLS = [
    CHALICE,
    Tool("Terraform's AWS provider, by boto3", "-", terraform_calls),
    Tool("AWS CLI 2, `logs tail`", "2.38.5", aws_logs_tail),
    Tool("AWS SAM CLI", "1.170.0", sam_remote),
    Tool("osls", "4.3.1", osls_logs),
    Tool("Zappa", "0.63.0", zappa_tail),
    Tool("StackPort", "0.4.6", stackport),
]
