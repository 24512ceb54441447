"""What a client is told with: its calls and what came of each step; `steps` has the steps."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
import traceback
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.platform import zip_of

from .driver import MissingError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from .driver import Driver

__all__ = ["ROLE", "Outcome", "Story", "code_of", "fetch", "hash_of", "tell", "until"]

ROLE = "arn:aws:iam::000000000000:role/any"
WAIT_SECONDS = 30.0
CODE = """
import json, os, pathlib, time

def handler(event, context):
    for record in event.get("Records", []):
        handler(json.loads(record["body"]), context)
    if "mark" in event:
        pathlib.Path(event["mark"]).write_text("was here")
    end = time.monotonic() + 20
    while "until" in event and not os.path.exists(event["until"]) and time.monotonic() < end:
        time.sleep(0.01)
    if "fail" in event:
        raise ValueError(event["fail"])
    return {
        "code": CODE, "variable": os.environ.get("VARIABLE"), "event": event,
        "initialization": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"],
    }
"""


@dataclass(frozen=True)
class Outcome:
    """What came of a step."""

    step: str
    said: str = ""
    """Why it failed, or what the client lacks; empty where it passed."""
    lacks: bool = False
    operations: frozenset[str] = frozenset()
    """Those that were answered with success while it ran."""

    @property
    def passed(self) -> bool:
        """Whether everything that the step promises was so."""
        return not self.said

    @property
    def failed(self) -> bool:
        """Whether something was not so, and not for want of a call."""
        return bool(self.said) and not self.lacks


@dataclass
class Story:
    """A client that tells it, in an account of its own."""

    driver: Driver
    other: Driver
    """The same client once more, for what happens at once."""
    account: str
    stranger: str
    """Another account."""
    endpoint: str
    queue: str
    """A queue of SQS in the account; its ARN."""
    send: Callable[[str], None]
    """Puts a message into the queue."""
    folder: Path
    operations: set[str] = field(default_factory=set)

    def call(self, operation: str, **given: Any) -> dict[str, Any]:
        """Call an operation; raises RefusedError."""
        output: dict[str, Any] = self._ask("call", operation, given)
        return output

    def pages(self, operation: str, **given: Any) -> list[dict[str, Any]]:
        """Call an operation until there are no more pages, two things each."""
        found: list[dict[str, Any]] = self._ask(
            "pages", operation, given | {"PaginationConfig": {"PageSize": 2}}
        )
        return found

    def wait(self, waiter: str, **given: Any) -> None:
        """Wait as the client waits."""
        self._ask("wait", waiter, given)

    def refused(self, operation: str, **given: Any) -> RefusedError:
        """Call what is to be refused."""
        with pytest.raises(RefusedError) as refusal:
            self.driver.ask("call", operation, self.account, given)
        return refusal.value

    def invoke(self, name: str, event: Any = None, **given: Any) -> Any:
        """Invoke a function; gives what it returned."""
        payload = json.dumps(event or {}).encode()
        return answer_of(self.call("Invoke", FunctionName=name, Payload=payload, **given))

    def invoke_elsewhere(self, name: str, event: Any = None) -> Any:
        """Invoke a function by the client's other process."""
        given = {"FunctionName": name, "Payload": json.dumps(event or {}).encode()}
        return answer_of(self.other.ask("call", "Invoke", self.account, given))

    def create(self, name: str, code: str = "1", **given: Any) -> dict[str, Any]:
        """Create a function and wait until it is active; `code` is what it says of itself."""
        made = self.call(
            "CreateFunction", FunctionName=name, Runtime="python3.13", Role=ROLE,
            Handler="index.handler", Code={"ZipFile": code_of(code)}, **given,
        )  # fmt: skip
        self.wait("FunctionActiveV2", FunctionName=name)
        return made

    def update(self, name: str, code: str) -> None:
        """Give a function other code, and wait until it has it."""
        self.call("UpdateFunctionCode", FunctionName=name, ZipFile=code_of(code))
        self.wait("FunctionUpdatedV2", FunctionName=name)

    def configure(self, name: str, **given: Any) -> None:
        """Give a function another configuration, and wait until it has it."""
        self.call("UpdateFunctionConfiguration", FunctionName=name, **given)
        self.wait("FunctionUpdatedV2", FunctionName=name)

    def mark(self) -> Path:
        """Return a file that is not there yet."""
        return self.folder / f"mark-{time.monotonic_ns()}"

    def arn(self, name: str) -> str:
        """Return a function's ARN."""
        return f"arn:aws:lambda:us-east-1:{self.account}:function:{name}"

    def throttles(self, name: str) -> float:
        """Return how many calls of a function the platform has refused by a limit."""
        _, text = fetch(f"{self.endpoint}/-/metrics")
        rows = re.findall(rf'pilotlight_throttles_total{{[^}}]*function="{name}".* (\S+)', text)
        return sum(map(float, rows))

    @contextmanager
    def load(self, name: str) -> Iterator[list[Any]]:
        """Invoke a function all the time; gives the answers, the first of which is there."""
        answers: list[Any] = [self.invoke_elsewhere(name)]
        ended = threading.Event()

        def invoke() -> None:
            while not ended.is_set():
                try:
                    answers.append(self.invoke_elsewhere(name))
                except (RefusedError, AssertionError) as error:
                    answers.append(error)

        thread = threading.Thread(target=invoke)
        thread.start()
        try:
            yield answers
        finally:
            ended.set()
            thread.join()

    def _ask(self, do: str, operation: str, given: dict[str, Any]) -> Any:
        output = self.driver.ask(do, operation, self.account, given)
        if do != "wait":
            self.operations.add(operation)
        return output


@cache
def code_of(code: str) -> bytes:
    """Return a package of one function, the same each time; `code` is what it says of itself."""
    return zip_of({"index.py": f"CODE = {code!r}\n{CODE}"})


def answer_of(output: dict[str, Any]) -> Any:
    assert "FunctionError" not in output or output["FunctionError"] is None, output
    return json.loads(base64.b64decode(output["Payload"]))


def hash_of(content: bytes) -> str:
    """Return a package's hash as Lambda shows it."""
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def fetch(url: str) -> tuple[int, str]:
    """Get an address; gives the status and the text."""
    try:
        with urllib.request.urlopen(url, timeout=WAIT_SECONDS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def until(holds: Callable[[], Any]) -> Any:
    """Wait until something is so, and return what it is; raises AssertionError."""
    end = time.monotonic() + WAIT_SECONDS
    while not (found := holds()):
        assert time.monotonic() < end, f"{holds} does not come to hold"
        threading.Event().wait(0.02)
    return found


def tell(story: Story, steps: Sequence[Callable[[Story], None]]) -> list[Outcome]:
    """Tell each step, whatever came of those before."""
    return [_told(story, step) for step in steps]


def _told(story: Story, step: Callable[[Story], None]) -> Outcome:
    story.operations.clear()
    name = step.__name__
    try:
        step(story)
    except MissingError as error:
        return Outcome(name, str(error), lacks=True)
    except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  the others are told, too
        where = traceback.extract_tb(error.__traceback__)
        line = next(one.lineno for one in reversed(where) if one.filename.endswith("steps.py"))
        return Outcome(name, f"{type(error).__name__} at line {line}: {error}")
    return Outcome(name, operations=frozenset(story.operations))
