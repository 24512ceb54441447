"""Every command against one real local platform: golden output, streams and exit statuses."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest
import yaml

from pilotlight_cli.commands import deploy
from pilotlight_cli.failures import Failure
from pilotlight_cli.functions import Functions
from pilotlight_cli.handlers import find_handler
from tests.support.dev_process import DevProcess
from tests.support.node import node_of
from tests.support.platform import manifest, run_cli, write_function
from tests.support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

GOLDEN = Path(__file__).parent / "golden"
VOLATILE = (
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<ID>"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+0000)", "<TIME>"),
    (r"127\.0\.0\.1:\d+", "<HOST>"),
    (r"[\d.]+ ms", "<MS>"),
    (r"Max Memory Used: \d+ MB", "Max Memory Used: <MB>"),
    (r"\d+\.\d s\b", "<SECONDS>"),
    (r"<TIME> [0-9a-f]{8} ", "<TIME> <SHORT> "),
    (r"\b[0-9a-f]{64}\b", "<SHA256>"),
    (r"\b[0-9a-f]{12,16}…", "<SHA256>"),
    (r"\b[0-9a-f]{16}\b", "<REVISION>"),
    (r"\d+(\.\d)? k?B,", "<SIZE>,"),
    (r"of \d+ bytes", "of <SIZE> bytes"),
    (r"from (pool|pod): .*", "from <SOURCE>: <PHASES>"),
)
SOURCE = """
def handler(event, context):
    print("got", len(event))
    if "fail" in event:
        raise ValueError(event["fail"])
    return {"ü": event}
"""

STREAMING = """
import { existsSync } from "node:fs";
export const handler = awslambda.streamifyResponse(async (goOn, stream) => {
  stream.write("first\\n");
  while (!existsSync(goOn)) await new Promise((wake) => setTimeout(wake, 10));
  throw new Error("in the middle");
});
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevProcess]:
    """Run one platform with one function for all commands."""
    folder = tmp_path_factory.mktemp("commands")
    write_function(folder / "fn", "echo", SOURCE)
    with DevProcess(folder / "fn", state=folder / "state") as running:
        yield running


def settled(text: bytes) -> str:
    """Replace what is different every time."""
    shown = text.decode()
    for pattern, name in VOLATILE:
        shown = re.sub(pattern, name, shown)
    return shown


def assert_golden(name: str, text: bytes) -> None:
    """Compare with the file of that name in golden/."""
    assert settled(text) == (GOLDEN / f"{name}.txt").read_text()


def test_list(platform: DevProcess) -> None:
    """A line each, or Lambda's own configurations."""
    ran = run_cli("list", endpoint=platform.endpoint)
    (head, *rows) = [row.split() for row in settled(ran.stdout).splitlines()]
    assert head == ["NAME", "RUNTIME", "MEMORY", "TIMEOUT", "MODIFIED"]
    assert ["echo", "python3.13", "128", "MB", "3", "s", "<TIME>"] in rows
    found = json.loads(run_cli("list", "-o", "json", endpoint=platform.endpoint).stdout)
    assert "echo" in [one["FunctionName"] for one in found]


def test_describe(platform: DevProcess) -> None:
    """The verdict first; the same in JSON."""
    run_cli("invoke", "echo", endpoint=platform.endpoint)
    assert_golden("describe", run_cli("describe", "echo", endpoint=platform.endpoint).stdout)
    document = json.loads(
        run_cli("describe", "echo", "-o", "json", endpoint=platform.endpoint).stdout
    )
    assert document["invocable"] is True
    assert document["function"]["metadata"]["name"] == "echo"


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        (["--payload", '{"a": 1}'], b""),
        (["--payload-file", "-"], b'{"a": 1}'),
        (["--payload-file", "EVENT"], b""),
    ],
    ids=["flag", "stdin", "file"],
)
def test_invoke(platform: DevProcess, tmp_path: Path, arguments: list[str], given: bytes) -> None:
    """The answer alone is on standard output, byte for byte."""
    (tmp_path / "event").write_bytes(b'{"a": 1}')
    arguments = [str(tmp_path / "event") if one == "EVENT" else one for one in arguments]
    ran = run_cli("invoke", "echo", *arguments, endpoint=platform.endpoint, given=given)
    assert (ran.returncode, ran.stdout.decode()) == (0, '{"ü": {"a": 1}}\n')
    assert settled(ran.stderr) == "request <ID>\n"


