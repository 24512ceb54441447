"""The chart as an API: every option on, no wildcard, restricted pods, a strict schema."""

from __future__ import annotations

import json
import os
import subprocess
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pilotlight.names import NETWORK_LABEL
from pilotlight.resources import GROUP, Namespace, RuntimeSpec
from pilotlight.resources.registry import CUSTOM_KINDS, KINDS
from pilotlight_operator.controller import WATCHED
from pilotlight_operator.services.aliases import AliasService
from pilotlight_operator.services.functions import FunctionService
from pilotlight_operator.services.routes import RouteService
from pilotlight_operator.services.versions import VersionService
from tests.support.cluster import CHART, find_helm

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]

EVERY_OPTION: Json = {
    "accounts": ["team-a", "team-b"],
    "aws": {"endpointUrl": "http://s3.example"},
    "eventSources": {"private": ["elasticmq.queues:9324", "kafka.queues:9092"]},
    "concurrencyLimit": 77,
    "hosts": {
        "reserved": ["lambda.example.com"],
        "accounts": {"team-a": ["*.shop.example.com"]},
    },
    "functions": {
        "imagePullSecret": "pull",
        "network": {
            "denyByDefault": True,
            "dns": [{"ipBlock": {"cidr": "10.96.0.10/32"}}],
            "extraEgress": [{"ports": [{"port": 6379}]}],
            "grants": {
                "team-a": {"public": True, "cidrs": ["10.20.0.0/16"], "namespaces": ["databases"]}
            },
            "subnets": {"subnet-0a": {"vpc": "vpc-1", "zone": "eu-1a"}},
        },
    },
    "operator": {"replicas": 2, "priorityClassName": "high", "nodeSelector": {"a": "b"}},
    "gateway": {
        "replicas": 3,
        "autoscaling": {"enabled": True, "most": 9},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "podAnnotations": {"example.com/own": "yes"},
        "extraEnvironment": [{"name": "OWN", "value": "yes"}],
        "service": {"type": "NodePort", "nodePort": 30900, "annotations": {"x": "y"}},
    },
    "roles": {"tokenAudience": "sts.amazonaws.com"},
    "postgresql": {"bundled": True, "persistent": True, "storageClassName": "fast"},
    "imagePullSecrets": [{"name": "pull"}],
}


@pytest.fixture(scope="module")
def program() -> str:
    found = find_helm()
    if not found and os.environ.get("CI"):
        pytest.fail("CI tests the chart: no helm here")
    if not found:
        pytest.skip("THE CHART WAS NOT TESTED: no helm here, set HELM")
    return found


