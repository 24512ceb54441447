"""What an invocation runs: a function as it is now, or what a version froze of it."""

from __future__ import annotations

from pilotlight.resources import (
    Code,
    Configuration,
    Function,
    FunctionSpec,
    FunctionVersion,
    FunctionVersionSpec,
    ObjectMeta,
)
from pilotlight_gateway.invocation.targets import Target


def test_a_version_keeps_its_timeout() -> None:
    spec = FunctionSpec(runtime="python3.13", handler="a.b", code=Code(inline="x"), timeout=5)
    function = Function(metadata=ObjectMeta(name="fn", namespace="default"), spec=spec)
    configuration = Configuration(
        runtime="python3.13", handler="a.b", code_sha256="0" * 64, memory=128, timeout=900,
        ephemeral_storage=512,
    )  # fmt: skip
    version = FunctionVersion(
        metadata=ObjectMeta(name="fn-v1", namespace="default"),
        spec=FunctionVersionSpec(
            function="fn", function_name="fn", version=1, configuration=configuration,
            code_size=1, revision="r",
        ),
    )  # fmt: skip
    latest = Target(function, "$LATEST", None)
    published = Target(function, "1", None, version)
    assert (latest.timeout, published.timeout) == (5, 900)
    for target in (latest, published):
        assert target.timeout == target.described().spec.timeout
