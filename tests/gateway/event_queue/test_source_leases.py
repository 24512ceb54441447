"""Shards of event sources: one holder each, equal shares, epochs, checkpoints, both databases."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pilotlight_gateway.event_queue.source_leases import ROOT, LostShardError, Shard, ShardLease

if TYPE_CHECKING:
    from pilotlight_gateway.event_queue.interface import EventQueue
    from pilotlight_gateway.event_queue.source_leases import SourceLeases

MINUTE = 60.0


@pytest.fixture
def leases(queue: EventQueue) -> SourceLeases:
    return queue.source_leases


async def test_a_mapping_has_one_holder(leases: SourceLeases) -> None:
    first = await leases.hold("a", ["m"], MINUTE)
    assert [(one.shard, one.holder, one.epoch) for one in first.leases] == [
        (Shard("m", ROOT), "a", 1)
    ]
    assert (await leases.hold("b", ["m"], MINUTE)).leases == []
    assert (await leases.hold("a", ["m"], MINUTE)).leases == first.leases  # renewed, no new epoch


async def test_shares_are_equal_and_what_is_more_is_told(leases: SourceLeases) -> None:
    """Who was there first gives back; who came later takes no more than its share."""
    mappings = [f"m{number}" for number in range(8)]
    alone = await leases.hold("a", mappings, MINUTE)
    assert (len(alone.leases), alone.excess) == (8, 0)
    assert (await leases.hold("b", mappings, MINUTE)).leases == []
    crowded = await leases.hold("a", mappings, MINUTE)
    assert (len(crowded.leases), crowded.excess) == (8, 4)
    for lease in crowded.leases[:4]:
        await leases.release(lease)
    assert len((await leases.hold("b", mappings, MINUTE)).leases) == 4
    assert (await leases.hold("a", mappings, MINUTE)).excess == 0


async def test_two_that_take_at_once_never_both_get_one(leases: SourceLeases) -> None:
    """Also where the shards were there before and are free again."""
    mappings = [f"m{number}" for number in range(20)]
    for _ in range(10):
        found = await asyncio.gather(*(leases.hold(name, mappings, MINUTE) for name in "abcd"))
        held = [lease.shard for holding in found for lease in holding.leases]
        assert len(held) == len(set(held))
        for name in "abcd":
            await leases.leave(name)


async def test_who_dies_is_followed_at_its_checkpoint(leases: SourceLeases) -> None:
    """The epoch grows, and what the dead one still says is refused."""
    [old] = (await leases.hold("a", ["m"], 0.0)).leases
    await leases.save(old, "17")
    [new] = (await leases.hold("b", ["m"], MINUTE)).leases
    assert (new.epoch, new.checkpoint) == (old.epoch + 1, "17")
    with pytest.raises(LostShardError, match="epoch 1"):
        await leases.save(old, "16")
    with pytest.raises(LostShardError):
        await leases.add(old, {"s": ""})
    await leases.release(old)  # changes nothing
    assert [one.holder for one in await leases.shards("m")] == ["b"]
    assert [one.checkpoint for one in await leases.shards("m")] == ["17"]


async def test_the_roots_holder_adds_shards_once(leases: SourceLeases) -> None:
    """A shard that is there keeps its checkpoint; a finished one is held by nobody any more."""
    [root] = (await leases.hold("a", ["m"], MINUTE)).leases
    await leases.add(root, {"s1": "TRIM_HORIZON", "s2": ""})
    held = {one.shard.name: one for one in (await leases.hold("a", ["m"], MINUTE)).leases}
    assert held["s1"].checkpoint == "TRIM_HORIZON"
    await leases.save(held["s1"], "9", finished=True)
    await leases.add(root, {"s1": "TRIM_HORIZON"})
    names = [one.shard.name for one in (await leases.hold("a", ["m"], MINUTE)).leases]
    assert names == [ROOT, "s2"]
    states = {one.name: (one.checkpoint, one.finished) for one in await leases.shards("m")}
    assert states == {ROOT: ("", False), "s1": ("9", True), "s2": ("", False)}


async def test_who_leaves_gives_all_back_at_once(leases: SourceLeases) -> None:
    await leases.hold("a", ["m", "n"], MINUTE)
    await leases.leave("a")
    assert len((await leases.hold("b", ["m", "n"], MINUTE)).leases) == 2


async def test_what_is_forgotten_begins_anew(leases: SourceLeases) -> None:
    [lease] = (await leases.hold("a", ["m"], MINUTE)).leases
    await leases.save(lease, "5")
    await leases.forget("m")
    assert await leases.shards("m") == []
    assert [one.checkpoint for one in (await leases.hold("a", ["m"], MINUTE)).leases] == [""]


async def test_what_is_not_wanted_is_neither_taken_nor_counted(leases: SourceLeases) -> None:
    """A mapping that is disabled keeps its checkpoint and takes nobody's share."""
    await leases.hold("a", ["m", "n"], 0.0)
    holding = await leases.hold("b", ["n"], MINUTE)
    assert [one.shard.mapping for one in holding.leases] == ["n"]
    assert {one.holder for one in await leases.shards("m")} == {""}


