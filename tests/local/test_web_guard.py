"""No web page runs code on a developer's machine: by headers, and in a real browser."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from pilotlight_gateway.errors import AccessDeniedError
from pilotlight_local.web_guard import WebGuard
from tests.support.dev_process import DevProcess
from tests.support.platform import lambda_client, write_function

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OWN = {"Host": "127.0.0.1:9001"}
ATTACK = """<html><body>waiting<script>
const target = "ENDPOINT";
async function tried(path, options) {
  try { return (await fetch(target + path, options)).status; } catch (error) { return "refused"; }
}
(async () => {
  const body = JSON.stringify({FunctionName: "evil", Runtime: "python3.13", Handler: "i.h",
    Role: "arn:aws:iam::000000000000:role/r", Code: {ZipFile: "UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA=="}});
  await tried("/2015-03-31/functions/marked/invocations",
    {method: "POST", mode: "no-cors", headers: {"Content-Type": "text/plain"}, body: "{}"});
  await tried("/2015-03-31/functions",
    {method: "POST", mode: "no-cors", headers: {"Content-Type": "text/plain"}, body});
  document.body.textContent = "read: " + await tried("/2015-03-31/functions");
})();
</script></body></html>"""
MARKING = """
import pathlib
def handler(event, context):
    pathlib.Path(MARK).write_text("ran")
"""


@pytest.mark.parametrize(
    "headers",
    [
        OWN,
        {"Host": "localhost:9001"},
        {"Host": "[::1]:9001"},
        {"Host": "id.lambda-url.us-east-1.localhost:9001"},
        {},
        OWN | {"Origin": "http://127.0.0.1:9001", "Sec-Fetch-Site": "same-origin"},
        OWN | {"Sec-Fetch-Site": "none"},
    ],
)
def test_what_is_ours_passes(headers: dict[str, str]) -> None:
    WebGuard().check_host(headers)
    WebGuard().check_origin(headers)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9001", "127.0.0.1.evil.example", "[", "169.254.1.1", "@"]
)
def test_another_host_is_refused(host: str) -> None:
    with pytest.raises(AccessDeniedError, match="is not this machine"):
        WebGuard().check_host({"Host": host})


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:8000"},
        {"Origin": "http://localhost:9001"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_page_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(AccessDeniedError, match="another page sent this"):
        WebGuard().check_origin(OWN | headers)


@pytest.fixture(scope="module")
def mark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the function writes when it runs."""
    return tmp_path_factory.mktemp("marks") / "ran"


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory, mark: Path) -> Iterator[DevProcess]:
    """A platform whose function leaves a mark, and one with a URL that other pages may call."""
    folder = tmp_path_factory.mktemp("guarded")
    write_function(folder / "marked", "marked", MARKING.replace("MARK", repr(str(mark))))
    cors = {"allowOrigins": ["*"], "allowMethods": ["*"]}
    source = "def handler(event, context):\n    return 'open'\n"
    write_function(folder / "open", "open", source, url={"authType": "NONE", "cors": cors})
    with DevProcess(folder, state=folder / "state") as running:
        yield running


def ask(dev: DevProcess, path: str, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(dev.endpoint).netloc, timeout=30)
    try:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        connection.request("GET", path, headers=named)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("path", ["/2015-03-31/functions", "/-/logs?function=marked", "/-/ready"])
def test_refusals_are_403_in_words(dev: DevProcess, path: str) -> None:
    status, body = ask(dev, path, Host="evil.example")
    assert (status, b"is not this machine" in body) == (403, True)
    status, body = ask(dev, path, Origin="http://evil.example")
    assert (status, b"another page sent this" in body) == (403, True)


def test_a_function_url_follows_its_cors(dev: DevProcess) -> None:
    """Pages may call it; under a host that is not ours even it is not to be had."""
    path = "/-/fn/000000000000/open"
    assert ask(dev, path, Origin="http://page.example", Sec_Fetch_Site="cross-site")[0] == 200
    assert ask(dev, path, Host="evil.example")[0] == 403


def test_the_state_is_its_owners_alone(dev: DevProcess, tmp_path: Path) -> None:
    """Folders 0700, files 0600: they hold code, variables and Secrets."""
    state = tmp_path / "state"
    with DevProcess(state=state) as running, lambda_client(running.endpoint) as client:
        client.list_functions()
        assert state.stat().st_mode & 0o777 == 0o700
        files = [path for path in state.iterdir() if path.is_file()]
        assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
        assert {path.name for path in files} >= {"resources.sqlite", "lock", "format"}
    del dev  # another platform: what matters is a state of its own


@pytest.fixture(scope="module")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None and os.environ.get("CI"):
        pytest.fail("CI tries a real browser: no chromium here")
    if found is None:
        pytest.skip("NO BROWSER WAS TRIED: chromium is not installed")
    return found


@pytest.fixture
def page(dev: DevProcess) -> Iterator[str]:
    """Another origin's page that attacks the platform."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = ATTACK.replace("ENDPOINT", dev.endpoint).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  the same
            del format, arguments  # a test's output is its own

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://evil.test:{server.server_port}/"
    server.shutdown()
    server.server_close()


def show(chromium: str, url: str, profile: Path) -> str:
    """Open an address in a browser for which evil.test is this machine; returns what is shown."""
    ran = subprocess.run(
        [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", f"--user-data-dir={profile}",
            "--host-resolver-rules=MAP evil.test 127.0.0.1",
            "--virtual-time-budget=5000", "--dump-dom", url,
        ],
        capture_output=True, text=True, check=False, timeout=90,
    )  # fmt: skip
    return ran.stdout


def test_a_page_of_another_origin_runs_nothing(
    dev: DevProcess, chromium: str, page: str, mark: Path, tmp_path: Path
) -> None:
    assert "read: refused" in show(chromium, page, tmp_path)
    with lambda_client(dev.endpoint) as client:
        names = [one["FunctionName"] for one in client.list_functions()["Functions"]]
    assert sorted(names) == ["marked", "open"]
    assert not mark.exists()


def test_a_name_that_is_rebound_reads_nothing(
    dev: DevProcess, chromium: str, tmp_path: Path
) -> None:
    """The browser takes it for the same origin; only the Host tells."""
    port = urlsplit(dev.endpoint).port
    shown = show(chromium, f"http://evil.test:{port}/2015-03-31/functions", tmp_path)
    assert "is not this machine" in shown
    assert "marked" not in shown
