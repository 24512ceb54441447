"""Who remembers what the artifact store held hears that it is another one."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from pilotlight.errors import UnavailableError
from pilotlight.storage import replacements as module
from pilotlight.storage.replacements import replacements
from tests.support.memory import MemoryArtifacts


class Restarting(MemoryArtifacts):
    """A store that answers as a test says."""

    def __init__(self, *answers: str | None) -> None:
        super().__init__()
        self.answers = list(answers)

    async def incarnation(self) -> str:
        """Answer, or be away."""
        answer = self.answers.pop(0)
        if answer is None:
            raise UnavailableError("the store is away")
        return answer


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)


@pytest.mark.parametrize(
    ("answers", "left"),
    [
        (("one", "one", None, "one", "two", "two"), 1),  # what is away need not be another
        ((None, "one", "one"), 1),  # it may have been another one before the first look
        (("one", None, "two"), 0),
        (("one", "two", "one"), 1),
    ],
)
async def test_a_change_is_told_once(answers: tuple[str | None, ...], left: int) -> None:
    store = Restarting(*answers)
    async with aclosing(replacements(store)) as changes, asyncio.timeout(5):
        await anext(changes)
    assert len(store.answers) == left


async def test_the_first_answer_is_no_change() -> None:
    store = Restarting("one", "one", "one")
    async with aclosing(replacements(store)) as changes:
        with pytest.raises(IndexError):
            await anext(changes)
