"""Whoever looks up why a function is not ready finds every reason, with Lambda's code."""

from __future__ import annotations

import re
from pathlib import Path

from pilotlight_operator.services import function_problems

PAGE = Path(__file__).parents[2] / "docs" / "kubernetes.md"
OF_IMAGES = "ImageUnusable"
"""Its code is its registry's to say (docs/container-images.md)."""


def test_the_page_names_every_reason_and_its_code() -> None:
    source = Path(function_problems.__file__).read_text()
    found = re.findall(r'Problem\(\s*"(\w+)", [^"]+?(?:, "(\w+)"|, facts)', source)
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| (\S.*?) \|", PAGE.read_text(), re.MULTILINE)
    told = {name: code for names, code in rows for name in re.findall(r"\w+", names)}
    assert len(found) == source.count("return Problem(")
    for reason, code in found:
        assert reason in told
        assert reason == OF_IMAGES or told[reason] == f"`{code}`"
