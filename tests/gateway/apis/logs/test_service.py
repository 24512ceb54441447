"""The model is botocore's, and every member of an input is read, refused or said to be ignored."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilotlight_gateway.apis import logs
from pilotlight_gateway.apis.logs.service import WITHOUT_EFFECT, load_model
from pilotlight_gateway.apis.logs.table import LOGS
from tests.support.lambda_model import LOGS_MODEL, condense_logs, render

SOURCE = "".join(path.read_text() for path in Path(logs.__path__[0]).glob("*.py"))


def test_the_file_is_what_botocore_says() -> None:
    assert render(condense_logs()) == LOGS_MODEL.read_text(), "run: make model"


@pytest.mark.parametrize("operation", LOGS)
def test_no_member_passes_in_silence(operation: str) -> None:
    shape = load_model()["shapes"][load_model()["operations"][operation]]
    ignored = WITHOUT_EFFECT.get(operation, {})
    for member in shape["members"]:
        assert member in ignored or f'"{member}"' in SOURCE, member