def test_invoke_with_its_log(platform: DevProcess) -> None:
    """On standard error; in JSON everything is on standard output."""
    run_cli("invoke", "echo", endpoint=platform.endpoint)  # the next one is warm
    ran = run_cli("invoke", "echo", "--tail", endpoint=platform.endpoint)
    assert_golden("invoke-tail", ran.stderr)
    ran = run_cli("invoke", "echo", "--tail", "-o", "json", endpoint=platform.endpoint)
    document = json.loads(ran.stdout)
    assert document["payload"] == {"ü": {}}
    assert document["functionError"] is None
    assert f"START RequestId: {document['requestId']}" in document["logTail"]


def test_a_failed_function_is_1(platform: DevProcess) -> None:
    """Its error is its answer."""
    ran = run_cli(
        "invoke", "echo", "--payload", '{"fail": "on purpose"}', endpoint=platform.endpoint
    )
    assert ran.returncode == 1
    assert json.loads(ran.stdout)["errorMessage"] == "on purpose"
    assert settled(ran.stderr) == "request <ID> Unhandled error\n"


@pytest.mark.parametrize(
    "arguments",
    [["invoke", "nobody"], ["describe", "nobody"], ["delete", "nobody"]],
    ids=" ".join,
)
def test_an_unknown_function_is_3(platform: DevProcess, arguments: list[str]) -> None:
    """Named in the message."""
    ran = run_cli(*arguments, endpoint=platform.endpoint)
    assert (ran.returncode, ran.stdout) == (3, b"")
    assert b"nobody" in ran.stderr


def test_an_event_that_is_no_json_is_2(platform: DevProcess) -> None:
    """Lambda's own error says so."""
    ran = run_cli("invoke", "echo", "--payload", "{", endpoint=platform.endpoint)
    assert ran.returncode == 2
    assert b"InvalidRequestContentException" in ran.stderr


def test_logs(platform: DevProcess) -> None:
    """Of one request, and followed while they come."""
    ran = run_cli("invoke", "echo", "-o", "json", endpoint=platform.endpoint)
    request = json.loads(ran.stdout)["requestId"]
    command = [sys.executable, "-m", "pilotlight_cli", "logs", "echo", "--endpoint"]
    options = [platform.endpoint, "-o", "json", "-f", "--request-id", request]
    # Whoever runs the tests in the background has interrupts ignored, and children inherit that.
    attentive = ["env", "--default-signal=INT", *command, *options]
    follower = subprocess.Popen(attentive, stdout=subprocess.PIPE)
    try:
        assert follower.stdout
        lines = [json.loads(follower.stdout.readline()) for _ in range(4)]
    finally:
        follower.send_signal(signal.SIGINT)
        follower.communicate()
    assert follower.returncode == 130
    assert [line["message"].split()[0] for line in lines] == ["START", "got", "END", "REPORT"]
    assert {line["requestId"] for line in lines} == {request}

    ran = run_cli(
        "logs", "echo", "--request-id", request, "--since", "5m", endpoint=platform.endpoint
    )
    text = re.sub(r"\tInit Duration: [\d.]+ ms", "", ran.stdout.decode())
    assert_golden("logs", text.encode())


def test_apply_says_what_became_of_each(platform: DevProcess, tmp_path: Path) -> None:
    """Created, configured, unchanged; and it is served when the command ends."""
    file = tmp_path / "applied.yaml"
    said = []
    for memory in (128, 128, 256):
        file.write_text(yaml.safe_dump(manifest("applied", memory=memory)))
        ran = run_cli("apply", "-f", file, endpoint=platform.endpoint)
        assert ran.returncode == 0
        said.append(ran.stdout.decode())
        assert run_cli("invoke", "applied", endpoint=platform.endpoint).stdout == b'"applied"\n'
    assert said == [f"function/applied {one}\n" for one in ("created", "unchanged", "configured")]
    ran = run_cli("apply", "-f", file, "-o", "json", endpoint=platform.endpoint)
    assert json.loads(ran.stdout) == [{"resource": "function/applied", "outcome": "unchanged"}]


def test_apply_reads_stdin(platform: DevProcess) -> None:
    """As `kubectl apply -f -` does; a mistake names the line."""
    two = yaml.safe_dump_all([manifest("piped-1"), manifest("piped-2", timeout=5)]).encode()
    ran = run_cli("apply", "-f", "-", endpoint=platform.endpoint, given=two)
    assert ran.stdout == b"function/piped-1 created\nfunction/piped-2 created\n"
    for given, said in (
        (two.replace(b"timeout: 5", b"timeout: 901"), rb"-:\d+: spec.timeout: 901 came"),
        (b"{", b"-:1: no YAML"),
        (b"", b"no manifest is in -"),
    ):
        ran = run_cli("apply", "-f", "-", endpoint=platform.endpoint, given=given)
        assert ran.returncode == 2, ran
        assert re.search(said, ran.stderr), ran.stderr


