"""Fair shares of a full log: small ones are whole, and all fit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pilotlight.storage.log_shares import fair_share

SIZES = st.lists(st.integers(0, 1000), min_size=1)


@given(SIZES, st.integers(0, 5000))
def test_all_fit_and_who_gives_way_has_most(sizes: list[int], total: int) -> None:
    share = fair_share(sizes, total)
    kept = sum(min(size, share) for size in sizes)
    assert kept <= max(total, 0)
    if sum(sizes) > total:
        assert total - kept < len(sizes)  # nothing is given away but for rounding


def test_a_small_one_is_whole_beside_a_large_one() -> None:
    assert fair_share([10, 1000, 2000], 500) == 245
