"""File systems and /tmp: kept and shared where they must be, bounded, and never another's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cluster import OVERHEAD, SIZES, kubectl, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cluster import Installation

SOURCE = """
import os

def handler(event, context):
    path = event["path"]
    if "text" in event:
        with open(path, "a") as file:
            file.write(event["text"])
    found = os.stat(path)
    with open(path) as file:
        return {"text": file.read(), "uid": os.getuid(), "owner": found.st_uid}
"""
FILLING = """
import os, time

def handler(event, context):
    if event.get("megabytes"):
        with open("/tmp/file", "ab") as file:
            for _ in range(event["megabytes"]):
                file.write(os.urandom(1_000_000))
        time.sleep(event.get("seconds", 0))
    return os.path.exists("/tmp/file") and os.path.getsize("/tmp/file") // 1_000_000
"""
POINT = "fsap-0123456789abcdef0"


@pytest.fixture(scope="module")
def claim(platform: Installation) -> Iterator[str]:
    """Return a claim that functions may mount, of a folder of the node made for whoever has it."""
    name = f"{platform.account}-shared"
    volume: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteMany"],
            "storageClassName": "",
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": f"/tmp/{name}", "type": "DirectoryOrCreate"},
            "claimRef": {"namespace": platform.account, "name": "shared"},
        },
    }
    try:
        kubectl("apply", "-f", "-", stdin=json.dumps(volume))
        for other, labels in (("shared", {"pilotlight.dev/access-point": POINT}), ("private", {})):
            _claim(platform, other, labels, volume=name if other == "shared" else "nowhere")
        _open_folder(platform, f"/tmp/{name}")
        yield "shared"
    finally:
        kubectl("delete", "pv", name, "--wait=false", "--ignore-not-found")


def _claim(platform: Installation, name: str, labels: dict[str, str], *, volume: str) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": platform.account, "labels": labels},
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "storageClassName": "",
            "volumeName": volume,
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(claim))


def _open_folder(platform: Installation, path: str) -> None:
    """Let every user write to a folder of the node, as an admin makes an export."""
    container = {
        "name": "open",
        "image": "docker.io/pilotlight/gateway:0.1.0",
        "imagePullPolicy": "IfNotPresent",
        "command": ["/usr/local/pilotlight/bin/python", "-c",
                    "import os; os.chmod('/folder', 0o777)"],
        "securityContext": {"runAsUser": 0},
        "volumeMounts": [{"name": "folder", "mountPath": "/folder"}],
    }  # fmt: skip
    volume = {"name": "folder", "hostPath": {"path": path, "type": "DirectoryOrCreate"}}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "open-folder", "namespace": platform.namespace},
        "spec": {"containers": [container], "volumes": [volume], "restartPolicy": "Never"},
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(pod))
    done = "--for=jsonpath={.status.phase}=Succeeded"
    kubectl("wait", "-n", platform.namespace, "pod/open-folder", done, "--timeout=60s")
    kubectl("delete", "pod", "open-folder", "-n", platform.namespace, "--wait=false")


def test_two_functions_share_a_claim(platform: Installation, claim: str) -> None:
    """One by its name in a manifest, one by the access point over the API; one only reads."""
    mounted = [{"claim": claim, "path": "/mnt/data"}]
    platform.apply("writes", SOURCE, timeout=20, fileSystems=mounted)
    platform.apply("reads", SOURCE, timeout=20)
    platform.apply("only-reads", SOURCE, fileSystems=[mounted[0] | {"readOnly": True}])
    for name in ("writes", "reads", "only-reads"):
        platform.wait_ready(name)
    arn = f"arn:aws:elasticfilesystem:us-east-1:{platform.account_id()}:access-point/{POINT}"
    configs = [{"Arn": arn, "LocalMountPath": "/mnt/elsewhere"}]
    client = platform.client()
    client.update_function_configuration(FunctionName="reads", FileSystemConfigs=configs)
    client.get_waiter("function_updated_v2").wait(FunctionName="reads")
    told = client.get_function_configuration(FunctionName="writes")["FileSystemConfigs"]
    assert told == [{"Arn": arn, "LocalMountPath": "/mnt/data"}]
    first = platform.invoke("writes", {"path": "/mnt/data/notes", "text": "one "})
    assert first["uid"] == first["owner"] >= 100_000
    second = platform.invoke("reads", {"path": "/mnt/elsewhere/notes", "text": "two"})
    assert (second["text"], second["uid"]) == ("one two", first["uid"])
    assert platform.invoke("only-reads", {"path": "/mnt/data/notes"})["text"] == "one two"
    with pytest.raises(AssertionError, match="Read-only file system"):
        platform.invoke("only-reads", {"path": "/mnt/data/notes", "text": "three"})


def test_a_claim_that_cannot_be_mounted_says_why(platform: Installation, claim: str) -> None:
    """In a condition where that is known, else in Lambda's error of the call that wanted it."""
    del claim
    platform.apply("curious", SOURCE, fileSystems=[{"claim": "private", "path": "/mnt/x"}])
    code = "--for=jsonpath={.status.stateReasonCode}=EFSMountFailure"
    kubectl("wait", "-n", platform.account, code, "fn/curious", "--timeout=20s")
    labels = {"pilotlight.dev/access-point": POINT.replace("0", "f")}
    _claim(platform, "unbound", labels, volume="nowhere")
    platform.apply("waits", SOURCE, fileSystems=[{"claim": "unbound", "path": "/mnt/x"}])
    platform.wait_ready("waits")
    with pytest.raises(ClientError) as refused:
        platform.client().invoke(FunctionName="waits", Payload=b"{}")
    error: Any = refused.value.response
    assert error["Error"]["Code"] == "EFSMountFailureException", error
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_tmp_is_kept_bounded_and_a_revisions_own(platform: Installation) -> None:
    """Warm calls find it, another revision does not, and more than there may be is said.

    One environment, which gateways hand each other, so that every call is warm.
    """
    bounded = {"ephemeralStorage": 600, "reservedConcurrency": 1}
    platform.apply("fills", FILLING, timeout=60, **bounded)
    platform.wait_ready("fills")
    assert platform.invoke("fills", {"megabytes": 300}) == 300
    assert platform.invoke("fills", {"megabytes": 250}) == 550, "it is the same /tmp"
    answer = platform.client().invoke(
        FunctionName="fills", Payload=json.dumps({"megabytes": 100, "seconds": 30}), LogType="Tail"
    )
    failure = json.load(answer["Payload"])
    assert failure["errorType"] == "Runtime.ExitError"
    said = "No space left on device: /tmp holds more than 600 MB"
    assert failure["errorMessage"].endswith(said)
    assert platform.invoke("fills", {}) is False, "there is another environment, with an empty /tmp"
    assert platform.invoke("fills", {"megabytes": 1}) == 1
    platform.apply("fills", FILLING, timeout=61, **bounded)
    platform.wait_ready("fills")
    wait_until(lambda: platform.invoke("fills", {}) is False, "another revision has its own")