def test_a_function_that_cannot_be_served_fails_the_apply(
    platform: DevProcess, tmp_path: Path
) -> None:
    """With the reason; `describe` begins with it."""
    file = tmp_path / "unknown.yaml"
    file.write_text(yaml.safe_dump(manifest("unknown", runtime="python9.9")))
    ran = run_cli("apply", "-f", file, endpoint=platform.endpoint)
    assert ran.returncode == 4
    assert b"RuntimeUnknown" in ran.stderr
    verdict = run_cli("describe", "unknown", endpoint=platform.endpoint).stdout.splitlines()[0]
    assert verdict.startswith(b"Invocable: No: RuntimeUnknown: runtime 'python9.9'")


def test_deploy_sends_what_differs(platform: DevProcess, tmp_path: Path) -> None:
    """Code, configuration, both or neither; the address comes last."""
    code = tmp_path / "deployed" / "index.py"
    code.parent.mkdir()
    code.write_text("def handler(event, context):\n    return 1\n")

    def deploy(*options: str) -> tuple[int, list[str]]:
        ran = run_cli("deploy", code.parent, *options, endpoint=platform.endpoint)
        return ran.returncode, settled(ran.stdout).splitlines()

    url = "http://<HOST>/2015-03-31/functions/deployed/invocations"
    assert deploy() == (0, ["deployed: created; active after <SECONDS>", url])
    assert deploy() == (0, ["deployed: unchanged; active after <SECONDS>", url])
    code.write_text("import os\ndef handler(event, context):\n    return os.environ['KEY']\n")
    status, (said, _) = deploy("--memory", "256", "--env", "KEY=a=b")
    assert (status, said) == (
        0,
        "deployed: memorySize, environment, code; active after <SECONDS>",
    )
    assert run_cli("invoke", "deployed", endpoint=platform.endpoint).stdout == b'"a=b"\n'
    assert deploy("--memory", "127")[0] == 2


def test_delete(platform: DevProcess, tmp_path: Path) -> None:
    """It is gone for every command."""
    file = tmp_path / "doomed.yaml"
    file.write_text(yaml.safe_dump(manifest("doomed")))
    run_cli("apply", "-f", file, endpoint=platform.endpoint)
    ran = run_cli("delete", "doomed", endpoint=platform.endpoint)
    assert (ran.returncode, ran.stdout) == (0, b"function/doomed deleted\n")
    assert run_cli("invoke", "doomed", endpoint=platform.endpoint).returncode == 3


def test_env(platform: DevProcess) -> None:
    """A shell and a program can read it."""
    ran = run_cli("env", endpoint=platform.endpoint, AWS_ACCESS_KEY_ID="a b")
    assert_golden("env", ran.stdout)
    ran = run_cli("env", "-o", "json", endpoint=platform.endpoint)
    assert json.loads(ran.stdout)["AWS_ENDPOINT_URL"] == platform.endpoint


def test_nothing_is_coloured_in_a_pipe(platform: DevProcess) -> None:
    """Neither data nor errors."""
    for arguments in (["describe", "echo"], ["describe", "nobody"], ["logs", "echo"]):
        ran = run_cli(*arguments, endpoint=platform.endpoint)
        assert b"\x1b" not in ran.stdout + ran.stderr


def test_init_makes_what_dev_and_deploy_run(platform: DevProcess, tmp_path: Path) -> None:
    """A first function answers its event, from a manifest and from its folder; nothing is lost."""
    made = run_cli("init", tmp_path / "first")
    assert made.returncode == 0, made.stderr
    folder, event = tmp_path / "first", tmp_path / "first" / "event.json"
    for command in (("apply", "-f", folder), ("deploy", folder / "src", "--name", "second")):
        done = run_cli(*command, endpoint=platform.endpoint)
        assert done.returncode == 0, done.stderr
    for name in ("first", "second"):
        called = run_cli("invoke", name, "--payload-file", event, endpoint=platform.endpoint)
        assert json.loads(called.stdout) == {"greeting": "Hello, Ada!"}
    again = run_cli("init", folder)
    assert (again.returncode, b"not empty" in again.stderr) == (2, True)


