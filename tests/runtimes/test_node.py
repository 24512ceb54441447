"""What Node.js alone has: two kinds of modules, callbacks, an event loop, and errors of nobody."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.agent import Agent
from tests.support.node import node_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.agent import Reply

VERSIONS = ("nodejs22.x", "nodejs24.x")
MODULE = '{"type": "module"}'
ESM = "export const handler = async () => import.meta.url.slice(-9)"
CJS = "exports.handler = async () => module.id.slice(-9)"
REQUEST = "11111111-0000-4000-8000-00000000000"


def run(
    folder: Path,
    runtime: str,
    files: Mapping[str, str] | str,
    *events: Any,
    handler: str = "index.handler",
    **choices: Any,
) -> list[tuple[Reply, list[str]]]:
    """Give a function events, one after the other; return answers and what was logged of each."""
    files = {"index.js": files} if isinstance(files, str) else files
    with Agent(folder, python=node_of(runtime)) as agent:
        agent.specialise(files, runtime=runtime, handler=handler, timeout=10, **choices)
        agent.journal.wait_for_state("idle")
        return [
            (agent.invoke(event, request_id=f"{REQUEST}{number}"),
             agent.journal.lines(f"{REQUEST}{number}"))
            for number, event in enumerate(events)
        ]  # fmt: skip


def answer(folder: Path, runtime: str, files: Mapping[str, str] | str, **choices: Any) -> Any:
    """Return what a function answers to an empty event."""
    return run(folder, runtime, files, {}, **choices)[0][0].json


@pytest.mark.parametrize("runtime", VERSIONS)
@pytest.mark.parametrize(
    ("files", "handler", "answers"),
    [
        ({"index.mjs": ESM}, "index.handler", "index.mjs"),
        ({"index.js": ESM, "package.json": MODULE}, "index.handler", "/index.js"),
        ({"index.js": CJS, "package.json": "{}"}, "index.handler", "/index.js"),
        ({"index.cjs": CJS, "package.json": MODULE}, "index.handler", "index.cjs"),
        ({"src/a/index.mjs": ESM}, "src/a/index.handler", "index.mjs"),
        ({"index.js": CJS, "index.mjs": "broken("}, "index.handler", "/index.js"),
        ({"index.js": "module.exports = { in: { a: async () => 7 } }"}, "index.in.a", 7),
        ({"index.mjs": "export default { handler: async () => 8 }"}, "index.handler", 8),
        ({"node_modules/lib/index.js": "exports.handler = async () => 9"}, "lib.handler", 9),
    ],
)
def test_a_handler_is_found(
    tmp_path: Path, runtime: str, files: dict[str, str], handler: str, answers: Any
) -> None:
    """Of either kind of module, by extension and package.json, in folders and objects."""
    assert answer(tmp_path, runtime, files, handler=handler) == answers


@pytest.mark.parametrize(
    ("runtime", "options", "works"),
    [
        ("nodejs22.x", "", False),
        ("nodejs22.x", "--experimental-detect-module --experimental-require-module", True),
        ("nodejs24.x", "", True),
    ],
)
def test_what_lambda_calls_experimental_is_off(
    tmp_path: Path,
    runtime: str,
    options: str,
    works: bool,  # noqa: FBT001  a row
) -> None:
    """Until Node.js 24, or until the function asks for it."""
    told = answer(tmp_path, runtime, ESM, environment={"NODE_OPTIONS": options})
    if works:
        assert told == "/index.js"
    else:
        assert told["errorType"] == "Runtime.UserCodeSyntaxError"


CALLBACKS = """
exports.handler = (event, context, callback) => {
  if (event.wait !== undefined) context.callbackWaitsForEmptyEventLoop = event.wait;
  if (event.later) setTimeout(() => console.log("later"), 30);
  switch (event.by) {
    case "callback": callback(null, "called"); callback(null, "again"); break;
    case "error": callback(new TypeError("refused")); break;
    case "text": callback("words"); break;
    case "succeed": context.succeed("succeeded"); break;
    case "fail": context.fail(new RangeError("failed")); break;
    case "done": context.done(null, "done"); break;
    case "late": setTimeout(() => callback(null, "late"), 5); break;
    case "throw": throw new SyntaxError("thrown");
    case "promise": return Promise.resolve("promised");
  }
};
"""


def test_callbacks_answer(tmp_path: Path) -> None:
    """Every way of old; the first one counts. Nobody called back: null."""
    ways = {
        "callback": "called", "succeed": "succeeded", "done": "done", "late": "late",
        "promise": "promised", "nobody": None,
        "error": "TypeError", "text": "string", "fail": "RangeError", "throw": "SyntaxError",
    }  # fmt: skip
    ran = run(tmp_path, "nodejs22.x", CALLBACKS, *({"by": way} for way in ways))
    told = [reply.json["errorType"] if reply.failed else reply.json for reply, _ in ran]
    assert told == list(ways.values())


def test_a_callback_waits_for_the_event_loop(tmp_path: Path) -> None:
    """Unless the function says that it does not."""
    event = {"by": "callback", "later": True}
    ran = run(tmp_path, "nodejs22.x", CALLBACKS, event, {**event, "wait": False})
    logged = [any("later" in line for line in lines) for _, lines in ran]
    assert logged == [True, False]
    assert [reply.json for reply, _ in ran] == ["called"] * 2


def test_callbacks_are_gone_with_node_24(tmp_path: Path) -> None:
    """Lambda refuses the handler, and the context has none of their names."""
    told = answer(tmp_path, "nodejs24.x", CALLBACKS)
    assert told["errorType"] == "Runtime.CallbackHandlerDeprecated"
    (tmp_path / "b").mkdir()
    keys = answer(tmp_path / "b", "nodejs24.x", "exports.handler = (e, c) => Object.keys(c)")
    assert not {"done", "succeed", "fail", "callbackWaitsForEmptyEventLoop"} & {*keys}


NOBODY = """
exports.handler = async (event) => {
  if (event === "rejects") Promise.reject(new Error("of nobody"));
  if (event === "throws") {
    setTimeout(() => { throw new Error("from a timer"); }, 1);
    await new Promise((resolve) => setTimeout(resolve, 5000));
  }
  if (event === "never") await new Promise(() => {});
  return process.pid;
};
"""


def test_errors_that_nobody_catches_end_the_process(tmp_path: Path) -> None:
    """They are the call's where it is not answered yet; the next has a new process."""
    ran = run(tmp_path, "nodejs24.x", NOBODY, "rejects", "throws", "", "never", "")
    kinds = [reply.json["errorType"] if reply.failed else None for reply, _ in ran]
    assert kinds == ["Runtime.UnhandledPromiseRejection", "Error", None, "Runtime.NodeJsExit", None]
    assert any("Unhandled Promise Rejection" in line for line in ran[0][1])
    assert any("Uncaught Exception" in line for line in ran[1][1])
    assert ran[2][0].json == ran[4][0].json


