"""Of a whole platform no 202 leaves before the disk has it, seen from outside by strace."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.gateway.events.ledger import Load, function_source
from tests.gateway.events.trace import TracedPlatform, synced_answers
from tests.support.platform import write_function

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = 200
ID = "3110349e-3601-411a-b22c-3352b775da99"
READ = (
    '7  read(5<TCP:[a->b]>, "POST /2015-03-31/functions/f/invocations HTTP/1.1"..., 256000) = 157'
)
READ_BEGINS = "7  read(5<TCP:[a->b]>,  <unfinished ...>"
READ_RETURNS = '7  <... read resumed>"POST /2015-03-31/functions/f/"..., 256000) = 157'
SYNC = "8  fdatasync(9</state/events.sqlite-wal>) = 0"
SYNC_BEGINS = "8  fdatasync(9</state/events.sqlite-wal> <unfinished ...>"
SYNC_RETURNS = "8  <... fdatasync resumed>)           = 0"
SYNC_FAILS = "8  fdatasync(9</state/events.sqlite-wal>) = -1 EIO (Input/output error)"
OTHER_SYNC = "8  fdatasync(9</state/resources.sqlite-wal>) = 0"
ANSWER = (
    '7  write(5<TCP:[a->b]>, "HTTP/1.1 202 Accepted\\r\\n'
    f'x-amzn-RequestId: {ID}\\r\\nC"..., 248) = 248'
)


@pytest.mark.timeout(60)
def test_a_sync_has_returned_before_each_202_of_the_gateway(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        raise FileNotFoundError("no strace here: apt-get install strace")
    folder, trace = tmp_path / "function", tmp_path / "trace"
    write_function(folder, "ledger", function_source(tmp_path / "ledger"))
    platform = TracedPlatform(folder, tmp_path / "state", trace)
    load = Load(platform.endpoint, clients=8)
    load.wait_for(EVENTS)
    accepted = load.stop()
    assert platform.stop() == 0
    answers = synced_answers(trace.read_text())
    assert answers.keys() == accepted
    assert all(answers.values())


@pytest.mark.parametrize(
    ("lines", "synced"),
    [
        ([READ, SYNC, ANSWER], True),
        ([READ, SYNC_BEGINS, SYNC_RETURNS, ANSWER], True),
        ([READ_BEGINS, READ_RETURNS, SYNC, ANSWER], True),
        ([SYNC, READ, ANSWER], False),
        ([READ, ANSWER, SYNC], False),
        ([READ, SYNC_BEGINS, ANSWER, SYNC_RETURNS], False),
        ([SYNC_BEGINS, READ, SYNC_RETURNS, ANSWER], False),
        ([READ_BEGINS, SYNC, READ_RETURNS, ANSWER], False),
        ([READ, SYNC_FAILS, ANSWER], False),
        ([READ, OTHER_SYNC, ANSWER], False),
        ([READ, SYNC, ANSWER, READ, ANSWER], False),
    ],
)
def test_an_answer_without_its_sync_is_found(lines: list[str], *, synced: bool) -> None:
    assert synced_answers("\n".join(lines)) == {ID: synced}