def test_init_makes_a_function_of_node(platform: DevProcess, tmp_path: Path) -> None:
    """A module with an async handler, which runs as it is."""
    node_of("nodejs24.x")
    assert run_cli("init", tmp_path / "node", "--runtime", "nodejs24.x").returncode == 0
    assert run_cli("apply", "-f", tmp_path / "node", endpoint=platform.endpoint).returncode == 0
    event = tmp_path / "node" / "event.json"
    called = run_cli("invoke", "node", "--payload-file", event, endpoint=platform.endpoint)
    assert json.loads(called.stdout) == {"greeting": "Hello, Ada!"}


def test_invoke_prints_what_is_streamed_as_it_comes(platform: DevProcess, tmp_path: Path) -> None:
    """The function goes on only once its first line was read here."""
    node_of("nodejs24.x")
    folder, go_on = tmp_path / "streams", tmp_path / "go on"
    folder.mkdir()
    (folder / "index.mjs").write_text(STREAMING)
    deployed = run_cli("deploy", folder, "--runtime", "nodejs24.x", endpoint=platform.endpoint)
    assert deployed.returncode == 0, deployed.stderr
    command = [sys.executable, "-m", "pilotlight_cli", "invoke", "streams", "--stream"]
    command += ["--payload", json.dumps(str(go_on)), "--endpoint", platform.endpoint]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as called:
        assert called.stdout
        assert called.stdout.readline() == b"first\n"
        go_on.touch()
        rest, said = called.communicate(timeout=30)
    assert (called.returncode, rest.startswith(b'{"errorType":"Error"')) == (1, True)
    assert settled(said) == "request <ID> Unhandled error\n"


def test_stream_goes_with_answers_alone(platform: DevProcess) -> None:
    """An answer that is not streamed comes whole; an event has none, JSON is not there in time."""
    ran = run_cli("invoke", "echo", "--stream", endpoint=platform.endpoint)
    assert (ran.returncode, ran.stdout.decode()) == (0, '{"ü": {}}\n')
    for option in (["--type", "event"], ["-o", "json"]):
        ran = run_cli("invoke", "echo", "--stream", *option, endpoint=platform.endpoint)
        assert (ran.returncode, b"without --type and --output" in ran.stderr) == (2, True)


def test_deploy_builds_what_the_folder_asks_for(platform: DevProcess, tmp_path: Path) -> None:
    """For the runtime that the function has; its code alone is what a second deploy sends."""
    write_wheel(tmp_path / "wheels", "pure", says="from a wheel")
    folder = tmp_path / "a built"
    folder.mkdir()
    (folder / "requirements.txt").write_text("--no-index\n-f ../wheels\npure\n")
    (folder / "index.py").write_text("import pure\ndef handler(e, c): return pure.SAYS")
    caches = str(tmp_path / "caches")
    first = run_cli("deploy", folder, endpoint=platform.endpoint, XDG_CACHE_HOME=caches)
    assert (first.returncode, b" + pure==1.0" in first.stderr) == (0, True), first.stderr
    assert run_cli("invoke", "a-built", endpoint=platform.endpoint).stdout == b'"from a wheel"\n'
    again = run_cli("deploy", folder, endpoint=platform.endpoint, XDG_CACHE_HOME=caches)
    assert b"a-built: unchanged" in again.stdout
    assert b"installing" not in again.stderr
    bare = run_cli("deploy", folder, "--no-build", endpoint=platform.endpoint)
    assert b"a-built: code" in bare.stdout
    failed = json.loads(run_cli("invoke", "a-built", endpoint=platform.endpoint).stdout)
    assert "No module named 'pure'" in failed["errorMessage"]