def _helm(program: str, command: str, values: Json, *arguments: str) -> str:
    name = ["release"] if command == "template" else []
    done = subprocess.run(
        [program, command, *name, str(CHART), *arguments, "-f", "-"],
        input=json.dumps(values), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def render(program: str, values: Json) -> list[Json]:
    arguments = ("--kube-version", "1.34.0", "--namespace", "platform")
    documents = yaml.safe_load_all(_helm(program, "template", values, *arguments))
    return [document for document in documents if document]


@pytest.fixture(scope="module")
def rendered(program: str) -> list[Json]:
    return render(program, EVERY_OPTION)


def _of_kind(rendered: list[Json], *kinds: str) -> list[Json]:
    found = [one for one in rendered if one["kind"] in kinds]
    assert found, f"no {kinds}"
    return found


def _pod_specs(rendered: list[Json]) -> Iterator[tuple[str, Json]]:
    for one in _of_kind(rendered, "Deployment", "StatefulSet", "Pod"):
        spec = one["spec"] if one["kind"] == "Pod" else one["spec"]["template"]["spec"]
        yield one["metadata"]["name"], spec


def test_it_lints_with_every_option(program: str) -> None:
    assert "0 chart(s) failed" in _helm(program, "lint", EVERY_OPTION, "--strict")


def test_no_rule_has_a_wildcard(rendered: list[Json]) -> None:
    for role in _of_kind(rendered, "Role", "ClusterRole"):
        for rule in role["rules"]:
            for part in ("apiGroups", "resources", "verbs"):
                assert "*" not in rule[part], role["metadata"]["name"]


def test_cluster_wide_rights_are_few(rendered: list[Json]) -> None:
    resources = {
        resource
        for role in _of_kind(rendered, "ClusterRole")
        for rule in role["rules"]
        for resource in rule["resources"]
    }
    assert resources == {"runtimes", "namespaces"}
    for role in _of_kind(rendered, "ClusterRole"):
        for rule in role["rules"]:
            if "namespaces" in rule["resources"]:
                assert rule["resourceNames"] == ["team-a", "team-b"]


def _verbs(rendered: list[Json], component: str) -> dict[str, set[str]]:
    """Return what a component may do with each resource, somewhere."""
    verbs: defaultdict[str, set[str]] = defaultdict(set)
    for role in _of_kind(rendered, "Role", "ClusterRole"):
        if f"-{component}" in role["metadata"]["name"]:
            for rule in role["rules"]:
                for resource in rule["resources"]:
                    verbs[resource] |= set(rule["verbs"])
    return verbs


WATCHING = {"get", "list", "watch"}


def test_the_operator_may_watch_and_settle_what_it_reconciles(rendered: list[Json]) -> None:
    verbs = _verbs(rendered, "operator")
    for kind in WATCHED:
        assert verbs[kind.plural] >= WATCHING, kind
    assert verbs[Namespace.plural] >= WATCHING | {"update"}
    for service in (FunctionService, VersionService, AliasService, RouteService):
        assert "patch" in verbs[f"{service.kind.plural}/status"], service


def test_the_gateway_may_watch_every_kind_and_write_what_accounts_own(rendered: list[Json]) -> None:
    verbs = _verbs(rendered, "gateway")
    for kind in KINDS.values():
        if not kind.cluster_scoped and kind.group() == GROUP:
            writing = {"create", "update", "delete"}
            assert verbs[kind.plural] >= WATCHING | writing, kind
    assert verbs["secrets"] == WATCHING | {"create"}, "more than access keys and variables need"
    assert (verbs["serviceaccounts"], verbs["serviceaccounts/token"]) == ({"get"}, {"create"})
    assert verbs["persistentvolumeclaims"] == verbs["networkpolicies"] == {"list"}


def test_tokens_of_accounts_are_the_gateways_only_where_roles_ask_for_them(program: str) -> None:
    without = EVERY_OPTION | {"roles": {"tokenAudience": ""}}
    assert (
        not {"serviceaccounts", "serviceaccounts/token"}
        & _verbs(render(program, without), "gateway").keys()
    )


def test_an_upgrade_may_reuse_values_that_are_older_than_the_chart(program: str) -> None:
    """`helm upgrade --reuse-values` has none of those that came since; docs/operate.md has it."""
    older = EVERY_OPTION | {"roles": None}
    older["functions"] = {"network": {"grants": None, "subnets": None}}
    assert _of_kind(render(program, older), "Deployment")


def test_the_releases_namespace_is_no_account(program: str) -> None:
    """Its Secrets are access keys and the platform key: functions' variables would show them."""
    done = subprocess.run(
        [program, "template", "release", str(CHART), "--namespace", "platform",
         "--kube-version", "1.34.0",
         "--set", "postgresql.bundled=true", "--set", "accounts={team-a,platform}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "platform is the release's own namespace" in done.stderr


def test_no_role_names_a_kind_that_is_not_there(rendered: list[Json]) -> None:
    known = {kind.plural for kind in CUSTOM_KINDS.values()}
    for role in _of_kind(rendered, "Role", "ClusterRole"):
        for rule in role["rules"]:
            if rule["apiGroups"] == [GROUP]:
                named = {resource.partition("/")[0] for resource in rule["resources"]}
                assert named <= known, role["metadata"]["name"]


def test_every_pod_passes_restricted(rendered: list[Json]) -> None:
    for name, spec in _pod_specs(rendered):
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["enableServiceLinks"] is False, name
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["readOnlyRootFilesystem"] is True, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name


def test_account_namespaces_enforce_restricted(rendered: list[Json]) -> None:
    namespaces = _of_kind(rendered, "Namespace")
    assert {one["metadata"]["name"] for one in namespaces} == {"team-a", "team-b"}
    for one in namespaces:
        assert one["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
        assert one["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def _functions_policy(program: str, name: str = "functions", **network: Any) -> Json:
    """Return a policy of what a release lets functions do."""
    values = {"postgresql": {"bundled": True}, "functions": {"network": network}}
    rendered = render(program, values)
    (policy,) = [
        one
        for one in _of_kind(rendered, "NetworkPolicy")
        if one["metadata"]["name"].endswith(f"-{name}")
    ]
    spec: Json = policy["spec"]
    return spec


def test_functions_reach_nothing_private(program: str) -> None:
    policy = _functions_policy(program)
    default = _functions_policy(program, "functions-default")
    peers = [peer for one in (policy, default) for rule in one["egress"] for peer in rule["to"]]
    (public,) = [
        peer["ipBlock"] for peer in peers if peer.get("ipBlock", {}).get("cidr") == "0.0.0.0/0"
    ]
    assert {"10.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16"} <= set(public["except"])
    (ingress,) = policy["ingress"]
    assert [port["port"] for port in ingress["ports"]] == [8700]


def test_what_a_function_declares_is_all_that_it_reaches(program: str) -> None:
    """Policies add up: the one with the internet does not select it, the one of the walls does."""
    walls = _functions_policy(program)
    assert walls["podSelector"].keys() == {"matchLabels"}
    assert walls["policyTypes"] == ["Ingress", "Egress"]
    assert [[port["port"] for port in rule["ports"]] for rule in walls["egress"]] == [
        [53, 53], [8081],
    ]  # fmt: skip
    default = _functions_policy(program, "functions-default", extraEgress=[{"ports": []}])
    assert default["podSelector"]["matchLabels"] == walls["podSelector"]["matchLabels"]
    assert default["podSelector"]["matchExpressions"] == [
        {"key": NETWORK_LABEL, "operator": "DoesNotExist"}
    ]
    assert default["policyTypes"] == ["Egress"]
    assert len(default["egress"]) == 2


def test_the_walls_of_functions_outlive_the_release(rendered: list[Json]) -> None:
    """As their pods do: those are the functions', which stay."""
    kept = {one["metadata"]["namespace"] for one in _of_kind(rendered, "NetworkPolicy")
            if "helm.sh/resource-policy" in one["metadata"].get("annotations", {})}  # fmt: skip
    assert kept == {"team-a", "team-b"}


def test_functions_ask_the_clusters_dns_alone(program: str) -> None:
    """By default no other pod of the cluster, and no private address, is reached on port 53."""
    dns = _functions_policy(program)["egress"][0]
    assert {port["port"] for port in dns["ports"]} == {53}
    assert dns["to"] == [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
        },
        {"ipBlock": {"cidr": "169.254.20.10/32"}},
    ]
    without = _functions_policy(program, dns=[])  # a rule to no peer would be one to all
    assert all(rule["to"] for rule in without["egress"])


def test_deny_by_default_closes_the_internet(rendered: list[Json]) -> None:
    for policy in _of_kind(rendered, "NetworkPolicy"):
        for rule in policy["spec"].get("egress", []):
            for peer in rule.get("to", []):
                assert peer.get("ipBlock", {}).get("cidr") != "0.0.0.0/0"


def test_the_platforms_pods_go_before_functions(program: str, rendered: list[Json]) -> None:
    """A node that functions have filled makes room for gateway, operator and database."""
    (made,) = _of_kind(rendered, "PriorityClass")
    assert made["value"] > 0
    assert not made.get("globalDefault")
    chosen = {name.rpartition("-")[2]: spec.get("priorityClassName") for name, spec in
              _pod_specs(rendered)}  # fmt: skip
    own = made["metadata"]["name"]
    assert (chosen["gateway"], chosen["operator"], chosen["postgresql"]) == (own, "high", own)
    without = render(program, {"platformPriority": 0, "postgresql": {"bundled": True}})
    assert not [one for one in without if one["kind"] == "PriorityClass"]
    assert not [spec for _, spec in _pod_specs(without) if "priorityClassName" in spec]


def test_pods_are_as_their_admin_wants_them(rendered: list[Json]) -> None:
    """Annotations, variables and affinity of one's own beside those that the chart gives."""
    (gateway,) = [
        one["spec"]["template"]
        for one in _of_kind(rendered, "Deployment")
        if one["metadata"]["name"].endswith("-gateway")
    ]
    assert gateway["metadata"]["annotations"]["example.com/own"] == "yes"
    assert "checksum/settings" in gateway["metadata"]["annotations"]
    variables = {one["name"]: one.get("value") for one in gateway["spec"]["containers"][0]["env"]}
    assert (variables["OWN"], variables["PILOTLIGHT_REGION"]) == ("yes", "us-east-1")
    assert gateway["spec"]["affinity"] == {"nodeAffinity": {}}
    assert gateway["spec"]["topologySpreadConstraints"]


def test_an_autoscaler_of_gateways_is_the_only_one_that_counts_them(
    program: str, rendered: list[Json]
) -> None:
    """A Deployment that said how many would undo its work at each upgrade."""
    (scaler,) = _of_kind(rendered, "HorizontalPodAutoscaler")
    target = scaler["spec"]["scaleTargetRef"]["name"]
    deployments = {one["metadata"]["name"]: one["spec"] for one in _of_kind(rendered, "Deployment")}
    assert "replicas" not in deployments[target]
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (3, 9)
    without = render(program, {"postgresql": {"bundled": True}, "gateway": {"replicas": 2}})
    assert {one["spec"].get("replicas") for one in _of_kind(without, "Deployment")} == {1, 2}


def test_no_secret_stands_in_a_pod(rendered: list[Json]) -> None:
    for _, spec in _pod_specs(rendered):
        for container in spec["containers"]:
            for variable in container.get("env", []):
                assert "postgresql://" not in str(variable.get("value"))


def test_the_crds_are_kept_and_current(rendered: list[Json]) -> None:
    crds = _of_kind(rendered, "CustomResourceDefinition")
    assert {one["spec"]["names"]["kind"] for one in crds} >= {"Function", "Runtime"}
    for one in crds:
        assert one["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_runtimes_of_the_values_are_valid(rendered: list[Json]) -> None:
    (settings,) = [one for one in rendered if one["metadata"]["name"].endswith("-runtimes")]
    for spec in json.loads(settings["data"]["runtimes.json"]).values():
        RuntimeSpec.model_validate(spec)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"postgresql": {"bundled": False}}, "give url or existingSecret"),
        ({"postgresql": {"bundled": True}, "typo": 1}, "typo"),
        ({"postgresql": {"bundled": True}, "accounts": []}, "accounts"),
        ({"postgresql": {"bundled": True}, "region": "nowhere"}, "region"),
        ({"postgresql": {"bundled": True}, "gateway": {"replicas": 0}}, "replicas"),
        (
            {
                "postgresql": {"bundled": True},
                "gateway": {"replicas": 4, "autoscaling": {"enabled": True, "most": 3}},
            },
            "gateway.autoscaling.most is 3",
        ),
    ],
)
def test_wrong_values_are_refused(program: str, values: Json, says: str) -> None:
    with pytest.raises(AssertionError) as refused:
        render(program, values)
    assert says in str(refused.value)


def test_the_schema_describes_every_value_and_no_other() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    _compare("", schema, values)


def _compare(path: str, schema: Json, values: Json) -> None:
    """Hold a part of the schema against the part of the values it is for."""
    described = set(schema["properties"]) - {"global"}
    assert set(values) == described, path
    for name, part in schema["properties"].items():
        assert part.get("description"), f"{path}.{name} is not described"
        if "properties" in part:
            assert part["additionalProperties"] is False, f"{path}.{name}"
            _compare(f"{path}.{name}", part, values[name])
