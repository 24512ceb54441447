"""How far a shard is read: never beyond what is not done with."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pilotlight_gateway.event_sources.checkpoint import Checkpoint, Progress
from pilotlight_gateway.event_sources.stream import Position, StreamRecord


@given(order=st.permutations(range(12)), cuts=st.lists(st.integers(1, 4), max_size=12))
def test_the_checkpoint_is_before_the_first_that_is_not_done(
    order: list[int], cuts: list[int]
) -> None:
    """In whatever order and groups records end."""
    records = [StreamRecord(str(number), "k", 0.0, {}) for number in range(12)]
    progress = Progress()
    for one in records:
        progress.read(one)
    done, reached, left = set[int](), -1, list(order)
    for cut in [*cuts, 12]:
        part, left = left[:cut], left[cut:]
        done |= set(part)
        last = progress.done(records[one] for one in part)
        wanted = next((at for at in range(12) if at not in done), 12) - 1
        assert (last is not None) == (wanted > reached)
        if last is not None:
            reached = wanted
            assert last is records[reached]
    assert len(progress) == 0


POSITIONS = st.builds(Position, st.text(), st.none() | st.floats(1, 1e10), st.booleans())
WINDOWS = st.none() | st.fixed_dictionaries({"start": st.floats(1, 1e10), "state": st.just({})})


@given(st.builds(Checkpoint, POSITIONS, WINDOWS, st.text(), st.floats(0, 1e10), st.floats(0, 1e10)))
def test_what_is_stored_is_read_again(checkpoint: Checkpoint) -> None:
    """And nothing stored is the oldest record."""
    assert Checkpoint.load(checkpoint.dump()) == checkpoint
    assert Checkpoint.load("") == Checkpoint() == Checkpoint.load(Checkpoint().dump())
