"""Requests as botocore signs them, as a gateway sees them, and the Secret of who may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from multidict import CIMultiDict

from pilotlight.names import ACCESS_KEY_LABEL
from pilotlight.resources import ObjectMeta, Secret
from pilotlight_gateway.auth.caller import RequestHead
from pilotlight_gateway.bodies import Body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pilotlight_gateway.auth.caller import Caller
    from pilotlight_gateway.auth.sigv4 import SigV4Authenticator

HOST = "gateway:8080"
REGION = "us-east-1"
SECRET_KEY = "s3cret"


def access_key(name: str, namespace: str = "team-a") -> Secret:
    """Make the Secret of an access key, whose secret half is SECRET_KEY."""
    labels = {ACCESS_KEY_LABEL: "true"}
    return Secret(
        metadata=ObjectMeta(name=name.lower(), namespace="pilotlight", labels=labels),
        string_data={
            "accessKeyId": name, "secretAccessKey": SECRET_KEY, "namespace": namespace,
        },
    )  # fmt: skip


def sign(
    path: str,
    body: bytes,
    key: str,
    secret: str = SECRET_KEY,
    *,
    token: str | None = None,
    region: str = REGION,
    headers: Mapping[str, str] | None = None,
) -> RequestHead:
    """Sign a POST of a path, which may have a query."""
    request = AWSRequest("POST", f"http://{HOST}{path}", data=body, headers=dict(headers or {}))
    SigV4Auth(Credentials(key, secret, token), "lambda", region).add_auth(request)
    path, _, query = path.partition("?")
    return RequestHead(
        "POST", path, query, CIMultiDict({**dict(request.headers.items()), "Host": HOST})
    )


async def authenticate(authenticator: SigV4Authenticator, head: RequestHead, body: bytes) -> Caller:
    """Take both steps, as the pipeline does."""
    verify = await authenticator.check_head(head)
    return verify(Body.of(body))
