"""A name that was misspelt: the one that was probably meant, for the end of an error's message."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["did_you_mean"]


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return `; did you mean 'Function'?`, or nothing where no name is near."""
    known = {one.lower(): one for one in names}
    found = difflib.get_close_matches(name.lower(), known, n=1)
    return f"; did you mean {known[found[0]]!r}?" if found else ""
