"""Environments that fork from a zygote: what may differ does, nothing is left, nothing depends."""

import json
import os
import signal
import stat
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.agent import FORKING, Agent, is_in_reserve, is_running, specialised

FUNCTION = """
import os, random, secrets, ssl, sys, tempfile, time, uuid

def parent_of(pid):
    return int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])

def daemonise():
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(writer, str(os.getpid()).encode())
            while True:
                time.sleep(60)
        os._exit(0)
    os.wait()
    return int(os.read(reader, 20))

def handler(event, context):
    kind = event.get("do")
    if kind == "random":
        return {
            "random": random.random(), "Random": random.Random().random(),
            "uuid4": str(uuid.uuid4()), "uuid1": str(uuid.uuid1()),
            "secrets": secrets.token_hex(), "ssl": ssl.RAND_bytes(16).hex(),
            "urandom": os.urandom(16).hex(), "tempfile": tempfile.mktemp(),
        }
    if kind == "exit":
        os._exit(1)
    if kind == "sleep":
        time.sleep(60)
    if kind == "daemon":
        return daemonise()
    return {
        "pid": os.getpid(),
        "command": open("/proc/self/cmdline").read().split(chr(0))[:-1],
        "modules": list(sys.modules),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "temporary": tempfile.gettempdir(),
        "original": sys.orig_argv[1:3],
        "hash": os.environ.get("PYTHONHASHSEED"),
        "TZ": time.strftime("%Z", time.localtime(0)),
    }
"""


THRICE = 3
ZYGOTE_AND_NEXT = 2
START_TIME = 19  # proc_pid_stat(5): field 22, counted from the third
REFUSING = """
import os
fork = os.fork

def refuse():
    if os.path.exists({full!r}):
        raise BlockingIOError("no more processes")
    return fork()

os.fork = refuse
"""
THREAD = """
import threading, time
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
"""


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """An agent whose environments are forked."""
    folder = tmp_path_factory.mktemp("forked")
    with specialised(folder, {"main.py": FUNCTION}, forked=True, timeout=1) as agent:
        yield agent


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Agent]:
    """One with a single environment: in the others' agent one that ended may just be replaced."""
    with specialised(tmp_path, {"main.py": FUNCTION}, forked=True, timeout=1) as agent:
        agent.invoke({})  # until it has begun it looks like what is forked ahead
        yield agent


def loaded_for(told: dict[str, list[str]]) -> str | None:
    """Return what a function had loaded before it began: None if it was not forked."""
    if not {"--zygote", "--pod"} & set(told["command"]):
        return None
    return "packages" if "botocore.session" in told["modules"] else "standard"


def zygotes(agent: Agent) -> list[int]:
    """Return zygotes and what they have forked ahead."""
    return [pid for pid in children(agent.process.pid) if is_in_reserve(pid)]


def only_zygote(agent: Agent) -> int:
    """Return the zygote, once the process that it forks ahead is there."""
    return min(wait_for_zygotes(agent, ZYGOTE_AND_NEXT), key=started)


def next_environment(agent: Agent) -> int:
    """Return the process that a zygote has forked ahead."""
    # The clock of starts ticks every ten milliseconds, so that both may be of one tick.
    return max(wait_for_zygotes(agent, ZYGOTE_AND_NEXT), key=lambda pid: (started(pid), pid))


