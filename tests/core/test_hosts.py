"""Whose a host is: the platform's, an account's that names it most exactly, or nobody's."""

from __future__ import annotations

import pytest

from pilotlight.hosts import Hosts, host_names, hosts_by_account

HOSTS = Hosts(
    ("api.example.com", "*.pilotlight"),
    {"shop": ("*.shop.example.com", "shop.example.com"), "pay": ("pay.shop.example.com",)},
)


@pytest.mark.parametrize(
    ("namespace", "host", "allowed"),
    [
        ("shop", "shop.example.com", True),
        ("shop", "a.b.shop.example.com", True),
        ("pay", "pay.shop.example.com", True),
        ("shop", "pay.shop.example.com", False),
        ("pay", "shop.example.com", False),
        ("shop", "other.example.com", False),
        ("else", "other.example.com", True),
        ("else", "shop.example.com", False),
        ("else", "a.shop.example.com", False),
        ("else", "xshop.example.com", True),
        ("else", "api.example.com", False),
        ("shop", "api.example.com", False),
        ("else", "pilotlight-gateway.pilotlight", False),
    ],
)
def test_who_may_have_a_host(namespace: str, host: str, allowed: bool) -> None:  # noqa: FBT001  a table
    """Its owner alone; what is nobody's is for accounts without hosts of their own."""
    assert HOSTS.allows(namespace, host) == allowed


def test_hosts_have_no_case() -> None:
    """However an admin writes them."""
    assert not Hosts(host_names("Api.Example.com")).allows("else", "api.example.com")
    assert hosts_by_account('{"shop": ["Shop.Example.com"]}') == {"shop": ("shop.example.com",)}


def test_without_a_list_hosts_are_anybodys() -> None:
    """As on one machine."""
    assert Hosts().allows("any", "a.example.com")


def test_how_lists_are_written() -> None:
    """As JSON; what is something else is named."""
    assert hosts_by_account('{"shop": ["*.Example.com"]}') == {"shop": ("*.example.com",)}
    for text in ("[]", '{"shop": "a.example.com"}', '{"shop": [1]}'):
        with pytest.raises(ValueError, match="an object of lists of hosts is expected"):
            hosts_by_account(text)
