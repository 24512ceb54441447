"""The token that opens a pod's agent: whoever holds the platform key can compute it."""

from __future__ import annotations

import hashlib
import hmac

from pilotlight_wire.protocol import token_digest

__all__ = ["pod_token", "pod_token_digest"]


def pod_token(platform_key: bytes, pod: str) -> str:
    """Return the token of a pod, `namespace/name`."""
    return hmac.new(platform_key, b"agent:" + pod.encode(), hashlib.sha256).hexdigest()


def pod_token_digest(platform_key: bytes, pod: str) -> str:
    """Return what a pod's agent, and its PodSpec, know of its token."""
    return token_digest(pod_token(platform_key, pod).encode())
