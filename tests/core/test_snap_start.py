"""What SnapStart is refused for, and which versions really start ahead."""

from __future__ import annotations

from typing import Any

import pytest

from pilotlight.resources import Code, Configuration, FunctionSpec
from pilotlight.snap_start import find_snap_start_problem, starts_ahead

CONFIGURATION = Configuration(
    runtime="python3.13", handler="a.b", code_sha256="a" * 64, memory=128, timeout=3,
    ephemeral_storage=512, snap_start="PublishedVersions",
)  # fmt: skip


def spec(runtime: str = "python3.13", **more: Any) -> FunctionSpec:
    wanted = {"snap_start": "PublishedVersions", "runtime": runtime, "handler": "a.b"} | more
    return FunctionSpec(code=Code(inline="x"), **wanted)


@pytest.mark.parametrize(
    "runtime", ["java11", "java21", "java17.al2023", "python3.12", "python3.15", "dotnet8"]
)
def test_it_is_taken_of_what_lambda_takes_it_of(runtime: str) -> None:
    assert find_snap_start_problem(spec(runtime)) is None


@pytest.mark.parametrize(
    "runtime",
    ["python3.11", "nodejs22.x", "ruby3.3", "java8.al2", "java8.al2023", "provided.al2023"],
)
def test_other_runtimes_are_refused_in_lambdas_words(runtime: str) -> None:
    expected = f"{runtime} is not supported for SnapStart enabled functions."
    assert find_snap_start_problem(spec(runtime)) == expected
    assert find_snap_start_problem(spec(runtime, snap_start="None")) is None


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"ephemeral_storage": 1024}, "EphemeralStorage above 512 MB"),
        ({"tenant_isolation_mode": "PER_TENANT"}, "TenancyConfig"),
    ],
)
def test_what_lambda_does_not_combine_is_refused(more: dict[str, Any], named: str) -> None:
    problem = find_snap_start_problem(spec(**more))
    assert problem == f"{named} is not supported for SnapStart enabled functions."


def test_what_is_forked_starts_ahead() -> None:
    assert starts_ahead(CONFIGURATION, ["COLOUR"])


@pytest.mark.parametrize(
    ("changed", "variables"),
    [
        ({"runtime": "java21"}, []),
        ({"memory": 2048}, []),
        ({"memory": 1024, "environments_per_pod": 2}, []),
        ({"ephemeral_storage": 1024}, []),
        ({}, ["PYTHONPATH"]),
        ({}, ["AWS_LAMBDA_EXEC_WRAPPER"]),
    ],
)
def test_what_gets_a_process_of_its_own_does_not(
    changed: dict[str, Any], variables: list[str]
) -> None:
    """Another family, what no waiting pod has room for, and what a new process alone reads."""
    assert not starts_ahead(CONFIGURATION.model_copy(update=changed), variables)
