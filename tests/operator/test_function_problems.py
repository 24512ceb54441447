"""Whoever looks up why a function is not ready finds every reason, with Lambda's code."""

from __future__ import annotations

import re
from pathlib import Path

from pilotlight_operator.services import function_problems
from pilotlight_operator.services.images import ImageError

PAGE = Path(__file__).parents[2] / "docs" / "kubernetes.md"
OF_NETWORKS = [
    ("NetworkRefused", "InvalidConfiguration"),
    ("SubnetUnknown", "InvalidSubnet"),
    ("SecurityGroupUnknown", "InvalidSecurityGroup"),
]
"""Of one problem, which has the reason of what is wrong with the network."""
OF_IMAGES = [(ImageError.code, "")]
"""Of another, which has the reason of what is wrong with the image."""
SAY_THEMSELVES = {"ImageUnusable", "FileSystemUnusable"}
"""Their code is their registry's or claim's to say."""


def test_the_page_names_every_reason_and_its_code() -> None:
    source = Path(function_problems.__file__).read_text()
    found = re.findall(r'Problem\(\s*"(\w+)", [^"]+?(?:, "(\w+)"|, facts)', source)
    found += OF_NETWORKS + OF_IMAGES
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| (\S.*?) \|", PAGE.read_text(), re.MULTILINE)
    told = {name: code for names, code in rows for name in re.findall(r"\w+", names)}
    assert len(found) == source.count("return Problem(") + len(OF_NETWORKS + OF_IMAGES) - 2
    for reason, code in found:
        assert reason in told
        assert reason in SAY_THEMSELVES or told[reason] == f"`{code}`"
