"""How batches of a shard go on, in virtual time, against a plain model of Lambda's rules."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from pilotlight.resources import EventSourceMappingSpec
from pilotlight_gateway.event_sources.stream import StreamRecord
from pilotlight_gateway.event_sources.stream_batches import Batch, GivenUp, Rules

WAIT = 1.0
"""Seconds of a pause between tries, here."""
RUN = 0.5


def record(number: int, arrived_at: float = 0.0) -> StreamRecord:
    return StreamRecord(f"{number:03}", "k", arrived_at, {})


@dataclass
class World:
    """A function that fails for some records a number of times, and a shard's clock."""

    failures: dict[str, int]
    """By sequence how often it fails; -1 for always."""
    partial: bool = False
    now: float = 0.0
    invocations: list[tuple[str, ...]] = field(default_factory=list)
    ends: list[tuple[str, str]] = field(default_factory=list)
    """Of each record, in order, its sequence and what became of it."""

    def invoke(self, sequences: tuple[str, ...]) -> int | None:
        """Run the function; returns the place of what failed first."""
        self.now += RUN
        self.invocations.append(sequences)
        bad = [at for at, one in enumerate(sequences) if self.failures.get(one, 0)]
        if not bad:
            return None
        self.failures[sequences[bad[0]]] -= 1
        return bad[0] if self.partial else 0

    def end(self, sequences: list[str] | tuple[str, ...], condition: str) -> None:
        self.ends += [(one, condition) for one in sequences]


def carry_out(rules: Rules, world: World, records: list[StreamRecord]) -> None:
    """Do what `stream_batches` says, as the gateway does."""
    left = [Batch(tuple(records))]
    while left:
        batch = left.pop(0)
        step = rules.expired(batch, world.now)
        if step is None:
            failed = world.invoke(tuple(one.sequence for one in batch.records))
            step = rules.after_run(batch, failed)
        world.end([one.sequence for one in step.done], "done")
        if step.given_up is not None:
            gone = step.given_up
            world.end([one.sequence for one in gone.batch.records], gone.condition)
        world.now += WAIT if step.wait else 0.0
        left[:0] = step.left


def plain(rules: Rules, world: World, sequences: tuple[str, ...], retries: int) -> None:
    """Lambda's documented rules, said as they are documented."""
    failed = world.invoke(sequences)
    if failed is None:
        world.end(sequences, "done")
    elif failed > 0:  # what is before the checkpoint is done; the rest is a batch of its own
        world.end(sequences[:failed], "done")
        plain(rules, world, sequences[failed:], rules.retries)
    elif rules.bisect and len(sequences) > 1:  # splitting uses up no retry
        middle = len(sequences) // 2
        plain(rules, world, sequences[:middle], retries)
        plain(rules, world, sequences[middle:], retries)
    elif retries == 0:
        world.end(sequences, "RetryAttemptsExhausted")
    else:
        plain(rules, world, sequences, retries - 1)


FAILURES = st.dictionaries(st.integers(0, 11), st.sampled_from([1, 2, 3, 1000]), max_size=5)


@given(
    count=st.integers(1, 12), failures=FAILURES, retries=st.integers(0, 3),
    bisect=st.booleans(), partial=st.booleans(),
)  # fmt: skip
def test_batches_go_on_as_documented(
    count: int, failures: dict[int, int], retries: int, *, bisect: bool, partial: bool
) -> None:
    """The same invocations with the same records, and the same end of each record, in order."""
    rules = Rules(retries=retries, bisect=bisect)
    named = {f"{number:03}": times for number, times in failures.items()}
    records = [record(number) for number in range(count)]
    mine, wanted = World(dict(named), partial), World(dict(named), partial)
    carry_out(rules, mine, records)
    plain(rules, wanted, tuple(one.sequence for one in records), retries)
    assert mine.invocations == wanted.invocations
    assert mine.ends == wanted.ends
    assert [sequence for sequence, _ in mine.ends] == [one.sequence for one in records]


@given(
    count=st.integers(1, 12), poison=st.sets(st.integers(0, 11)), retries=st.integers(0, 2),
    partial=st.booleans(),
)  # fmt: skip
def test_with_bisect_nothing_is_given_up_but_poison(
    count: int, poison: set[int], retries: int, *, partial: bool
) -> None:
    """And all of it is, whether the function names it or only fails."""
    world = World({f"{number:03}": -1 for number in poison}, partial)
    carry_out(Rules(retries=retries, bisect=True), world, [record(one) for one in range(count)])
    given_up = {sequence for sequence, condition in world.ends if condition != "done"}
    assert given_up == {f"{number:03}" for number in poison if number < count}


@given(
    arrivals=st.lists(st.floats(-50, 0), min_size=1, max_size=10).map(sorted),
    age=st.integers(1, 30), bisect=st.booleans(),
)  # fmt: skip
def test_no_record_is_tried_once_it_is_too_old(
    arrivals: list[float], age: int, *, bisect: bool
) -> None:
    """What fails for ever ends by its age, and holds its shard up no longer than that."""
    records = [record(number, at) for number, at in enumerate(arrivals)]
    world = World(dict.fromkeys((one.sequence for one in records), -1))
    carry_out(Rules(age=age, bisect=bisect), world, records)
    assert {condition for _, condition in world.ends} == {"RecordAgeExceeded"}
    assert [sequence for sequence, _ in world.ends] == [one.sequence for one in records]
    runs = len(records) * 2 * RUN if bisect else RUN
    assert world.now <= max(0.0, arrivals[-1] + age) + runs + WAIT


def test_what_is_too_old_goes_before_it_is_tried() -> None:
    """Only the head that is too old; the rest runs."""
    batch = Batch((record(0, 0.0), record(1, 90.0)))
    step = Rules(age=60).expired(batch, 100.0)
    assert step is not None
    assert isinstance(step.given_up, GivenUp)
    assert [one.sequence for one in step.given_up.batch.records] == ["000"]
    assert [one.sequence for one in step.left[0].records] == ["001"]
    assert Rules(age=60).expired(step.left[0], 100.0) is None


def test_nothing_said_means_without_end() -> None:
    """As Lambda's defaults, -1: a thousand failures give nothing up."""
    spec = EventSourceMappingSpec(function="f", event_source_arn="arn", starting_position="LATEST")
    world = World({"000": 1000})
    carry_out(Rules.of(spec), world, [record(0)])
    assert len(world.invocations) == 1001
    assert world.ends == [("000", "done")]


def test_invocations_are_counted_over_halves() -> None:
    """A record's approximateInvokeCount is how often the function had it."""
    rules = Rules(retries=0, bisect=True)
    step = rules.after_run(Batch((record(0), record(1))), 0)
    step = rules.after_run(step.left[0], 0)
    assert step.given_up is not None
    assert step.given_up.batch.invocations == 2
