"""The function service: Lambda's states, Kubernetes' conditions, convergence after any kill."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from pilotlight.names import ACCOUNT_LABEL, FUNCTION_LABEL, MODIFIED_ANNOTATION, derive_account
from pilotlight.packages import inline_package
from pilotlight.resources import Condition, Function, Key, Namespace, ObjectMeta, Secret
from tests.support.memory import KilledError

from .conftest import SOURCE, Platform

if TYPE_CHECKING:
    from pilotlight.resources import FunctionStatus

CHANGED = "def handler(event, context):\n    return 'changed'\n"


def condition(function: Function, kind: str) -> Condition:
    found = function.status.condition(kind)
    assert found is not None, f"no condition {kind}"
    return found


async def test_a_new_function_becomes_active(platform: Platform) -> None:
    await platform.apply()
    assert await platform.reconcile() is None
    function = await platform.function()
    package = inline_package("index.handler", SOURCE, "python3.13")
    status = function.status
    assert (status.state, status.last_update_status) == ("Active", "Successful")
    assert status.configuration is not None
    assert status.configuration.code_sha256 == hashlib.sha256(package).hexdigest()
    assert status.code_size == len(package)
    account = derive_account("team")
    assert status.arn == f"arn:aws:lambda:us-east-1:{account}:function:hello"
    assert condition(function, "Ready").status == "True"
    assert condition(function, "CodeAvailable").status == "True"
    assert condition(function, "Progressing").status == "False"
    assert platform.gateways.asked == [(Key("team", "hello"), status.revision)]


async def test_it_is_pending_until_the_gateways_know_it(platform: Platform) -> None:
    await platform.apply()
    platform.gateways.slow = 1
    assert await platform.reconcile() == pytest.approx(1.0)
    function = await platform.function()
    assert function.status.revision is not None
    assert (function.status.state, function.status.state_reason_code) == ("Pending", "Creating")
    assert condition(function, "Ready").status == "Unknown"
    assert await platform.reconcile() is None
    assert (await platform.function()).status.state == "Active"


async def test_a_change_is_in_progress_until_the_gateways_know_it(platform: Platform) -> None:
    await platform.apply()
    await platform.reconcile()
    first = await platform.function()
    await platform.apply(code={"inline": CHANGED})
    platform.gateways.slow = 1
    await platform.reconcile()
    rolling = await platform.function()
    assert rolling.status.revision != first.status.revision
    assert (rolling.status.state, rolling.status.last_update_status) == ("Active", "InProgress")
    await platform.reconcile()
    assert (await platform.function()).status.last_update_status == "Successful"


async def test_a_settled_function_is_not_written_again(platform: Platform) -> None:
    await platform.apply()
    await platform.reconcile()
    writes = platform.writes.count
    platform.restart()
    assert await platform.reconcile() is None
    assert platform.writes.count == writes
    assert len(platform.gateways.asked) == 1


async def test_a_function_that_stays_broken_is_not_written_again(platform: Platform) -> None:
    await platform.apply(code={"zip": "0" * 64})
    await platform.reconcile()
    writes = platform.writes.count
    assert await platform.reconcile() == pytest.approx(15.0)
    assert platform.writes.count == writes


async def test_each_change_becomes_a_version_where_the_manifest_says_so(
    platform: Platform,
) -> None:
    """Once it is served, and once only; a change that cannot be served becomes none."""
    await platform.apply(publish="OnChange")
    assert await platform.versions() == [1]
    await platform.apply(publish="OnChange", code={"inline": CHANGED})
    platform.gateways.slow = 1
    await platform.reconcile()
    assert await platform.versions(reconcile=False) == [1]
    assert await platform.versions() == [1, 2]
    platform.restart()
    assert await platform.versions() == [1, 2]
    await platform.apply(publish="OnChange", code={"zip": "0" * 64})
    assert await platform.versions() == [1, 2]


async def test_nothing_becomes_a_version_where_it_does_not(platform: Platform) -> None:
    await platform.apply()
    assert await platform.versions() == []


PROBLEMS: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "unknown runtime": ({"runtime": "cobol85"}, "RuntimeUnknown", "InvalidRuntime", "cobol85"),
    "package missing": (
        {"code": {"zip": "ab" * 32}},
        "CodeMissing",
        "InvalidZipFileException",
        "abab",
    ),
    "deprecated runtime": ({"runtime": "python3.8"}, "RuntimeDeprecated", "InvalidRuntime", "3.8"),
    "runtime without image": (
        {"runtime": "ruby3.4"},
        "RuntimeUnavailable",
        "InvalidRuntime",
        "ruby3.4",
    ),
    "inline without a file": (
        {"handler": "/etc/index.handler"},
        "CodeInvalid",
        "InvalidConfiguration",
        "/etc/index.handler",
    ),
    "no such object": (
        {"code": {"s3": {"bucket": "bucket", "key": "a.zip"}}},
        "CodeUnreadable",
        "InvalidConfiguration",
        "S3 Error Code: NoSuchKey",
    ),
    "image": (
        {"code": {"image": "registry/image"}, "runtime": None, "handler": None},
        "ImagesUnsupported",
        "InvalidConfiguration",
        "a Runtime named 'container-image' is expected",
    ),
    "SnapStart with tenants": (
        {"snapStart": "PublishedVersions", "tenantIsolationMode": "PER_TENANT"},
        "SnapStartUnsupported",
        "InvalidConfiguration",
        "TenancyConfig is not supported",
    ),
    "secret missing": (
        {"environmentFrom": {"secret": "nowhere"}},
        "SecretMissing",
        "InvalidConfiguration",
        "nowhere",
    ),
}


@pytest.mark.parametrize(("spec", "reason", "code", "says"), PROBLEMS.values(), ids=PROBLEMS)
async def test_what_is_wrong_is_said_in_conditions_and_in_lambdas_words(
    platform: Platform, spec: dict[str, Any], reason: str, code: str, says: str
) -> None:
    await platform.apply(**spec)
    await platform.reconcile()
    function = await platform.function()
    ready = condition(function, "Ready")
    assert (ready.status, ready.reason) == ("False", reason)
    assert says in ready.message
    assert (function.status.state, function.status.state_reason_code) == ("Failed", code)
    assert function.status.revision is None
    about_code = reason.startswith(("Code", "Image"))
    assert (condition(function, "CodeAvailable").status == "False") is about_code


async def test_a_repaired_function_becomes_active(platform: Platform) -> None:
    await platform.apply(runtime="ruby3.4")
    await platform.reconcile()
    await platform.apply()
    await platform.reconcile()
    status = (await platform.function()).status
    assert (status.state, status.state_reason, status.last_update_status) == (
        "Active",
        None,
        "Successful",
    )


async def test_a_failed_change_keeps_what_served(platform: Platform) -> None:
    await platform.apply()
    await platform.reconcile()
    before = (await platform.function()).status
    await platform.apply(runtime="ruby3.4")
    await platform.reconcile()
    function = await platform.function()
    after = function.status
    assert (after.revision, after.configuration) == (before.revision, before.configuration)
    assert (after.state, after.last_update_status) == ("Active", "Failed")
    assert after.last_update_status_reason_code == "InvalidRuntime"
    assert condition(function, "Ready").status == "False"
    assert f"revision {before.revision} goes on serving" in condition(function, "Ready").message
    await platform.apply()
    await platform.reconcile()
    assert (await platform.function()).status.last_update_status == "Successful"


async def test_the_older_object_keeps_the_name(platform: Platform) -> None:
    await platform.apply("older", functionName="shared")
    await platform.apply("newer", functionName="shared")
    await platform.reconcile("newer")
    await platform.reconcile("older")
    newer = await platform.function("newer")
    assert condition(newer, "Ready").reason == "NameTaken"
    assert "'older'" in condition(newer, "Ready").message
    assert (await platform.function("older")).status.state == "Active"
    await platform.resources.delete(Function, Key("team", "older"))
    await platform.reconcile("newer")
    assert (await platform.function("newer")).status.state == "Active"


async def test_last_modified_and_transitions_move_only_when_they_should(platform: Platform) -> None:
    await platform.apply()
    await platform.reconcile()
    old = "2000-01-01T00:00:00Z"
    function = await platform.function()
    function.status.last_modified = old
    for found in function.status.conditions:
        found.last_transition_time = old
    await platform.resources.write_status(function)
    await platform.reconcile()
    assert _times(await platform.function()) == {old}
    await platform.apply(description="other words")
    await platform.reconcile()
    function = await platform.function()
    assert function.status.last_modified != old
    assert condition(function, "Ready").last_transition_time == old
    assert condition(function, "Ready").observed_generation == 2


async def test_last_modified_is_the_api_s_own_where_it_changed(platform: Platform) -> None:
    """A later change without the API is dated when it is seen, never back."""
    await platform.apply()
    noted = "2999-01-01T00:00:00.345Z"
    function = await platform.function()
    function.metadata.annotations[MODIFIED_ANNOTATION] = noted
    await platform.resources.replace(function)
    await platform.reconcile()
    assert (await platform.function()).status.last_modified == noted
    await platform.apply(description="by kubectl")
    await platform.reconcile()
    assert (await platform.function()).status.last_modified not in {noted, None}


def _times(function: Function) -> set[str | None]:
    transitions = {found.last_transition_time for found in function.status.conditions}
    return {function.status.last_modified, *transitions}


async def _secret(platform: Platform, name: str, **variables: str) -> Secret:
    metadata = ObjectMeta(name=name, namespace="team", labels={FUNCTION_LABEL: "hello"})
    return await platform.resources.create(Secret(metadata=metadata, string_data=variables))


async def test_a_secrets_variables_are_a_part_of_the_revision(platform: Platform) -> None:
    secret = await _secret(platform, "one", TOKEN="s3cret")
    await platform.apply(environmentFrom={"secret": "one"})
    await platform.reconcile()
    first = (await platform.function()).status
    assert first.configuration is not None
    assert first.configuration.environment_secret == "one"
    assert "s3cret" not in first.model_dump_json()
    stored = await platform.resources.get(Secret, secret.key)
    await platform.resources.replace(stored.model_copy(update={"string_data": {"TOKEN": "other"}}))
    await platform.reconcile()
    assert (await platform.function()).status.revision != first.revision


@pytest.mark.parametrize(
    ("variables", "says"),
    [({"AWS_REGION": "x"}, "AWS_REGION"), ({"BIG": "x" * 4000}, "4KB"), ({"CUT": "a\0b"}, "a NUL")],
)
async def test_a_secret_and_the_spec_are_checked_together(
    platform: Platform, variables: dict[str, str], says: str
) -> None:
    await _secret(platform, "one", **variables)
    await platform.apply(environmentFrom={"secret": "one"}, environment={"MORE": "y" * 200})
    await platform.reconcile()
    ready = condition(await platform.function(), "Ready")
    assert ready.reason == "EnvironmentInvalid"
    assert says in ready.message


async def test_a_superseded_secret_goes_after_the_switch(platform: Platform) -> None:
    await _secret(platform, "one", TOKEN="1")
    await platform.apply(environmentFrom={"secret": "one"})
    await platform.reconcile()
    await _secret(platform, "two", TOKEN="2")
    await platform.apply(environmentFrom={"secret": "two"})
    platform.gateways.slow = 1
    await platform.reconcile()
    assert await _secret_names(platform) == {"one", "two"}
    await platform.reconcile()
    assert await _secret_names(platform) == {"two"}
    await platform.resources.delete(Function, Key("team", "hello"))
    assert await _secret_names(platform) == set()


async def _secret_names(platform: Platform) -> set[str]:
    return {secret.metadata.name for secret in await platform.resources.list(Secret, "team")}


async def test_an_account_id_is_written_where_it_is_missing(platform: Platform) -> None:
    await platform.apply()
    await platform.reconcile()
    namespace = await platform.resources.get(Namespace, Key("", "team"))
    assert namespace.metadata.labels[ACCOUNT_LABEL] == derive_account("team")


async def test_a_taken_account_id_is_refused(platform: Platform) -> None:
    account = derive_account("team")
    metadata = ObjectMeta(name="thief", labels={ACCOUNT_LABEL: account})
    await platform.resources.create(Namespace(metadata=metadata))
    await platform.apply()
    await platform.reconcile()
    ready = condition(await platform.function(), "Ready")
    assert ready.reason == "AccountInvalid"
    assert account in ready.message


async def test_a_function_that_is_gone_is_settled(platform: Platform) -> None:
    assert await platform.service.reconcile(Key("team", "nobody")) is None


async def _story(platform: Platform) -> FunctionStatus:
    """Create, change, break and repair a function, starting anew wherever the operator dies."""
    await _secret(platform, "one", TOKEN="1")
    await _secret(platform, "two", TOKEN="2")
    for spec in (
        {"environmentFrom": {"secret": "one"}},
        {"environmentFrom": {"secret": "two"}, "code": {"inline": CHANGED}},
        {"runtime": "ruby3.4"},
        {"environmentFrom": {"secret": "two"}, "memory": 256},
    ):
        await platform.apply(**spec)
        await _until_settled(platform)
    return (await platform.function()).status


async def _until_settled(platform: Platform) -> None:
    for _ in range(5):
        try:
            if await platform.reconcile() in {None, 15.0}:
                return
        except KilledError:
            platform.restart()
    pytest.fail("it did not settle")


def _lasting(status: FunctionStatus) -> dict[str, Any]:
    """Return a status without its times."""
    plain = status.to_json()
    del plain["lastModified"]
    for found in plain["conditions"]:
        del found["lastTransitionTime"]
    return plain


async def _writes_of_the_story() -> tuple[int, dict[str, Any]]:
    platform = Platform()
    await platform.prepare()
    status = await _story(platform)
    return platform.writes.count, _lasting(status)


async def test_killed_after_any_write_it_converges() -> None:
    count, undisturbed = await _writes_of_the_story()
    assert count > 15
    for k in range(1, count + 1):
        platform = Platform()
        await platform.prepare()
        platform.writes.die_after = k
        try:
            status = await _story(platform)
        except KilledError:
            continue  # the one who applies died, not the operator
        assert _lasting(status) == undisturbed, f"killed after write {k}"
        assert await _secret_names(platform) == {"two"}, f"killed after write {k}"
