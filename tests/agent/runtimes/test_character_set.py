"""Languages that ask the locale for the character set get UTF-8."""

import locale

import pytest

from pilotlight_agent.runtimes import character_set
from pilotlight_agent.runtimes.character_set import with_utf_8


@pytest.mark.parametrize(
    ("variables", "added"),
    [
        ({"LANG": "C.UTF-8"}, {}),
        ({"LANG": "xx_XX.UTF-8"}, {"LC_ALL": "C.UTF-8"}),
        ({"LANG": "xx_XX.UTF-8", "LC_ALL": "own"}, {}),
    ],
)
def test_a_locale_that_is_not_there_is_stood_in_for(
    variables: dict[str, str], added: dict[str, str]
) -> None:
    """Unless the function says itself what it wants; the agent's own locale stays."""
    before = locale.setlocale(locale.LC_CTYPE)
    character_set._is_there.cache_clear()
    assert with_utf_8(variables) == variables | added
    assert locale.setlocale(locale.LC_CTYPE) == before