def test_a_package_that_no_request_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said before it is sent."""
    monkeypatch.setattr(deploy, "LARGEST_PACKAGE", 1000)
    deploy._check_size("fn", 1000)
    with pytest.raises(Failure, match=r"fn: its package has 1\.1 kB, and a request takes 1\.0 kB"):
        deploy._check_size("fn", 1100)


def test_a_folder_is_not_deployed_over_a_container_image(tmp_path: Path) -> None:
    """It says so before it builds: an image has no runtime to build for."""
    functions = Mock(Functions)
    functions.find.return_value = {"PackageType": "Image", "Architectures": ["x86_64"]}
    for given in ({}, {"Runtime": "python3.13"}):
        with pytest.raises(Failure, match=r"fn is a container image.*ImageUri.*another --name"):
            deploy._deploy(functions, "fn", tmp_path, given, Mock(side_effect=AssertionError))


@pytest.mark.parametrize(
    ("option", "value", "files", "handler"),
    [
        ("--runtime", "java21", {"pom.xml", "src/main/java/first/Greeter.java"}, "first.Greeter"),
        ("--runtime", "ruby3.3", {"src/index.rb"}, "index.handler"),
        ("--language", "go", {"go.mod", "go.sum", "main.go"}, "bootstrap"),
        ("--language", "rust", {"Cargo.lock", "Cargo.toml", "src/main.rs"}, "bootstrap"),
        ("--language", "php", {"src/bootstrap", "src/index.php", "src/runtime.php"}, "bootstrap"),
    ],
)
def test_init_knows_every_language(
    tmp_path: Path, option: str, value: str, files: set[str], handler: str
) -> None:
    """What is compiled is a project, which the manifest names as its source."""
    made = run_cli("init", tmp_path / "first", option, value, "-o", "json")
    assert set(json.loads(made.stdout)["files"]) == files | {"event.json", "function.yaml"}
    (one,) = yaml.safe_load_all((tmp_path / "first" / "function.yaml").read_text())
    assert one["spec"]["handler"] == handler
    source = tmp_path / "first" / one["metadata"]["annotations"]["pilotlight.dev/source"]
    assert find_handler(source).handler == handler


def test_init_makes_a_bootstrap(platform: DevProcess, tmp_path: Path) -> None:
    """Of a runtime of which there is no first function it says which there are."""
    assert run_cli("init", tmp_path / "shell", "--runtime", "provided.al2023").returncode == 0
    assert run_cli("apply", "-f", tmp_path / "shell", endpoint=platform.endpoint).returncode == 0
    event = tmp_path / "shell" / "event.json"
    called = run_cli("invoke", "shell", "--payload-file", event, endpoint=platform.endpoint)
    assert json.loads(called.stdout) == {"event": {"name": "Ada"}}
    dotnet = run_cli("init", tmp_path / "dotnet", "--runtime", "dotnet10")
    assert dotnet.returncode == 2
    assert b"nodejs24.x, " in dotnet.stderr
    assert not (tmp_path / "dotnet").exists()
    both = run_cli("init", tmp_path / "go", "--runtime", "java21", "--language", "go")
    assert (both.returncode, b"--language go is of provided.al2023" in both.stderr) == (2, True)


def test_events_and_dry_runs(platform: DevProcess) -> None:
    """Nothing on standard output but JSON that is asked for; the id is told."""
    sent = run_cli("invoke", "echo", "--type", "event", endpoint=platform.endpoint)
    assert (sent.returncode, sent.stdout) == (0, b"")
    assert settled(sent.stderr) == "request <ID> is queued\n"
    tried = run_cli("invoke", "echo", "--type", "dry-run", "-o", "json", endpoint=platform.endpoint)
    assert (tried.returncode, json.loads(tried.stdout)["payload"]) == (0, None)


@pytest.mark.parametrize("command", ["invoke", "describe", "logs", "delete"])
def test_a_misspelt_function_is_3_and_the_near_one_is_named(
    platform: DevProcess, command: str
) -> None:
    """Also for logs, which a function that wrote nothing has not either."""
    failed = run_cli(command, "ehco", endpoint=platform.endpoint)
    assert (failed.returncode, failed.stdout) == (3, b"")
    assert b"did you mean 'echo'?" in failed.stderr


def test_routes_and_schedules_are_deleted_by_kind_and_name(
    platform: DevProcess, tmp_path: Path
) -> None:
    """As `apply` names them."""
    schedule = {
        "apiVersion": "pilotlight.dev/v1alpha1",
        "kind": "Schedule",
        "metadata": {"name": "nightly"},
        "spec": {"function": "echo", "expression": "cron(0 2 * * ? *)"},
    }
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(schedule))
    run_cli("apply", "-f", tmp_path / "s.yaml", endpoint=platform.endpoint)
    gone = run_cli("delete", "schedule/nightly", endpoint=platform.endpoint)
    assert (gone.returncode, gone.stdout) == (0, b"schedule/nightly deleted\n")
    again = run_cli("delete", "schedule/nightly", endpoint=platform.endpoint)
    assert again.returncode == 3
    odd = run_cli("delete", "scedule/nightly", endpoint=platform.endpoint)
    assert (odd.returncode, b"did you mean 'schedule'?" in odd.stderr) == (2, True)
