"""Runtime families: every id has one, and each has its other half in the agent."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import botocore
import pytest

import pilotlight_agent.runtimes as agents
from pilotlight.resources import IMAGE_RUNTIME
from pilotlight.runtimes import DEPRECATED_RUNTIMES, FAMILIES, RUNTIMES, family_of


def test_every_id_of_lambdas_model_is_known() -> None:
    model = Path(botocore.__file__).with_name("data") / "lambda/2015-03-31/service-2.json.gz"
    shapes = json.loads(gzip.decompress(model.read_bytes()))["shapes"]
    # `custom` is in the model and nowhere in the Developer Guide's table of runtimes.
    assert {*shapes["Runtime"]["enum"]} - {"custom"} == RUNTIMES


def test_an_id_has_one_family() -> None:
    for family in FAMILIES:
        assert not family.supported & family.deprecated
        ids = family.supported | family.deprecated
        assert {family_of(runtime) for runtime in ids} == {family}


def test_what_is_deprecated_is_known() -> None:
    assert DEPRECATED_RUNTIMES < RUNTIMES
    assert "python3.13" in RUNTIMES - DEPRECATED_RUNTIMES


def test_an_unknown_runtime_can_nothing() -> None:
    unknown = family_of("cobol85")
    assert (unknown.needs_image, unknown.pooled, unknown.compiled) == (True, False, False)
    assert unknown.source_file("index.handler") is None


@pytest.mark.parametrize(
    ("runtime", "needs_image", "pooled", "compiled"),
    [
        ("python3.13", False, True, True),
        ("provided.al2023", False, False, False),
        ("nodejs24.x", False, True, False),
        ("java21", False, True, False),
        ("ruby3.4", False, True, False),
        ("dotnet8", True, False, False),
    ],
)
def test_what_a_family_says(
    runtime: str,
    needs_image: bool,  # noqa: FBT001  a row
    pooled: bool,  # noqa: FBT001  a row
    compiled: bool,  # noqa: FBT001  a row
) -> None:
    family = family_of(runtime)
    said = (family.needs_image, family.pooled, family.compiled)
    assert said == (needs_image, pooled, compiled)


def test_what_runs_here_has_its_other_half_in_the_agent() -> None:
    """Of the same name, but for bootstraps, which are what is left there."""
    run_here = [family for family in FAMILIES if not family.needs_image]
    halves = {family.prefix: agents.family_of(f"{family.prefix}1") for family in run_here}
    assert {prefix: half.prefix for prefix, half in halves.items()} == {
        "java": "java",
        "nodejs": "nodejs",
        "provided": "",
        "python": "python",
        "ruby": "ruby",
    }
    assert {half.prefix for half in agents.FAMILIES} == {
        *(half.prefix for half in halves.values()),
        IMAGE_RUNTIME,  # which is no function's runtime, and has no code to look at
    }
    assert all(halves[family.prefix].managed == family.pooled for family in run_here)
