"""Packages on a real cluster: compiled once by the operator, then imported from bytecode."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from tests.support.cluster import wait_until
from tests.support.dependency import COMPILED, package

if TYPE_CHECKING:
    from tests.support.cluster import Installation


def test_a_package_is_imported_from_bytecode(platform: Installation) -> None:
    """By a pod that starts after it was compiled; before that the package itself serves."""
    client = platform.client()
    client.create_function(
        FunctionName="compiled", Runtime="python3.13", Handler="main.handler", Timeout=10,
        Role="arn:aws:iam::000000000000:role/any", Code={"ZipFile": package()},
    )  # fmt: skip
    client.get_waiter("function_active_v2").wait(FunctionName="compiled")
    numbers = itertools.count()

    def is_compiled() -> bool:
        """Look in a pod of its own."""
        variables = {"NUMBER": str(next(numbers))}
        client.update_function_configuration(
            FunctionName="compiled", Environment={"Variables": variables}
        )
        client.get_waiter("function_updated_v2").wait(FunctionName="compiled")
        return bool(platform.invoke("compiled") == COMPILED)

    wait_until(is_compiled, "the package is compiled")
    platform.delete("compiled")