def started(pid: int) -> int:
    """Return when a process was started; a higher id is no sign of it, since ids come round."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[START_TIME])


def wait_for_zygotes(agent: Agent, count: int) -> list[int]:
    """Return the zygotes once there are so many."""
    deadline = time.monotonic() + 5
    while len(found := zygotes(agent)) != count:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def children(pid: int) -> list[int]:
    """Return the children of all threads of a process."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def has_run_out(pid: int) -> bool:
    """Whether a process is a zombie."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def more_environments(agent: Agent, count: int) -> list[str]:
    """Start environments and give their ids."""
    body = json.dumps({"count": count}).encode()
    return [each["id"] for each in agent.request("POST", "/v1/environments", body).json[
        "environments"
    ]]  # fmt: skip


def test_an_agent_listens_once_its_zygote_is_loaded(tmp_path: Path) -> None:
    """Not before, so that a pod in a pool keeps its promise."""
    loading, go = tmp_path / "loading", tmp_path / "go"
    os.mkfifo(loading)
    os.mkfifo(go)
    python = python_with(tmp_path, f"open({str(loading)!r}, 'w'); open({str(go)!r}).read()")
    with ThreadPoolExecutor() as pool:
        starting = pool.submit(Agent, tmp_path, *FORKING, python=str(python))
        loading.read_text()
        assert not starting.done()
        go.write_text("")
        with starting.result() as agent:
            agent.wait_until_ready()


def test_an_agent_forks_whatever_its_parent_left_open(tmp_path: Path) -> None:
    """As uvloop does."""
    with (tmp_path / "left open").open("w") as left, Agent(
        tmp_path, *FORKING, descriptors=[left.fileno()]
    ) as agent:  # fmt: skip
        agent.wait_until_ready()


def test_an_agent_without_an_interpreter_for_functions_says_so(tmp_path: Path) -> None:
    """By each function, whose affair it is; nothing is ever ready for them."""
    with Agent(tmp_path, *FORKING, python=str(tmp_path / "nowhere")) as agent:
        event = agent.journal.wait(lambda e: e.get("state") == "failed")
        assert "nowhere" in event["reason"]
        assert agent.specialise({"main.py": FUNCTION}).status == 200
        reply = agent.invoke({})
        assert reply.failed
        assert "nowhere" in reply.json["errorMessage"]


def python_with(folder: Path, module: str) -> Path:
    """Return an interpreter in which a module of the profile is this one."""
    packages = folder / "packages"
    packages.mkdir()
    (packages / "requests.py").write_text(module)
    return script(folder, f"PYTHONPATH={packages}")


def script(folder: Path, variables: str) -> Path:
    """Return an interpreter that has variables of its own."""
    path = folder / "python"
    path.write_text(f'#!/bin/sh\n{variables} exec {sys.executable} "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_a_function_is_forked_from_the_profile(agent: Agent) -> None:
    """And restarts are forks, too; what it can see of its start is that of a plain one."""
    first = agent.invoke({}).json
    assert loaded_for(first) == "packages"
    assert first["original"][0] == "-u"
    assert first["TZ"] == "UTC"
    assert agent.invoke({"do": "exit"}).report["status"] == "crash"
    assert agent.invoke({"do": "sleep"}).report["status"] == "timeout"
    again = agent.invoke({}).json
    assert loaded_for(again) == "packages"
    assert again["pid"] != first["pid"]


def test_children_of_one_zygote_draw_different_numbers(agent: Agent) -> None:
    """From every generator that a function may ask."""
    environments = [agent.environment, *more_environments(agent, 12)]
    told = [agent.invoke({"do": "random"}, environment=each).json for each in environments]
    for generator in told[0]:
        assert len({each[generator] for each in told}) == len(environments), generator


def test_environments_have_temporary_folders_of_their_own(agent: Agent) -> None:
    """When there are several in a pod."""
    environments = more_environments(agent, 2)
    told = [agent.invoke({}, environment=each).json for each in environments]
    assert [each["temporary"] for each in told] == [
        str(agent.temporary / environment) for environment in environments
    ]


def test_a_kill_spares_what_others_have_forked(agent: Agent) -> None:
    """A forked process's own variables are in place although the kernel shows its zygote's."""
    one, other = more_environments(agent, 2)
    theirs = agent.invoke({"do": "daemon"}, environment=other).json
    mine = agent.invoke({"do": "daemon"}, environment=one).json
    agent.invoke({"do": "sleep"}, environment=one)
    assert not is_running(mine)
    assert is_running(theirs)
    agent.invoke({"do": "sleep"}, environment=other)
    assert not is_running(theirs)


def descriptors_at_rest(zygote: int) -> int:
    """Count the descriptors of a zygote that has nothing but its end of the pipe to the next."""
    deadline = time.monotonic() + 5
    while True:
        with suppress(FileNotFoundError):  # one was closed since
            targets = [each.readlink().name for each in Path(f"/proc/{zygote}/fd").iterdir()]
            pipes = [target for target in targets if target.startswith("pipe:")]
            if len(pipes) == 1 and not children(zygote):
                return len(targets)
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_fifty_forks_leave_nothing(alone: Agent) -> None:
    """No zombie, no descriptor, neither with the zygote nor with what it forks."""
    before = alone.invoke({}).json
    zygote = only_zygote(alone)
    descriptors = descriptors_at_rest(zygote)
    processes = len(children(alone.process.pid))
    for _ in range(50):
        alone.invoke({"do": "exit"})
    after = alone.invoke({}).json
    assert after["descriptors"] == before["descriptors"]
    assert only_zygote(alone) == zygote
    assert descriptors_at_rest(zygote) == descriptors
    assert len(children(alone.process.pid)) == processes
    assert not any(map(has_run_out, children(alone.process.pid)))


def test_an_environment_is_forked_before_it_is_asked_for(alone: Agent) -> None:
    """A fork takes milliseconds; that it was early shows neither in its session nor its random."""
    ahead = next_environment(alone)
    alone.invoke({"do": "exit"})
    assert alone.invoke({}).json["pid"] == ahead
    assert os.getsid(ahead) == ahead
    assert next_environment(alone) != ahead


def test_a_process_ahead_that_ends_is_replaced(alone: Agent) -> None:
    """A function may kill it, as may the kernel."""
    ahead = next_environment(alone)
    os.kill(ahead, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while next_environment(alone) == ahead:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    alone.invoke({"do": "exit"})
    assert loaded_for(alone.invoke({}).json) == "packages"


def test_functions_start_plainly_while_nothing_can_be_forked(tmp_path: Path) -> None:
    """And are forked again when it can be."""
    full = tmp_path / "full"
    python = python_with(tmp_path, REFUSING.format(full=str(full)))
    with Agent(tmp_path, *FORKING, python=str(python)) as agent:
        agent.wait_until_ready()
        full.touch()
        assert agent.specialise({"main.py": FUNCTION}).status == 200
        assert loaded_for(agent.invoke({}).json) == "packages"
        agent.invoke({"do": "exit"})
        assert loaded_for(agent.invoke({}).json) is None
        full.unlink()
        next_environment(agent)
        agent.invoke({"do": "exit"})
        assert loaded_for(agent.invoke({}).json) == "packages"


def test_without_its_zygote_a_pod_goes_on(agent: Agent) -> None:
    """The next process is started plainly, and later ones by a new zygote."""
    told = len(agent.journal.events)
    zygote = only_zygote(agent)
    os.kill(zygote, signal.SIGKILL)
    agent.invoke({"do": "exit"})
    assert not agent.invoke({}).failed
    wait_for_zygote(agent, told)
    agent.invoke({"do": "exit"})
    assert loaded_for(agent.invoke({}).json) == "packages"


def test_a_zygote_that_does_not_answer_is_replaced(agent: Agent) -> None:
    """Nobody waits for it longer than a moment, once the process that it had ready is used."""
    told = len(agent.journal.events)
    zygote = only_zygote(agent)
    os.kill(zygote, signal.SIGSTOP)
    for _ in range(2):
        agent.invoke({"do": "exit"})
        assert not agent.invoke({}).failed
    wait_for_zygote(agent, told)
    assert zygote not in zygotes(agent)
    agent.invoke({"do": "exit"})
    assert loaded_for(agent.invoke({}).json) == "packages"


def wait_for_zygote(agent: Agent, told: int) -> None:
    """Wait until one gets ready that was not when `told` events were."""
    agent.journal.wait(
        lambda e: e["type"] == "zygote" and e["state"] == "ready" and e["seq"] > told
    )


@contextmanager
def forked(folder: Path, own: dict[str, str], **choices: dict[str, str]) -> Iterator[Agent]:
    """Run a forking agent whose function brings files of its own."""
    files = {"main.py": FUNCTION, **own}
    with specialised(folder, files, forked=True, **choices) as agent:
        yield agent


@pytest.mark.parametrize(
    ("own", "loaded"),
    [("boto3.py", "standard"), ("urllib3/__init__.py", "standard"), ("asyncio.py", None)],
)
def test_a_module_of_the_functions_own_comes_first(
    tmp_path: Path, own: str, loaded: str | None
) -> None:
    """A zygote that has loaded another one by that name does not serve."""
    name = own.removesuffix("/__init__.py").removesuffix(".py")
    source = FUNCTION + f"\nimport {name}\nassert {name}.MINE\n"
    with forked(tmp_path, {"main.py": source, own: "MINE = True"}) as agent:
        reply = agent.invoke({})
        assert not reply.failed, reply.body
        assert loaded_for(reply.json) == loaded


def test_a_zygote_that_cannot_serve_its_function_goes(tmp_path: Path) -> None:
    """What it holds in memory would be of no use to anybody."""
    with forked(tmp_path, {"asyncio.py": "MINE = True"}) as agent:
        assert loaded_for(agent.invoke({}).json) is None
        wait_for_zygotes(agent, 0)


def test_a_layer_comes_before_the_profile(tmp_path: Path) -> None:
    """As the function's own code does."""
    layer = tmp_path / "opt" / "python"
    layer.mkdir(parents=True)
    (layer / "jmespath.py").write_text("MINE = True")
    source = FUNCTION + "\nimport jmespath\nassert jmespath.MINE\n"
    with forked(tmp_path, {"main.py": source}) as agent:
        assert loaded_for(agent.invoke({}).json) == "standard"


