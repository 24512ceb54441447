"""What Ruby alone has: methods of classes, mistakes that end the process, Logger and puts."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.runtimes.languages import LANGUAGES
from tests.support.agent import Agent

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.agent import Reply

REQUEST = "11111111-0000-4000-8000-00000000000"
RUBIES = [one for one in LANGUAGES if one.runtime.startswith("ruby")]
pytestmark = pytest.mark.skipif(not RUBIES, reason="PILOTLIGHT_RUNTIMES names no Ruby")


def run(
    folder: Path, source: str, *events: Any, handler: str = "index.handler", **choices: Any
) -> list[tuple[Reply, list[str]]]:
    """Give a function events, one after the other; return answers and what was logged of each."""
    ruby = RUBIES[0]
    with Agent(folder, python=ruby.interpreter) as agent:
        files = {"index.rb": source}
        agent.specialise(files, runtime=ruby.runtime, handler=handler, timeout=10, **choices)
        agent.journal.wait_for_state("idle")
        return [
            (agent.invoke(event, request_id=f"{REQUEST}{number}"),
             agent.journal.lines(f"{REQUEST}{number}"))
            for number, event in enumerate(events)
        ]  # fmt: skip


@pytest.mark.parametrize("handler", ["index.Shop.open", "index.Shop::Till.open"])
def test_a_handler_may_be_a_method_of_a_class(tmp_path: Path, handler: str) -> None:
    source = """
module Shop
  def self.open(event:, context:) = event
  class Till
    def self.open(event:, context:) = event
  end
end
"""
    assert run(tmp_path, source, 7, handler=handler)[0][0].json == 7


WAYS = """
class Own < StandardError; end

def handler(event:, context:)
  case event
  when "own" then raise Own, "m\\xff"
  when "none" then nothing_of_the_name
  when "leaves" then exit(3)
  when "deep" then handler(event:, context:)
  when "nan" then Float::NAN
  else $$
  end
end
"""


@pytest.mark.parametrize(
    ("event", "kind", "lives"),
    [
        ("own", "Function<Own>", True), ("nan", "Function<JSON::GeneratorError>", True),
        ("none", "Function<NameError>", False), ("leaves", "Function<SystemExit>", False),
        ("deep", "Function<SystemStackError>", False),
    ],
)  # fmt: skip
def test_only_what_a_program_rescues_leaves_the_process(
    tmp_path: Path,
    event: str,
    kind: str,
    lives: bool,  # noqa: FBT001  a row
) -> None:
    """A name that is not there is a mistake of the code: the next call has a new process."""
    before, failed, after = run(tmp_path, WAYS, 0, event, 0)
    assert (failed[0].failed, failed[0].json["errorType"]) == (True, kind)
    assert any(kind in line for line in failed[1])
    assert (before[0].json == after[0].json) == lives


def test_a_stream_is_answered_as_it_is(tmp_path: Path) -> None:
    """With a type that says so."""
    source = 'require "stringio"\ndef handler(event:, context:) = StringIO.new("\\xff!")'
    reply = run(tmp_path, source, 1)[0][0]
    assert (reply.body, reply.headers["Content-Type"]) == (b"\xff!", "application/unknown")


LOGS = """
require "logger"
def handler(event:, context:)
  puts "a", ["b"]
  puts
  kept, $stdout = $stdout, StringIO.new
  puts "caught"
  $stdout = kept
  Logger.new($stderr, progname: "till").info("to error")
  Logger.new("own.log").info("to a file") rescue nil
  Logger.new($stdout).error(ArgumentError.new("wrong"))
end
"""


def test_entries_keep_their_form(tmp_path: Path) -> None:
    """What is put is one entry, and what the function's own output takes is none."""
    lines = [line for line in run(tmp_path, LOGS, 1)[0][1] if "RequestId" not in line]
    assert lines[:2] == ["a\rb", ""]
    own = rf"I, \[.* #\d+\]  INFO {REQUEST}0 -- till: to error"
    assert re.fullmatch(own, lines[2])
    assert lines[3].endswith("wrong (ArgumentError)")


def test_entries_are_objects_where_the_function_logs_json(tmp_path: Path) -> None:
    """An error has fields of its own."""
    lines = run(tmp_path, LOGS, 1, log_format="JSON")[0][1]
    told, wrong = (json.loads(line) for line in lines if '"requestId"' in line and "level" in line)
    assert (told["level"], told["logger"], told["message"]) == ("INFO", "till", "to error")
    assert (wrong["errorType"], wrong["message"]) == ("ArgumentError", "wrong")


def test_gems_of_the_package_and_of_layers_are_found(tmp_path: Path) -> None:
    """Where Bundler puts them, and below ruby/gems of a layer."""
    source = 'def handler(event:, context:) = ENV.values_at("GEM_PATH", "RUBYLIB")'
    ((reply, _),) = run(tmp_path, source, 1)
    task, layers = tmp_path / "task", tmp_path / "opt/ruby"
    gems, libraries = reply.json
    assert gems == f"{task}/vendor/bundle/ruby/3.3.0:{layers}/gems/3.3.0"
    assert libraries == f"{task}:/var/runtime/lib:{layers}/lib"