SLOW_TO_END = """
exports.handler = async (event) => {
  if (event !== "throws") return process.pid;
  process.on("exit", () => { const until = Date.now() + 500; while (Date.now() < until); });
  setTimeout(() => { throw new Error("from a timer"); }, 1);
  await new Promise(() => {});
};
"""


def test_a_process_that_is_ending_gets_no_event(tmp_path: Path) -> None:
    """The next call waits for the new one, though the old one's end takes a while."""
    ran = run(tmp_path, "nodejs24.x", SLOW_TO_END, "", "throws", "")
    assert [reply.failed for reply, _ in ran] == [False, True, False]
    assert ran[0][0].json != ran[2][0].json


def test_with_node_22_an_answer_goes_before_a_rejection(tmp_path: Path) -> None:
    """As on Lambda, where it changed with Node.js 24."""
    ran = run(tmp_path, "nodejs22.x", NOBODY, "rejects", "")
    assert [reply.failed for reply, _ in ran] == [False, False]
    assert ran[0][0].json != ran[1][0].json


@pytest.mark.parametrize(
    ("thrown", "kind", "message"),
    [
        ("'words'", "string", "words"),
        ("7", "number", "7"),
        ("null", "object", "null"),
        ("undefined", "undefined", "undefined"),
        ("Object.create(null)", "handled", "the error thrown cannot be read"),
        ("Object.assign(new Error('m'), { name: 'Own', code: 1n })", "Own", "m"),
        ("new (class extends Error { get message() { throw 1; } })()", "handled", None),
        ("Object.assign(new Error('m'), { stack: 5 })", "Error", "m"),
        ("new Error('\\ud800')", "Error", "\ud800"),
    ],
)
def test_whatever_is_thrown_is_told(
    tmp_path: Path, thrown: str, kind: str, message: str | None
) -> None:
    """And the process serves on."""
    code = f"exports.handler = async (event) => {{ if (event) throw {thrown}; return 1; }}"
    ran = run(tmp_path, "nodejs24.x", code, 1, 0)
    assert ran[0][0].json["errorType"] == kind
    assert message in {None, ran[0][0].json["errorMessage"]}
    assert any("Invoke Error" in line for line in ran[0][1])
    assert ran[1][0].json == 1


def test_an_entry_names_its_request(tmp_path: Path) -> None:
    """Timestamp, request, level and text between tabs; a line end inside becomes a return."""
    code = "exports.handler = async () => { console.warn('a\\nb', { c: 1 }); }"
    _, lines = run(tmp_path, "nodejs24.x", code, {})[0]
    stamp, request, level, text = lines[1].split("\t")
    assert stamp.endswith("Z")
    assert (request, level, text) == (f"{REQUEST}0", "WARN", "a\rb { c: 1 }")


def test_json_entries_hold_objects_and_errors(tmp_path: Path) -> None:
    code = """
    const own = Object.assign(new RangeError("far"), { shelf: 3 });
    exports.handler = async () => {
      console.info({ a: [1], e: own });
      console.error("words", own);
      const circle = {}; circle.self = circle; console.fatal(circle);
      throw own;
    }"""
    _, lines = run(tmp_path, "nodejs24.x", code, {}, log_format="JSON")[0]
    info, error, fatal, thrown = (json.loads(line) for line in lines if '"message"' in line)
    assert info["message"]["a"] == [1]
    assert info["message"]["e"]["errorType"] == "RangeError"
    assert info["message"]["e"]["shelf"] == 3
    assert (error["level"], error["errorMessage"], error["errorType"]) == (
        "ERROR", "far", "RangeError",
    )  # fmt: skip
    assert (fatal["level"], "Circular" in fatal["message"]) == ("FATAL", True)
    assert thrown["message"]["errorMessage"] == "far"


def test_a_flood_is_written_whole(tmp_path: Path) -> None:
    """Also where the function has made standard output asynchronous for itself."""
    code = """exports.handler = async () => {
      process.stdout.write("first\\n");
      for (let i = 0; i < 3000; i++) console.log("x".repeat(200));
      process.exit(0);
    }"""
    _, lines = run(tmp_path, "nodejs24.x", code, {})[0]
    assert sum("xxx" in line for line in lines) == 3000