def test_variables_that_an_interpreter_reads_at_its_start_are_heeded(tmp_path: Path) -> None:
    """By starting one."""
    with forked(tmp_path, {}, environment={"PYTHONHASHSEED": "7", "TZ": "UTC"}) as agent:
        told = agent.invoke({}).json
        assert loaded_for(told) is None
        assert told["hash"] == "7"


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (THREAD, "NotAloneError: 2 threads run"),
        ("import socket\nkept = socket.socket()", "NotAloneError: descriptors [3] are open"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_profile_that_cannot_be_forked_is_given_up(
    tmp_path: Path, module: str, reason: str
) -> None:
    """A thread or a socket before the fork, or an error: it is told, and functions run without."""
    with Agent(tmp_path, *FORKING, python=str(python_with(tmp_path, module))) as agent:
        event = agent.journal.wait(lambda e: e.get("state") == "failed")
        assert event["reason"] == reason
        assert agent.request("GET", "/ready").status == 200
        assert agent.specialise({"main.py": FUNCTION}).status == 200
        assert loaded_for(agent.invoke({}).json) is None


def test_a_zygote_that_ends_too_often_is_given_up(tmp_path: Path) -> None:
    """After three ends in a row; functions run without."""
    with forked(tmp_path, {}) as agent:
        for ends in range(1, THRICE + 1):
            os.kill(only_zygote(agent), signal.SIGKILL)
            agent.journal.wait_for_state("ended", ends, of="zygote")
            if ends < THRICE:
                agent.journal.wait_for_state("ready", ends + 1, of="zygote")
        event = agent.journal.wait(lambda e: e.get("state") == "failed")
        assert event["reason"] == "it ended too often"
        agent.invoke({"do": "exit"})
        assert loaded_for(agent.invoke({}).json) is None


def test_a_function_that_brings_a_package_has_none_of_the_others_loaded(tmp_path: Path) -> None:
    """Its own and those that it imports anew work together, as in an interpreter just started."""
    source = (
        FUNCTION
        + """
import six, boto3
assert six.MINE
assert [type(f).__module__ for f in sys.meta_path].count("botocore.vendored.six") == 1
boto3.client("sqs", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
"""
    )
    six = find_spec("six")
    assert six is not None and six.origin is not None  # noqa: PT018 -- one thought
    own = Path(six.origin).read_text() + "\nMINE = True\n"
    with forked(tmp_path, {"main.py": source, "six.py": own}) as agent:
        reply = agent.invoke({})
        assert not reply.failed, reply.body


def test_the_agent_cannot_be_found_in_what_it_is_forked_with(agent: Agent) -> None:
    """Though they were loaded in the same process."""
    told = agent.invoke({}).json
    assert loaded_for(told) == "packages"
    assert [
        name for name in told["modules"] if name.startswith(("pilotlight_agent", "pilotlight_wire"))
    ] == []


def test_the_agent_loads_no_library_once_there_is_a_function(tmp_path: Path) -> None:
    """It shares its search path for libraries with the function, who could put one in its way."""
    with Agent(tmp_path, *FORKING) as agent:
        agent.wait_until_ready()
        before = libraries(agent.process.pid)
        assert agent.specialise({"main.py": FUNCTION, "lib/any.so": b""}).status == 200
        agent.invoke({"do": "exit"})
        agent.invoke({"do": "random"})
        assert libraries(agent.process.pid) == before


def libraries(pid: int) -> set[str]:
    """Return the files that a process has mapped."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return {line.split(maxsplit=5)[5] for line in lines if "/" in line}
