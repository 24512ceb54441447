"""Several calls at once in an environment: who may ask for it, and what it changes."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pilotlight.resources import Code, Configuration, FunctionSpec
from pilotlight.revision import revision_of
from pilotlight.runtimes import DEPRECATED_RUNTIMES, RUNTIMES

SHA = "a" * 64
ZIP = {"handler": "a.b", "code": Code(zip=SHA)}
AT_ONCE = sorted(
    one for one in RUNTIMES - DEPRECATED_RUNTIMES if not one.startswith(("dotnet", "ruby"))
)


def spec(**fields: Any) -> FunctionSpec:
    """Make a spec that asks for it."""
    return FunctionSpec(**{"calls_per_environment": 8, "runtime": "python3.13", **ZIP, **fields})


@pytest.mark.parametrize("runtime", AT_ONCE)
def test_runtimes_that_can(runtime: str) -> None:
    """Lambda's of managed instances, and older Pythons, of which each call has a process."""
    old = runtime == "nodejs20.x" or runtime.startswith(("java8", "java11", "java17"))
    if not old:
        assert spec(runtime=runtime).calls_per_environment == 8
        return
    with pytest.raises(ValidationError, match=f"runtime '{runtime}': callsPerEnvironment above 1"):
        spec(runtime=runtime)


def test_images_may() -> None:
    assert spec(runtime=None, handler=None, code=Code(image="a/b:c")).calls_per_environment == 8


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"runtime": "ruby3.3"}, "not supported with this runtime"),
        ({"environments_per_pod": 2}, "not both more than 1"),
        ({"calls_per_environment": 0}, "greater than or equal to 1"),
        ({"calls_per_environment": 65}, "less than or equal to 64"),
    ],
)
def test_what_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        spec(**fields)


def test_one_call_is_what_always_was() -> None:
    """The field changes no revision where it says nothing, and makes one where it does."""
    assert spec(runtime="ruby3.3", calls_per_environment=1, environments_per_pod=2)
    common: dict[str, Any] = {
        "runtime": "python3.13", "handler": "a.b", "code_sha256": SHA, "memory": 128, "timeout": 3,
        "ephemeral_storage": 512,
    }  # fmt: skip
    plain = Configuration(**common)
    assert revision_of(plain) == revision_of(Configuration(**common, calls_per_environment=1))
    assert revision_of(plain) != revision_of(Configuration(**common, calls_per_environment=2))
