"""Fetches what tests would fetch, before one waits for it within its own bound of time.

Run by `make fetch`, and so by `make test`; what is there already takes no time.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from tests.support import elasticmq, kafka, streams

SERVERS = {
    "ElasticMQ": elasticmq.jars,
    "Kafka": kafka.jars,
    "DynamoDB local": streams.dynamodb_jars,
    "kinesis-local": streams.kinesis,
}


def main() -> None:
    """Fetch all of it; what fails is said, and is fetched again by the first test that needs it."""
    with ThreadPoolExecutor(len(SERVERS)) as pool:
        fetching = {name: pool.submit(fetch) for name, fetch in SERVERS.items()}
        for name, fetched in fetching.items():
            error = fetched.exception()
            if error is not None:
                sys.stderr.write(f"{name} was not fetched: {error}\n")


if __name__ == "__main__":
    main()
