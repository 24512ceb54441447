"""Roles are assumed with the account's own keys, and renewed before their sessions end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import pytest
from aiohttp import web

from pilotlight.aws.client import AwsClients, AwsError
from pilotlight.aws.credentials import SECRET, AwsCredentials
from pilotlight.aws.roles import REFUSED_SECONDS, RENEWED_SECONDS, RoleSessions
from pilotlight.cache import Cache
from pilotlight.errors import PilotlightError, UnavailableError
from pilotlight.resources import ObjectMeta, Secret
from pilotlight.role_grants import RoleGrant
from pilotlight_gateway.settings import Settings
from tests.support.memory import MemoryResources

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROLE = "arn:aws:iam::111122223333:role/reader"
GRANT = RoleGrant("team", "111122223333", "hello", ROLE, 0)
DENIED = (
    "<ErrorResponse><Error><Code>AccessDenied</Code>"
    "<Message>User: x is not authorized &amp; so on</Message></Error></ErrorResponse>"
)


class Sts:
    """What stands in for STS: a session of an hour for each request, and a clock."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.asked: list[dict[str, str]] = []
        self.signed: list[str] = []
        self.refusal: tuple[int, str] | None = None
        self.token: str | PilotlightError | None = None
        """Of the role's ServiceAccount."""
        self.sessions: RoleSessions

    async def identify(self, _grant: RoleGrant) -> str | None:
        if isinstance(self.token, PilotlightError):
            raise self.token
        return self.token

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/", self._serve)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner

    async def _serve(self, request: web.Request) -> web.Response:
        self.asked.append(dict(parse_qsl(await request.text())))
        self.signed.append(request.headers.get("Authorization", ""))
        if self.refusal is not None:
            status, text = self.refusal
            return web.Response(status=status, text=text)
        end = datetime.fromtimestamp(self.now + 3600, UTC).isoformat()
        number = len(self.asked)
        return web.Response(
            text=f"<AssumeRoleResponse><Credentials><AccessKeyId>ASIA{number}</AccessKeyId>"
            f"<SecretAccessKey>secret{number}</SecretAccessKey>"
            f"<SessionToken>token+{number}&amp;=</SessionToken>"
            f"<Expiration>{end}</Expiration></Credentials></AssumeRoleResponse>"
        )


@pytest.fixture
async def sts() -> AsyncIterator[Sts]:
    found = Sts()
    runner = await found.start()
    host, port = runner.addresses[0][:2]
    values = {
        "accessKeyId": "AKIDOFTEAM",
        "secretAccessKey": "hidden",
        "AWS_ENDPOINT_URL_STS": f"http://{host}:{port}",
    }
    cache = Cache(MemoryResources())
    metadata = ObjectMeta(name=SECRET, namespace="team")
    await cache.resources.create(Secret(metadata=metadata, string_data=values))
    settings = Settings("us-east-1", b"key", private_addresses=True)
    credentials = AwsCredentials(settings, cache)
    clients = AwsClients(settings, credentials)
    found.sessions = RoleSessions(
        "us-east-1", credentials, clients, lambda: found.now, found.identify
    )
    yield found
    await clients.close()
    await runner.cleanup()


async def test_a_session_is_begun_with_the_accounts_keys_and_kept(sts: Sts) -> None:
    """It is named by the function, as on AWS; nothing secret is in a representation."""
    first = await sts.sessions.of(GRANT)
    assert await sts.sessions.of(GRANT) is first
    assert sts.asked == [
        {
            "Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": ROLE,
            "RoleSessionName": "hello", "DurationSeconds": "3600",
        }
    ]  # fmt: skip
    assert "Credential=AKIDOFTEAM/" in sts.signed[0]
    assert "/us-east-1/sts/aws4_request" in sts.signed[0]
    document = first.document()
    assert document["Token"] == "token+1&="
    assert (document["AccessKeyId"], document["SecretAccessKey"]) == ("ASIA1", "secret1")
    assert "secret1" not in repr(first)
    assert "token" not in repr(first).replace("session_token", "")


async def test_functions_and_roles_have_sessions_of_their_own(sts: Sts) -> None:
    keys = {
        (await sts.sessions.of(RoleGrant("team", "1", function, role, 0))).access_key
        for function in ("a", "bb")
        for role in (ROLE, ROLE + "2")
    }
    assert len(keys) == 4
    assert {one["RoleSessionName"] for one in sts.asked} == {"a-", "bb"}


async def test_a_session_is_renewed_before_it_ends(sts: Sts) -> None:
    await sts.sessions.of(GRANT)
    sts.now += 3600 - RENEWED_SECONDS
    assert (await sts.sessions.of(GRANT)).access_key == "ASIA1"
    sts.now += 1
    assert (await sts.sessions.of(GRANT)).access_key == "ASIA2"


async def test_a_session_lasts_while_no_other_is_to_be_had(sts: Sts) -> None:
    """And STS is not asked again for each request of the function."""
    await sts.sessions.of(GRANT)
    sts.refusal = (403, DENIED)
    sts.now += 3500
    for _ in range(3):
        assert (await sts.sessions.of(GRANT)).access_key == "ASIA1"
    assert len(sts.asked) == 2
    sts.now += 200
    for _ in range(3):
        with pytest.raises(AwsError, match="User: x is not authorized & so on") as raised:
            await sts.sessions.of(GRANT)
        assert raised.value.service_code == "AccessDenied"
    assert len(sts.asked) == 3
    sts.refusal = None
    sts.now += REFUSED_SECONDS
    assert (await sts.sessions.of(GRANT)).access_key == "ASIA4"


@pytest.mark.parametrize(
    ("status", "text", "said"),
    [
        (500, "oh", "STS answered status 500"),
        (302, "", "STS answered status 302"),
        (200, "", "STS answered no AccessKeyId"),
        (200, "<AccessKeyId>" + "x" * 1_000_000, "STS answered no AccessKeyId"),
        (200, "".join(f"<{n}>x</{n}>" for n in (
            "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")), "that is no time"),
    ],
)  # fmt: skip
async def test_strange_answers_are_errors(sts: Sts, status: int, text: str, said: str) -> None:
    sts.refusal = (status, text)
    with pytest.raises(AwsError, match=said):
        await sts.sessions.of(GRANT)


async def test_an_account_without_keys_is_told_which_secret_is_expected(sts: Sts) -> None:
    with pytest.raises(AwsError, match=f"a Secret {SECRET} with accessKeyId"):
        await sts.sessions.of(RoleGrant("another", "1", "hello", ROLE, 0))


async def test_a_token_of_the_roles_own_goes_before_keys(sts: Sts) -> None:
    """It is the token that says who asks: nothing is signed, and no key is wanted."""
    sts.token = "a.web.token"
    found = await sts.sessions.of(GRANT)
    assert sts.asked[0]["Action"] == "AssumeRoleWithWebIdentity"
    assert (sts.asked[0]["RoleArn"], sts.asked[0]["WebIdentityToken"]) == (ROLE, "a.web.token")
    assert sts.signed == [""]
    assert found.access_key == "ASIA1"


async def test_a_cluster_that_gives_no_token_is_told(sts: Sts) -> None:
    sts.token = UnavailableError("forbidden")
    with pytest.raises(AwsError, match="its ServiceAccount gives no token: forbidden"):
        await sts.sessions.of(GRANT)
    assert not sts.asked
