"""The entry point: quick, complete, and truthful in its exit status."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys
from types import SimpleNamespace

import click
import pytest

from pilotlight_cli import commands
from pilotlight_cli import main as entry
from pilotlight_cli.failures import Failure
from tests.support.platform import run_cli

NOBODY = "http://127.0.0.1:9"
HEAVY = {"aiohttp", "pydantic", "kopf", "kubernetes", "yaml", "watchfiles", "structlog"}


def exit_of(arguments: list[str]) -> int | str | None:
    """Run a command here and give its exit status."""
    with pytest.raises(SystemExit) as ended:
        entry.main(arguments)
    return ended.value.code


def test_help_imports_no_command() -> None:
    """It costs an interpreter and click."""
    code = (
        "import sys\nfrom pilotlight_cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n"
        "    print(sorted(sys.modules), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert b"describe" in ran.stdout
    imported = set(eval(ran.stderr))
    assert not HEAVY & imported
    assert not any(name.startswith("pilotlight_cli.commands") for name in imported)


def words_of(name: str) -> list[list[str]]:
    """Return a command's name, or those of a group's commands."""
    command = entry.cli.get_command(click.Context(entry.cli), name)
    if isinstance(command, click.Group):
        return [[name, one] for one in command.commands]
    return [[name]]


@pytest.mark.parametrize(
    "words",
    [words for n in entry.COMMANDS if n not in {"gateway", "operator"} for words in words_of(n)],
    ids=" ".join,
)
def test_every_command_is_there(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """With a help of its own, and -o json wherever it prints data."""
    assert exit_of([*words, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Usage: pilotlight " + " ".join(words) in shown
    assert words == ["dev"] or "--output" in shown


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["invoke"],
        ["invoke", "x", "--output", "xml"],
        ["invoke", "x", "--payload", "{}", "--payload-file", "-"],
        ["logs", "x", "--since", "soon"],
        ["apply", "-f", "/nowhere"],
        ["deploy", "/nowhere"],
        ["list", "--endpoint", "nowhere"],
    ],
    ids=" ".join,
)
def test_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """With a message on standard error and nothing on standard output."""
    assert exit_of(arguments) == 2
    printed = capsys.readouterr()
    assert (printed.out, "Error" in printed.err) == ("", True)


def test_a_misspelt_command_is_told_the_near_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Usage, like any other."""
    assert exit_of(["invke"]) == 2
    assert "did you mean 'invoke'?" in capsys.readouterr().err


def test_local_mode_elsewhere_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a sentence, before anything is imported that is Linux' own; other commands run."""
    monkeypatch.setattr(sys, "platform", "darwin")
    assert exit_of(["dev"]) == 4
    said = capsys.readouterr().err
    assert "needs Linux and this is darwin; docker run " in said
    assert exit_of(["env"]) == 0


def test_nobody_there_is_4() -> None:
    """The message says what to do."""
    ran = run_cli("list", endpoint=NOBODY)
    assert (ran.returncode, ran.stdout) == (4, b"")
    assert b"pilotlight dev" in ran.stderr


def test_interruption_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    """As shells say it."""
    monkeypatch.setitem(entry.COMMANDS, "waits", "")

    @click.command("waits")
    def waits() -> None:
        raise KeyboardInterrupt

    module = SimpleNamespace(command=waits)
    monkeypatch.setattr(entry, "import_module", lambda _: module)
    assert exit_of(["waits"]) == 130


def test_a_bug_keeps_its_trace() -> None:
    """Only core's errors are translated."""
    bug = ZeroDivisionError("a bug")
    with pytest.raises(ZeroDivisionError) as raised:
        Failure.of(bug)
    assert raised.value is bug


def test_the_list_of_commands_is_the_folders() -> None:
    """So that none is forgotten in the help; others' may still be missing."""
    modules = pkgutil.iter_modules(commands.__path__)
    there = {module.name.rstrip("_").replace("_", "-") for module in modules}
    assert there <= entry.COMMANDS.keys()


def test_a_reader_that_had_enough_is_no_failure() -> None:
    """`pilotlight env | head -0` ends quietly."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "pilotlight_cli", "env"]
    ran = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (ran.returncode, ran.stderr) == (0, b"")
