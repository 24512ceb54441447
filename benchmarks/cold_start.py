"""First calls of fresh functions: from the warm pool against pods of their own, in one run.

An honest cold start: the function was made a moment ago, no environment of it exists, its process
starts after the request and the REPORT line has an Init Duration; both are checked. Functions of
1,770 MB do not fit the generic size class, so the same platform makes them a pod of their own:
that is the baseline. `--endpoint` measures a platform that runs (AWS_* variables sign); without it
a local one is started.
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import re
import statistics
import sys
import tempfile
import time
import uuid
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.support.dev_process import DevProcess

SOURCE = "def handler(event, context):\n    return event\n"
SIZES = {"pool": 128, "own pod": 1770}
OUTPUT = Path(__file__).parents[1] / "docs" / "performance.md"


def main() -> None:
    """Measure, print a table, and with `--write` put it into docs/performance.md."""
    options = _options()
    process = None
    if options.endpoint is None:
        process = DevProcess(state=Path(tempfile.mkdtemp(prefix="pilotlight-bench-")), port=0)
        options.endpoint = process.endpoint
    try:
        text = table(measure(client(options.endpoint), options), options)
    finally:
        if process is not None:
            process.stop()
    print(text)
    if options.write:
        _write(text, f"<!-- cold {options.name} -->")


def client(endpoint: str) -> Any:
    """Make a client of the platform."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    given = {} if "AWS_ACCESS_KEY_ID" in os.environ else keys
    return boto3.client(
        "lambda",
        endpoint_url=endpoint,
        region_name=os.environ.get("AWS_REGION", "us-east-1"),
        config=Config(retries={"max_attempts": 0}, read_timeout=120),
        **given,
    )


def measure(api: Any, options: argparse.Namespace) -> dict[str, list[float]]:
    """Time the first calls of fresh functions, one kind after the other in turn, in ms."""
    first_call(api, SIZES["pool"])  # the client's own connection, and interest in a pool
    time.sleep(options.settle)
    taken: dict[str, list[float]] = {kind: [] for kind in SIZES}
    for number in range(options.count):
        for kind, memory in SIZES.items():
            if kind == "own pod" and number >= options.baseline:
                continue
            taken[kind].append(first_call(api, memory))
            print(f"{kind} {number + 1}: {taken[kind][-1]:.1f} ms", file=sys.stderr)
            time.sleep(options.pause)  # the pool is refilled; it is not what is measured here
    return taken


def first_call(api: Any, memory: int) -> float:
    """Make a function, time its first call, and delete it."""
    name = f"cold-{uuid.uuid4().hex[:12]}"
    api.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="index.handler",
        Role="arn:aws:iam::000000000000:role/bench",
        MemorySize=memory,
        Timeout=30,
        Code={"ZipFile": _package()},
    )
    try:
        _wait_until_active(api, name)
        began = time.perf_counter()
        answer = api.invoke(FunctionName=name, Payload=b'{"a": 1}', LogType="Tail")
        payload = answer["Payload"].read()
        took = (time.perf_counter() - began) * 1000
        log = base64.b64decode(answer["LogResult"]).decode()
        if payload != b'{"a": 1}' or not re.search(r"Init Duration: [\d.]+ ms", log):
            sys.exit(f"not an honest cold start: {payload!r}\n{log}")
        return took
    finally:
        api.delete_function(FunctionName=name)


def table(taken: dict[str, list[float]], options: argparse.Namespace) -> str:
    """Return the table in Markdown."""
    calls = f"{options.count} calls, {options.baseline} of the baseline"
    lines = [
        f"{datetime.now(UTC).date()}, {options.name}: {calls}.",
        "",
        "| first call of a fresh function | p50 ms | p95 ms | own pod ÷ this, p50 | p95 |",
        "| --- | --- | --- | --- | --- |",
    ]
    base = taken["own pod"]
    for kind, samples in taken.items():
        p50, p95 = _quantile(samples, 0.5), _quantile(samples, 0.95)
        ratios = f"{_quantile(base, 0.5) / p50:.1f} | {_quantile(base, 0.95) / p95:.1f}"
        lines.append(f"| {kind} | {p50:.1f} | {p95:.1f} | {ratios} |")
    return "\n".join(lines)


def _quantile(samples: list[float], part: float) -> float:
    if len(samples) == 1:
        return samples[0]
    return statistics.quantiles(samples, n=100, method="inclusive")[round(part * 100) - 1]


def _wait_until_active(api: Any, name: str) -> None:
    deadline = time.monotonic() + 60
    while api.get_function_configuration(FunctionName=name)["State"] != "Active":
        if time.monotonic() > deadline:
            sys.exit(f"{name} did not become Active")
        time.sleep(0.02)


def _package() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as package:
        package.writestr("index.py", f"# {uuid.uuid4()}\n{SOURCE}")
    return content.getvalue()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold_start", description=__doc__)
    parser.add_argument("--endpoint", help="a platform that runs; else a local one is started")
    parser.add_argument("--name", default="local mode", help="what the table calls it")
    parser.add_argument("--count", type=int, default=20, help="first calls from the pool")
    parser.add_argument("--baseline", type=int, default=10, help="first calls in pods of their own")
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between two calls")
    parser.add_argument("--settle", type=float, default=8.0, help="seconds for the pool to fill")
    parser.add_argument("--write", action="store_true")
    return parser.parse_args()


def _write(text: str, marker: str) -> None:
    head, _, rest = OUTPUT.read_text().partition(marker)
    _, _, tail = rest.partition(marker)
    OUTPUT.write_text(f"{head}{marker}\n{text}\n{marker}{tail}")


if __name__ == "__main__":
    main()
