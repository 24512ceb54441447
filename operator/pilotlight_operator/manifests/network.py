"""What opens a function's own network: labels of its pods, a NetworkPolicy that selects them.

Policies add up, so all that the chart opens for every function is in one that does not select pods
with `NETWORK_LABEL`; names' servers and the platform's port stay open to all. What the walls do not
let an account open is left out here, too: a grant that is taken back closes what it had opened.
"""

from __future__ import annotations

import hashlib
import json
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from pilotlight.errors import StartFailedError
from pilotlight.names import FUNCTION_LABEL, NETWORK_LABEL, label_value, security_group_label
from pilotlight.resources import NetworkPolicy, ObjectMeta

if TYPE_CHECKING:
    from pilotlight.resources import Egress, Key, Network
    from pilotlight.walls import Walls

__all__ = ["affinity", "labels", "network_digest", "network_policy"]

Json = dict[str, Any]

ZONE = "topology.kubernetes.io/zone"
_EVERYWHERE = ("0.0.0.0/0", "::/0")


def network_digest(network: Network) -> str:
    """Digest what stands in a network, as a label."""
    text = json.dumps(network.to_json(), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def labels(network: Network | None) -> dict[str, str]:
    """Return the labels of pods with a network of their own."""
    if network is None:
        return {}
    groups = {security_group_label(group): "true" for group in network.security_group_ids}
    return {NETWORK_LABEL: network_digest(network)} | groups


def affinity(network: Network | None, walls: Walls) -> Json:
    """Keep pods in their subnets' zones; raises StartFailedError for an unknown one."""
    zones = _zones(network, walls) if network else []
    if not zones:
        return {}
    term = {"matchExpressions": [{"key": ZONE, "operator": "In", "values": zones}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    return {"affinity": {"nodeAffinity": required}}


def _zones(network: Network, walls: Walls) -> list[str]:
    for subnet in network.subnet_ids:
        if subnet not in walls.subnets:
            raise StartFailedError(f"the subnet {subnet} is not there", reason="InvalidSubnet")
    zones = {walls.subnets[subnet].zone for subnet in network.subnet_ids}
    return [] if "" in zones else sorted(zones)  # one of no zone is everywhere


def network_policy(function: Key, network: Network, walls: Walls) -> NetworkPolicy:
    """Return the policy that opens a function's network to the pods that have it."""
    whose = {
        FUNCTION_LABEL: label_value(function.name),
        NETWORK_LABEL: network_digest(network),
    }
    metadata = ObjectMeta(name="-".join(whose.values()), namespace=function.namespace, labels=whose)
    allowed = [one for one in network.egress if walls.allows(function.namespace, one)]
    public = network.public and walls.opens_public(function.namespace)
    rules = [_rule(function.namespace, one, walls) for one in allowed]
    spec = {
        "podSelector": {"matchLabels": whose},
        "policyTypes": ["Egress"],
        "egress": rules + ([_internet(function.namespace, walls)] if public else []),
    }
    return NetworkPolicy(metadata=metadata, spec=spec)


def _internet(namespace: str, walls: Walls) -> Json:
    return {"to": [_block(namespace, cidr, walls) for cidr in _EVERYWHERE]}


def _rule(namespace: str, egress: Egress, walls: Walls) -> Json:
    ports = [one.to_json() for one in egress.ports]
    return {"to": [_peer(namespace, egress, walls)]} | ({"ports": ports} if ports else {})


def _peer(namespace: str, egress: Egress, walls: Walls) -> Json:
    if egress.cidr is not None:
        return _block(namespace, egress.cidr, walls)
    where = {"kubernetes.io/metadata.name": egress.namespace or namespace}
    pods = {"matchLabels": egress.pod_labels} if egress.pod_labels else {}
    return {"namespaceSelector": {"matchLabels": where}, "podSelector": pods}


def _block(namespace: str, cidr: str, walls: Walls) -> Json:
    block = ip_network(cidr)
    # Kubernetes takes no hole that is as large as what it is in; the internet has none such.
    holes = [str(one) for one in walls.holes(namespace, block) if one != block]
    return {"ipBlock": {"cidr": str(block)} | ({"except": holes} if holes else {})}
