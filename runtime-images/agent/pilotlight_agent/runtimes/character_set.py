"""UTF-8 for languages that take the character set of variables and file names from the locale.

Lambda has the locale that its LANG names; a machine of local mode may have it not, and would give
such a language ASCII.
"""

from __future__ import annotations

import locale
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["with_utf_8"]

_ALL = "LC_ALL"
_EVERYWHERE = "C.UTF-8"


def with_utf_8(variables: Mapping[str, str]) -> Mapping[str, str]:
    """Add what gives UTF-8, unless the function says otherwise or its locale is there."""
    if _ALL in variables or _is_there(variables["LANG"]):
        return variables
    return {**variables, _ALL: _EVERYWHERE}


@cache
def _is_there(name: str) -> bool:
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, name)
    except locale.Error:
        return False
    locale.setlocale(locale.LC_CTYPE, before)
    return True
