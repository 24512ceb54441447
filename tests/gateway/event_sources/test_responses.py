"""Lambda's success and failure conditions of partial batch responses, each by its own answer."""

from __future__ import annotations

import pytest

from pilotlight_gateway.event_sources.responses import MalformedResponseError, failed_items

BATCH = {"a", "b", "c"}


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"null", b"{}", b'""', b'{"batchItemFailures": []}', b'{"batchItemFailures": null}',
        b'{"statusCode": 200}',
    ],
)  # fmt: skip
def test_answers_of_complete_success(answer: bytes) -> None:
    assert failed_items(answer, BATCH) == set()


@pytest.mark.parametrize(
    "answer",
    [
        b"{",
        b'"a"',
        b"[1]",
        b'{"batchItemFailures": "a"}',
        b'{"batchItemFailures": ["a"]}',
        b'{"batchItemFailures": [{"itemIdentifier": ""}]}',
        b'{"batchItemFailures": [{"itemIdentifier": null}]}',
        b'{"batchItemFailures": [{"itemidentifier": "a"}]}',
        b'{"batchItemFailures": [{"itemIdentifier": "nobody"}]}',
        b'{"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": 1}]}',
    ],
)
def test_answers_of_complete_failure(answer: bytes) -> None:
    with pytest.raises(MalformedResponseError):
        failed_items(answer, BATCH)


def test_items_that_are_named_have_failed() -> None:
    answer = (
        b'{"batchItemFailures": [{"itemIdentifier": "c"}, {"itemIdentifier": "a"}, '
        b'{"itemIdentifier": "c"}]}'
    )
    assert failed_items(answer, BATCH) == {"a", "c"}
