"""Which shards of a stream are read when, as it splits, merges and forgets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight_gateway.event_queue.source_leases import ShardState
from pilotlight_gateway.event_sources.checkpoint import Checkpoint
from pilotlight_gateway.event_sources.stream import Position, StreamShard
from pilotlight_gateway.event_sources.stream_source import first_shards, is_anew, next_shards

LISTED = [
    StreamShard("parent", closed=True),
    StreamShard("left", ("parent",)),
    StreamShard("right", ("parent",)),
]


def state(name: str, *, finished: bool) -> ShardState:
    return ShardState(name, "", "", finished)


def test_children_wait_for_their_parents() -> None:
    """Until those are read to their end; a parent that the stream forgot holds up nobody."""
    assert first_shards(LISTED, "TRIM_HORIZON", None) == {"parent": Position()}
    reading = {"parent": state("parent", finished=False)}
    assert next_shards(LISTED, reading, "TRIM_HORIZON", None) == {}
    ended = {"parent": state("parent", finished=True)}
    assert set(next_shards(LISTED, ended, "TRIM_HORIZON", None)) == {"left", "right"}
    assert set(first_shards(LISTED[1:], "TRIM_HORIZON", None)) == {"left", "right"}


def test_a_merged_shard_waits_for_both() -> None:
    """One of them is not enough."""
    listed = [StreamShard("a"), StreamShard("b"), StreamShard("c", ("a", "b"))]
    known = {"a": state("a", finished=True), "b": state("b", finished=False)}
    assert next_shards(listed, known, "LATEST", None) == {}
    known["b"] = state("b", finished=True)
    assert next_shards(listed, known, "LATEST", None) == {"c": Position()}


def test_the_latest_is_meant_of_what_was_there_at_first() -> None:
    """A shard that comes later is read from its oldest record, or some would be lost."""
    assert first_shards(LISTED, "LATEST", None) == {
        name: Position(latest=True) for name in ("parent", "left", "right")
    }
    known = {one.name: state(one.name, finished=one.closed) for one in LISTED[:2]}
    assert next_shards(LISTED, known, "LATEST", None) == {"right": Position()}


def test_a_time_is_meant_of_all() -> None:
    """Older shards end at once, then, and their children begin at the time, too."""
    at = "1970-01-01T00:01:00Z"
    assert first_shards(LISTED, "AT_TIMESTAMP", at) == {"parent": Position(since=60.0)}


@given(
    st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=20)
)  # fmt: skip
def test_every_shard_is_read_once_after_its_parents(
    steps: list[tuple[int, bool]],
) -> None:
    """However a stream is split and merged, and in whatever order shards end."""
    shards, names = [StreamShard("0")], ["0"]
    for place, merges in steps:
        name = str(len(shards))
        parents = {names[place % len(names)]}
        if merges:
            parents.add(names[(place + 1) % len(names)])
        shards.append(StreamShard(name, tuple(parents)))
        names.append(name)
    known: dict[str, ShardState] = {}
    read: list[str] = []
    while wanted := next_shards(shards, known, "TRIM_HORIZON", None):
        for one in shards:
            if one.name in wanted:
                assert set(one.parents) <= set(read)
        read += wanted
        known |= {name: state(name, finished=True) for name in wanted}
    assert sorted(read) == sorted(one.name for one in shards)


@pytest.mark.parametrize(
    ("shard", "after", "finished", "anew"),
    [
        (StreamShard("s", start="200"), "199", False, True),
        (StreamShard("s", start="200"), "200", False, False),
        (StreamShard("s", start="1000"), "999", True, True),
        (StreamShard("s", start="200"), "", False, False),
        (StreamShard("s", start="200"), "", True, True),
        (StreamShard("s", start="200", closed=True), "", True, False),
        (StreamShard("s"), "5", True, False),
        (StreamShard("s", start="rubbish"), "5", False, False),
    ],
    ids=["before", "first", "as numbers", "unread", "ended, open", "ended", "unsaid", "rubbish"],
)  # fmt: skip
def test_a_shard_of_a_stream_made_anew_is_another(
    shard: StreamShard, after: str, *, finished: bool, anew: bool
) -> None:
    """It begins behind what was read of it, or is open although it was read to its end."""
    checkpoint = Checkpoint(Position(after=after)).dump()
    assert is_anew(shard, ShardState("s", "", checkpoint, finished)) is anew