async def test_shards_may_be_known_as_ended_and_be_forgotten(leases: SourceLeases) -> None:
    """One that was added as finished is never held; one that the source forgot is gone."""
    [root] = (await leases.hold("a", ["m"], MINUTE)).leases
    await leases.add(root, {"old": "", "new": ""}, ["old"])
    held = (await leases.hold("a", ["m"], MINUTE)).leases
    assert [one.shard.name for one in held] == [ROOT, "new"]
    await leases.remove(root, ["old", ROOT])
    assert [one.name for one in await leases.shards("m")] == [ROOT, "new"]
    late = ShardLease(root.shard, "b", root.epoch, "")
    with pytest.raises(LostShardError):
        await leases.remove(late, ["new"])


async def test_a_reset_takes_all_from_who_holds_it(leases: SourceLeases) -> None:
    """Shards are held again once they are listed anew, from there, and late saves are refused."""
    [root] = (await leases.hold("a", ["m"], MINUTE)).leases
    await leases.add(root, {"s": "from the start"})
    old = next(one for one in (await leases.hold("a", ["m"], MINUTE)).leases if one.shard.name)
    await leases.save(old, "5")
    await leases.reset("m", "begin here")
    assert [(one.name, one.holder) for one in await leases.shards("m")] == [(ROOT, "")]
    [root] = (await leases.hold("a", ["m"], MINUTE)).leases
    assert (root.shard.name, root.checkpoint) == (ROOT, "begin here")
    for lease in (old, ShardLease(Shard("m", ROOT), "a", 1, "")):
        with pytest.raises(LostShardError):
            await leases.save(lease, "6")
    await leases.add(root, {"s": "from there"})
    new = next(one for one in (await leases.hold("a", ["m"], MINUTE)).leases if one.shard.name)
    assert new.checkpoint == "from there"
    assert new.epoch > old.epoch


async def test_shards_of_another_stream_are_lost_by_who_holds_them(leases: SourceLeases) -> None:
    """And are others once they are added again; the root and other mappings stay."""
    [root] = (await leases.hold("a", ["m"], MINUTE)).leases
    await leases.add(root, {"s": ""})
    old = next(one for one in (await leases.hold("a", ["m"], MINUTE)).leases if one.shard.name)
    await leases.save(old, "5", finished=True)
    await leases.unlist(root, ["s", ROOT])
    assert [(one.name, one.holder) for one in await leases.shards("m")] == [(ROOT, "a")]
    with pytest.raises(LostShardError):
        await leases.save(old, "6")
    with pytest.raises(LostShardError):
        await leases.unlist(ShardLease(root.shard, "b", root.epoch, ""), ["s"])
    await leases.add(root, {"s": "anew"})
    new = next(one for one in (await leases.hold("a", ["m"], MINUTE)).leases if one.shard.name)
    assert new.checkpoint == "anew"
    assert new.epoch > old.epoch
