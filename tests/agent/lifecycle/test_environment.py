"""The life of an environment under real functions: timeouts, crashes, memory, leftovers."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.agent import Agent, Reply, is_in_reserve, is_running, specialised

FUNCTION = """
import ctypes, os, signal, subprocess, sys, tempfile, threading, time

counter = 0

def note(name):
    with open(os.path.join(os.environ["NOTES"], name), "a") as file:
        file.write(f"{os.getpid()}\\n")

def daemonise(variables):
    # Two forks and a session of its own: nobody's child any more.
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            if variables is not None:
                command = [sys.executable, "-c", LOOP, os.environ["NOTES"]]
                os.execve(sys.executable, command, variables)
            note("daemon")
            while True:
                time.sleep(60)
        os._exit(0)
    os.wait()

LOOP = '''
import os, sys, time
with open(sys.argv[1] + "/daemon", "a") as file:
    file.write(f"{os.getpid()}\\\\n")
while True:
    time.sleep(60)
'''

def handler(event, context):
    global counter
    counter += 1
    kind = event.get("do")
    if kind == "sleep":
        time.sleep(60)
    if kind == "spin":
        while True:
            pass
    if kind == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)
    if kind == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    if kind in {"daemon", "clean daemon", "forged daemon"}:
        forged = {"AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]" + "0" * 32}
        daemonise({"clean daemon": {}, "forged daemon": forged}.get(kind))
        subprocess.Popen(["sleep", "1000"])
        while not os.path.exists(os.path.join(os.environ["NOTES"], "daemon")):
            time.sleep(0.005)
        time.sleep(60)
    if kind == "forks":
        while True:
            try:
                if os.fork() == 0:
                    time.sleep(60)
                    os._exit(0)
            except OSError:
                time.sleep(60)
            if counter > 60:
                time.sleep(60)
            counter += 1
    if kind == "offered":
        return open("/proc/self/oom_score_adj").read()
    if kind == "later":
        threading.Timer(0.05, os._exit, [5]).start()
    if kind == "keep":
        with open(os.path.join(tempfile.gettempdir(), "kept"), "w") as file:
            file.write("kept")
    if kind == "kept":
        return os.path.exists(os.path.join(tempfile.gettempdir(), "kept"))
    if kind == "hog":
        kept = bytearray(event["megabytes"] * 1024 * 1024)
        if event.get("hold"):
            time.sleep(60)
    if kind == "hogs":
        if os.fork() == 0:
            kept = bytearray(150 * 1024 * 1024)
            time.sleep(60)
            os._exit(0)
        time.sleep(60)
    return {"pid": os.getpid(), "counter": counter}
"""


@pytest.fixture(scope="module", params=["exec", "fork"])
def agent(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Agent]:
    """An agent with a function that does as it is told, for one second at most."""
    folder = tmp_path_factory.mktemp("agent")
    notes = folder / "notes"
    notes.mkdir()
    files = {"main.py": FUNCTION}
    choices = {"NOTES": str(notes), "TMPDIR": str(folder / "tmp")}
    given = {"environment": choices, "timeout": 1, "memory": 128}
    with specialised(folder, files, forked=request.param == "fork", **given) as agent:
        yield agent


def family(agent: Agent) -> list[int]:
    """Return the processes below an agent."""
    found: list[int] = []
    waiting = [agent.process.pid]
    while waiting:
        with suppress(FileNotFoundError):
            for task in Path(f"/proc/{waiting.pop()}/task").iterdir():
                below = [int(pid) for pid in (task / "children").read_text().split()]
                found += below
                waiting += below
    return found


@pytest.mark.parametrize("kind", ["sleep", "spin", "deaf", "stop", "forks"])
def test_a_timeout_kills_and_answers_in_lambdas_words(agent: Agent, kind: str) -> None:
    """Whatever the function does about it, within the timeout and a second."""
    reply = agent.invoke({"do": kind}, request_id=f"timeout-{kind}")
    assert reply.status == 200
    assert reply.failed
    text = f"RequestId: timeout-{kind} Error: Task timed out after 1.00 seconds"
    assert reply.body == (f'{{"errorType":"Sandbox.Timedout","errorMessage":"{text}"}}'.encode())
    assert 1000 <= reply.report["durationMs"] < 2000
    assert reply.report["status"] == "timeout"
    assert reply.headers["Pilotlight-Environment-State"] == "starting"
    lines = agent.journal.lines(f"timeout-{kind}")
    assert lines[1].endswith(f"Z timeout-{kind} Task timed out after 1.00 seconds")
    assert lines[-1].endswith("Status: timeout")


def test_after_a_timeout_a_new_process_serves(agent: Agent) -> None:
    """Under the same id, from the beginning, and without a second Init Duration."""
    before = agent.invoke({}).json
    agent.invoke({"do": "sleep"})
    reply = agent.invoke({})
    assert reply.json["pid"] != before["pid"]
    assert reply.json["counter"] == 1
    assert "initDurationMs" not in reply.report
    assert not is_running(before["pid"])


@pytest.mark.parametrize("kind", ["daemon", "clean daemon", "forged daemon"])
def test_a_timeout_kills_what_has_hidden(agent: Agent, kind: str) -> None:
    """A daemon in its own session dies too, without variables and with another's log stream."""
    daemon = agent.folder / "notes" / "daemon"
    daemon.unlink(missing_ok=True)
    assert agent.invoke({"do": kind}).report["status"] == "timeout"
    assert not is_running(int(daemon.read_text()))
    pid = agent.invoke({}).json["pid"]
    assert [each for each in family(agent) if not is_in_reserve(each) and is_running(each)] == [pid]


