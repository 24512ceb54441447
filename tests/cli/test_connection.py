"""Which platform a command talks to, and as whom."""

from __future__ import annotations

import pytest

from pilotlight.signing import Credentials
from pilotlight_cli.connection import connection_from
from pilotlight_cli.failures import Failure

KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}


@pytest.mark.parametrize(
    ("option", "environment", "endpoint"),
    [
        (None, {}, "http://127.0.0.1:9001"),
        (None, {"AWS_ENDPOINT_URL": "http://localhost:1/"}, "http://localhost:1"),
        (
            None,
            {"AWS_ENDPOINT_URL": "http://localhost:1", "AWS_ENDPOINT_URL_LAMBDA": "http://[::1]:2"},
            "http://[::1]:2",
        ),
        ("http://127.0.0.1:3", {"AWS_ENDPOINT_URL": "http://localhost:1"}, "http://127.0.0.1:3"),
        (None, {"AWS_ENDPOINT_URL": "https://lambda.example", **KEYS}, "https://lambda.example"),
    ],
)
def test_the_nearest_endpoint_counts(
    option: str | None, environment: dict[str, str], endpoint: str
) -> None:
    """The option, the service's variable, the general one, this machine."""
    assert connection_from(option, environment).endpoint == endpoint


def test_credentials_and_region_are_the_environments() -> None:
    """Dummies serve on loopback only."""
    environment = {**KEYS, "AWS_SESSION_TOKEN": "token", "AWS_DEFAULT_REGION": "eu-west-1"}
    connection = connection_from(None, environment)
    assert connection.credentials == Credentials("AKID", "secret", "token")
    assert connection.region == "eu-west-1"
    assert connection_from(None, {}).credentials == Credentials("test", "test")


@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        ("https://lambda.example", "AWS_ACCESS_KEY_ID"),
        ("lambda.example:9001", "http or https"),
        ("ftp://127.0.0.1", "http or https"),
    ],
)
def test_what_is_missing_is_usage(endpoint: str, message: str) -> None:
    """Exit status 2, and what is expected."""
    with pytest.raises(Failure, match=message) as failure:
        connection_from(endpoint, {})
    assert failure.value.exit_code == 2
