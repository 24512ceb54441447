"""Rules of a function that the API server checks by itself: what no field says alone.

`FunctionSpec` checks the same of what comes by the API, and in local mode.
"""

from __future__ import annotations

from pilotlight.runtimes import ONE_CALL_RUNTIMES

__all__ = ["ONE_CALL", "ONE_OF_BOTH", "ONE_PATH_EACH", "RULES"]

_ONE_CALL_IDS = sorted(ONE_CALL_RUNTIMES)
_TAKES_ONE = "!has(self.callsPerEnvironment) || self.callsPerEnvironment == 1"
ONE_OF_BOTH = "callsPerEnvironment and environmentsPerPod are not both more than 1"
ONE_PATH_EACH = "each of fileSystems and secretFiles has a path of its own"
ONE_CALL = (
    "callsPerEnvironment above 1 is not supported with this runtime, whose environments take one "
    "call at a time: Python, Node.js 22, Java 21 or newer, provided or an image is expected"
)

RULES = (
    (
        (
            "has(self.functionName) == has(oldSelf.functionName) && "
            "(!has(self.functionName) || self.functionName == oldSelf.functionName)"
        ),
        "functionName is immutable",
    ),
    (
        "has(self.tenantIsolationMode) == has(oldSelf.tenantIsolationMode)",
        "tenantIsolationMode is immutable",
    ),
    (
        "!has(self.tenantIsolationMode) || !has(self.url)",
        "url is not supported with tenantIsolationMode",
    ),
    (
        "has(self.code.image) || (has(self.runtime) && has(self.handler))",
        "runtime and handler are required unless code.image is given",
    ),
    (
        "!has(self.code.image) || (!has(self.runtime) && !has(self.handler))",
        "runtime and handler are not supported with code.image",
    ),
    (
        "!has(self.code.image) || !has(self.layers) || self.layers.size() == 0",
        "layers are not supported with code.image",
    ),
    (
        "has(self.code.image) || !has(self.imageConfig)",
        "imageConfig is supported with code.image only",
    ),
    (
        f"{_TAKES_ONE} || !has(self.environmentsPerPod) || self.environmentsPerPod == 1",
        ONE_OF_BOTH,
    ),
    (
        (
            "!has(self.secretFiles) || self.secretFiles.all(one, "
            "self.secretFiles.exists_one(other, other.path == one.path) && "
            "(!has(self.fileSystems) || !self.fileSystems.exists(other, other.path == one.path)))"
        ),
        ONE_PATH_EACH,
    ),
    (
        f"{_TAKES_ONE} || !has(self.runtime) || !(self.runtime in {_ONE_CALL_IDS})",
        ONE_CALL,
    ),
)
"""In CEL, each with what is told where it does not hold."""