def test_the_kernel_would_rather_kill_the_function(agent: Agent) -> None:
    """When the container's memory is full, the agent stays to tell of it."""
    assert agent.invoke({"do": "offered"}).json == "1000\n"


def test_temporary_files_outlive_the_process(agent: Agent) -> None:
    """As on Lambda, they belong to the environment."""
    agent.invoke({"do": "keep"})
    agent.invoke({"do": "sleep"})
    assert agent.invoke({"do": "kept"}).json is True


def test_a_process_that_dies_between_invocations_is_replaced(agent: Agent) -> None:
    """Before the next one comes, and the journal says so."""
    told = len(agent.journal.events)
    pid = agent.invoke({"do": "later"}).json["pid"]
    agent.journal.wait(lambda e: e["type"] == "exit" and e["seq"] > told and e["code"] == 5)
    reply = agent.invoke({})
    assert reply.json["pid"] != pid
    assert not reply.failed


def test_memory_within_the_limit_is_measured(agent: Agent) -> None:
    """The peak is seen although it has gone when the function answers."""
    reply = agent.invoke({"do": "hog", "megabytes": 70})
    assert 75 <= reply.report["maxMemoryUsedMb"] <= 128
    assert reply.report["status"] == "success"
    agent.invoke({"do": "sleep"})  # a new process, so that other tests see their own peak


@pytest.mark.parametrize("event", [{"do": "hog", "megabytes": 200, "hold": True}, {"do": "hogs"}])
def test_memory_above_the_limit_kills(agent: Agent, event: dict[str, object]) -> None:
    """In one process or in several, before the timeout, in Lambda's words."""
    reply = agent.invoke(event, request_id="memory")
    assert reply.json == {
        "errorType": "Runtime.ExitError",
        "errorMessage": "RequestId: memory Error: Runtime exited with error: signal: killed",
    }
    assert reply.report["status"] == "memory"
    assert reply.report["durationMs"] < 1000
    assert reply.report["maxMemoryUsedMb"] == reply.report["memorySizeMb"] == 128


def test_an_initialisation_that_takes_too_long_is_tried_again(tmp_path: Path) -> None:
    """After ten seconds, inside the first invocation, under the function's own timeout."""
    code = """
import os, time
mark = os.path.join(os.environ["TMPDIR"], "mark")
if not os.path.exists(mark):
    open(mark, "w").close()
    time.sleep(60)
def handler(event, context):
    return "second time"
"""
    with specialised(tmp_path, {"main.py": code}, timeout=2) as agent:
        reply = agent.invoke({}, request_id="slow")
        assert reply.json == "second time"
        assert reply.report["durationMs"] < 2000
        assert "initDurationMs" not in reply.report
        report = agent.journal.lines("slow")[0]
        assert report.startswith("INIT_REPORT Init Duration: 100")
        assert report.endswith(" ms\tPhase: init\tStatus: timeout")


def test_an_initialisation_that_never_ends_is_a_timeout(tmp_path: Path) -> None:
    """Once an invocation pays for it."""
    code = "import os, time\nif os.path.exists(os.environ['TMPDIR'] + '/slow'): time.sleep(60)\n"
    code += "def handler(e, c):\n  open(os.environ['TMPDIR'] + '/slow', 'w').close(); os._exit(1)"
    with specialised(tmp_path, {"main.py": code}, timeout=1) as agent:
        assert agent.invoke({}).report["status"] == "crash"
        reply = agent.invoke({}, request_id="never")
        assert reply.json["errorType"] == "Sandbox.Timedout"
        assert 1000 <= reply.report["durationMs"] < 2000
        assert any("Phase: invoke\tStatus: timeout" in x for x in agent.journal.lines("never"))


def test_an_invocation_during_the_restart_waits_for_it(tmp_path: Path) -> None:
    """And its duration counts the wait."""
    code = "import os, time; time.sleep(0.3)\ndef handler(e, c): return e and os._exit(1)"
    with specialised(tmp_path, {"main.py": code}) as agent:
        assert agent.invoke(1).report["status"] == "crash"
        assert 200 < agent.invoke(0).report["durationMs"] < 2000