def test_memory_and_cpu_are_as_asked(platform: Installation) -> None:
    """Measured inside pods of the function's own; the pool's are in test_two_doors."""
    for name, memory, cpus in (("large", 10_240, 5.79), ("middle", 3538, 2.0)):
        platform.apply(name, SIZES, memory=memory)
        platform.wait_ready(name)
        seen = platform.invoke(name)
        assert seen["cpus"] == pytest.approx(cpus, abs=0.01)
        assert (seen["megabytes"], seen["said"]) == (memory + OVERHEAD, memory)


def test_secrets_are_files(platform: Installation) -> None:
    """Once they are there, to be read only, and brought up to date in the pods that run."""
    files = [{"secret": "db", "path": "/mnt/db"}]
    platform.apply("reader", SOURCE, secretFiles=files)
    wait_until(
        lambda: _reason(platform, "reader") == "SecretMissing", "the Secret is said to be missing"
    )
    secret = {
        "apiVersion": "v1", "kind": "Secret", "stringData": {"password": "first"},
        "metadata": {"name": "db", "namespace": platform.account},
    }  # fmt: skip
    kubectl("apply", "-f", "-", stdin=json.dumps(secret))
    platform.wait_ready("reader")
    assert platform.invoke("reader", {"path": "/mnt/db/password"})["text"] == "first"
    written = json.dumps({"path": "/mnt/db/password", "text": "mine"})
    answer = platform.client().invoke(FunctionName="reader", Payload=written)
    assert json.load(answer["Payload"])["errorType"] == "PermissionError"
    assert "first" not in json.dumps(platform.pods("reader"))
    secret["stringData"] = {"password": "second"}
    kubectl("apply", "-f", "-", stdin=json.dumps(secret))
    wait_until(
        lambda: platform.invoke("reader", {"path": "/mnt/db/password"})["text"] == "second",
        "the file is up to date",
        120,
    )


def _reason(platform: Installation, name: str) -> str | None:
    conditions = platform.function(name).get("status", {}).get("conditions", [])
    return next((one["reason"] for one in conditions if one["type"] == "Ready"), None)
