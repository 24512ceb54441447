"""Versions, aliases and provisioned concurrency, by both doors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.support.cluster import kubectl, wait_until

if TYPE_CHECKING:
    from tests.support.cluster import Installation

SOURCE = """
import os

def handler(event, context):
    return [{text!r}, context.function_version, os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]]
"""
ALIAS = """
apiVersion: pilotlight.dev/v1alpha1
kind: FunctionAlias
metadata:
  name: versioned-live
  namespace: {namespace}
spec:
  function: versioned
  alias: live
  version: "1"
  provisionedConcurrency: 1
"""


def invoke(client: Any, qualifier: str) -> Any:
    answer = client.invoke(FunctionName="versioned", Qualifier=qualifier)
    return json.load(answer["Payload"])


def test_a_version_stays_and_an_alias_by_kubectl_is_provisioned(platform: Installation) -> None:
    """What boto3 published kubectl shows; what kubectl applied boto3 calls, and it is warm."""
    platform.apply("versioned", SOURCE.format(text="one"))
    platform.wait_ready("versioned")
    client = platform.client()
    assert client.publish_version(FunctionName="versioned")["Version"] == "1"
    shown = kubectl("get", "functionversions", "-n", platform.account, "-o", "name")
    assert "functionversion.pilotlight.dev/versioned-v1" in shown.splitlines()
    platform.apply("versioned", SOURCE.format(text="two"))
    platform.wait_ready("versioned")
    kubectl("apply", "-f", "-", stdin=ALIAS.format(namespace=platform.account))
    kubectl(
        "wait", "--for=condition=Ready", "functionalias/versioned-live", "-n", platform.account,
        "--timeout=20s",
    )  # fmt: skip

    def available() -> bool:
        state = client.get_provisioned_concurrency_config(
            FunctionName="versioned", Qualifier="live"
        )
        return bool(state["Status"] == "READY")

    wait_until(available, "the alias' environment is initialised")
    assert invoke(client, "live") == ["one", "1", "provisioned-concurrency"]
    wait_until(
        lambda: bool(invoke(client, "$LATEST")[:2] == ["two", "$LATEST"]), "the update is served"
    )
    client.delete_function(FunctionName="versioned")

    def gone() -> bool:
        kinds = "functionversions,functionaliases,pods"
        label = "pilotlight.dev/function=versioned"
        return not kubectl("get", kinds, "-n", platform.account, "-l", label, "-o", "name").strip()

    wait_until(gone, "versions, aliases and pods are collected")