def test_an_environment_ends_once_it_is_old_and_free(tmp_path: Path) -> None:
    """Before its credentials do; a call in the middle of it is answered first."""
    code = "import os, time\ndef handler(e, c): time.sleep(e); return os.getpid()"
    with specialised(tmp_path, {"main.py": code}, lifetime=1) as agent:
        reply = agent.invoke(1.2)
        assert reply.headers["Pilotlight-Environment-State"] == "ended"
        assert reply.report["maxMemoryUsedMb"] > 0
        agent.journal.wait_for_state("ended")
        assert not is_running(reply.json)


def test_an_idle_environment_ends_once_it_is_old(tmp_path: Path) -> None:
    """Whoever holds its lease is told, and claims another."""
    with specialised(tmp_path, {"main.py": "def handler(e, c): return 1"}, lifetime=1) as agent:
        agent.journal.wait_for_state("ended")
        refused = agent.invoke({})
        assert (refused.status, refused.json["code"]) == (409, "EnvironmentEnded")


def test_a_crash_of_an_old_environment_ends_it(tmp_path: Path) -> None:
    """No new process starts for nobody."""
    code = "import os, time\ndef handler(e, c): time.sleep(e); os._exit(1)"
    with specialised(tmp_path, {"main.py": code}, lifetime=1) as agent:
        reply = agent.invoke(1.2)
        assert reply.report["status"] == "crash"
        assert reply.headers["Pilotlight-Environment-State"] == "ended"


def test_draining_finishes_what_runs(tmp_path: Path) -> None:
    """SIGTERM: nothing new, the answer goes out, nobody is left, exit 0."""
    code = "import time\ndef handler(e, c): time.sleep(e); return 'done'"
    with specialised(tmp_path, {"main.py": code}) as agent:
        agent.invoke(0)
        from threading import Thread  # noqa: PLC0415 -- this test only

        replies: list[object] = []
        caller = Thread(target=lambda: replies.append(agent.invoke(0.5, request_id="last").json))
        caller.start()
        agent.journal.wait(lambda e: "START RequestId: last" in e.get("line", ""))
        processes = family(agent)
        os.kill(agent.process.pid, signal.SIGTERM)
        caller.join()
        assert replies == ["done"]
        assert agent.process.wait(10) == 0
        assert not any(map(is_running, processes))
        assert "REPORT RequestId: last" in agent.journal.lines("last")[-1]


def test_drain_by_request(tmp_path: Path) -> None:
    """The same, asked for by a gateway; it is answered before the agent ends."""
    with specialised(tmp_path, {"main.py": "def handler(e, c): return e"}) as agent:
        agent.invoke(1)
        drained = agent.request("POST", "/v1/drain").json
        assert (drained["draining"], drained["environments"][0]["state"]) == (True, "ended")
        assert agent.process.wait(10) == 0


def test_the_agent_ends_with_its_parent(tmp_path: Path) -> None:
    """End of standard input kills everything at once, a running invocation too."""
    code = "import time\ndef handler(e, c): time.sleep(60)"
    with specialised(tmp_path, {"main.py": code}, timeout=60) as agent:
        from threading import Thread  # noqa: PLC0415 -- this test only

        answers: list[Reply] = []
        caller = Thread(target=lambda: answers.append(agent.invoke(request_id="x")))
        caller.start()
        agent.journal.wait(lambda e: "START" in e.get("line", ""))
        processes = family(agent)
        assert agent.stop() == 0
        caller.join()
        (answer,) = answers  # it had begun, so that nobody may go elsewhere with it
        assert (answer.status, answer.json["retryable"]) == (500, False)
        assert answer.json["code"] == "InvocationEnded"
        assert not any(map(is_running, processes))


def test_more_in_tmp_than_there_may_be_ends_the_environment(tmp_path: Path) -> None:
    """In Lambda's words for a full disk; what is in there is kept between calls until then."""
    code = """
import os, time
def handler(event, context):
    with open(os.path.join(os.environ["TMPDIR"], "kept"), "ab") as file:
        file.write(os.urandom(event * 1_000_000))
        size = file.tell()
    time.sleep(event > 1 and 20)
    return size
"""
    with specialised(tmp_path, {"main.py": code}, timeout=30, ephemeral_storage=3) as agent:
        assert [agent.invoke(1).json, agent.invoke(1).json] == [1_000_000, 2_000_000]
        reply = agent.invoke(2, request_id="full")
        text = "RequestId: full Error: No space left on device: /tmp holds more than 3 MB"
        assert reply.json == {"errorType": "Runtime.ExitError", "errorMessage": text}
        assert reply.report["status"] == "storage"
        assert reply.report["durationMs"] < 10_000
        agent.journal.wait_for_state("ended")
        assert "Error Type: Runtime.OutOfStorage" in agent.journal.lines("full")[-1]
        agent.process.terminate()
        assert agent.process.wait(10) == 0, "nothing is waited for that has ended"
