"""Zip files that are put together from entries: what any reader of zips makes of them."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight_cli.archive import archive_of, entries_of, entry_of
from pilotlight_wire import archive

NAMES = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/.\\"), min_size=1
)


@given(st.dictionaries(NAMES, st.binary(), min_size=1))
def test_what_went_in_comes_out(files: dict[str, bytes]) -> None:
    """Names, contents, checksums and modes, as the standard library reads them."""
    entries = [entry_of(name, content, 0o755) for name, content in files.items()]
    with zipfile.ZipFile(io.BytesIO(archive_of(entries))) as package:
        assert package.testzip() is None
        assert {name: package.read(name) for name in package.namelist()} == files
        assert {one.external_attr >> 16 for one in package.infolist()} == {0o100755}
        assert {one.date_time for one in package.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize("count", [1, 65_534, 65_535, 70_000])
def test_many_entries(count: int) -> None:
    """Above 65,534 the end says how many in another record."""
    content = archive_of(entry_of(f"{number}", b"", 0o644) for number in range(count))
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        assert len(package.namelist()) == count
    assert len(entries_of(content)) == count


def test_the_platform_takes_them() -> None:
    """Its own checks find nothing."""
    archive.check(io.BytesIO(archive_of([entry_of("a/ü.py", b"x = 1", 0o644)])))


@given(st.dictionaries(NAMES, st.binary()), st.floats(0, 1, exclude_max=True))
def test_an_archive_is_taken_apart_again(files: dict[str, bytes], part: float) -> None:
    """Into the entries that it was made of; a piece of it is none."""
    entries = {name: entry_of(name, content, 0o644) for name, content in files.items()}
    content = archive_of(entries.values())
    assert entries_of(content) == entries
    with pytest.raises(ValueError, match="an archive"):
        entries_of(content[: int(part * (len(content) - 21))])
