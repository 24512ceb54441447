"""The batching core in virtual time, against a plain model of Lambda's documented rules."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pilotlight_gateway.event_sources.batching import Batcher, Gathered

Arrivals = list[tuple[float, int, str | None]]
ARRIVALS = st.lists(
    st.tuples(
        st.floats(0, 30, allow_nan=False),
        st.integers(1, 60),
        st.none() | st.sampled_from(["g1", "g2", "g3"]),
    ),
    max_size=40,
)


def test_a_batch_is_due_when_it_is_full() -> None:
    batcher: Batcher[int] = Batcher(3, 10.0)
    for number in range(7):
        batcher.add(Gathered(number, 1, 0.0))
    assert batcher.batches == 3
    assert (batcher.take(0.0), batcher.take(0.0)) == ([0, 1, 2], [3, 4, 5])
    assert batcher.take(9.99) is None
    assert batcher.due_at() == 10.0
    assert batcher.take(10.0) == [6]
    assert (len(batcher), batcher.due_at()) == (0, None)


def test_without_a_window_what_is_there_goes() -> None:
    batcher: Batcher[int] = Batcher(10, 0.0)
    batcher.add(Gathered(1, 1, 5.0))
    assert batcher.take(5.0) == [1]


def test_a_batch_never_exceeds_what_an_event_may_be() -> None:
    """The one that does not fit makes it due at once; one that is too large goes alone."""
    batcher: Batcher[str] = Batcher(100, 60.0, largest=100)
    for name, size in (("a", 40), ("b", 40), ("c", 40), ("d", 300)):
        batcher.add(Gathered(name, size, 0.0))
    assert batcher.take(0.0) == ["a", "b"]
    assert batcher.take(0.0) == ["c"]
    assert batcher.take(0.0) is None
    assert batcher.take(60.0) == ["d"]


def test_a_busy_group_waits_and_others_pass_it() -> None:
    batcher: Batcher[str] = Batcher(2, 0.0)
    for name, group in (("a1", "a"), ("b1", "b"), ("a2", "a"), ("b2", "b"), ("c1", "c")):
        batcher.add(Gathered(name, 1, 0.0, group))
    assert batcher.take(0.0, {"a"}) == ["b1", "b2"]
    assert batcher.take(0.0, {"a", "b"}) == ["c1"]
    assert batcher.take(0.0, {"a", "b"}) is None
    assert batcher.take(0.0) == ["a1", "a2"]


@given(
    arrivals=ARRIVALS,
    most=st.integers(1, 12),
    window=st.sampled_from([0.0, 1.0, 5.0]),
    runtime=st.floats(0.01, 4),
)
def test_any_traffic(arrivals: Arrivals, most: int, window: float, runtime: float) -> None:
    """All of it comes, in order within groups, in time, in batches that keep every limit."""
    largest = 100
    batcher: Batcher[int] = Batcher(most, window, largest)
    came = sorted(enumerate(arrivals), key=lambda one: one[1][0])
    order = {number: at for at, (number, _) in enumerate(came)}
    running: list[tuple[float, set[str]]] = []
    taken: list[tuple[float, list[int]]] = []
    now = 0.0
    while came or len(batcher):
        while came and came[0][1][0] <= now:
            number, (at, size, group) = came.pop(0)
            batcher.add(Gathered(number, size, at, group))
        running = [one for one in running if one[0] > now]
        busy = set().union(*(groups for _, groups in running))
        while (batch := batcher.take(now, busy)) is not None:
            groups = {group for one in batch if (group := arrivals[one][2]) is not None}
            assert not groups & busy
            busy |= groups
            running.append((now + runtime, groups))
            taken.append((now, batch))
        due = batcher.due_at(busy)
        nexts = [one[1][0] for one in came[:1]] + [end for end, _ in running if end > now]
        moments = nexts + ([due] if due is not None else [])
        assert moments or not len(batcher)
        now = max(now, min(moments, default=now))
    found = [one for _, batch in taken for one in batch]
    assert sorted(found) == sorted(order)
    for name in ("g1", "g2", "g3"):
        of_group = [order[one] for one in found if arrivals[one][2] == name]
        assert of_group == sorted(of_group)
    for at, batch in taken:
        assert len(batch) <= most
        assert len(batch) == 1 or sum(arrivals[one][1] for one in batch) <= largest
        if all(arrivals[one][2] is None for one in batch):
            assert at <= min(arrivals[one][0] for one in batch) + window + 1e-9
