"""Files beside a handler that are called as modules of the standard library, and do no harm."""

import sys
from pathlib import Path

import pytest

from tests.support.agent import specialised

FUNCTION = """
import logging

def handler(event, context):
    logging.getLogger().error("called")
    if event == "fail":
        raise ValueError("as it was told to")
    return {"ratio": 1.5}
"""
SHADOW = "raise RuntimeError('{name} of the function was imported by the runtime')\n"


@pytest.mark.parametrize("forked", [False, True])
def test_no_file_of_the_function_breaks_the_runtime(tmp_path: Path, forked: bool) -> None:  # noqa: FBT001  a row
    """Every name of the standard library at once: answers, logs and tracebacks are what they were.

    AWS's runtime has imported what it needs before the function's folder is searched.
    """
    own = {f"{name}.py": SHADOW.format(name=name) for name in sys.stdlib_module_names}
    with specialised(tmp_path, {**own, "main.py": FUNCTION}, forked=forked) as agent:
        reply = agent.invoke("anything")
        assert not reply.failed, reply.body
        assert reply.json == {"ratio": 1.5}
        failed = agent.invoke("fail")
        assert failed.json["errorType"] == "ValueError"
        assert "as it was told to" in failed.json["errorMessage"]
        assert 'raise ValueError("as it was told to")' in failed.json["stackTrace"][-1]
        agent.journal.wait(lambda event: "\tcalled" in event.get("line", ""))
        assert agent.invoke("again").json == {"ratio": 1.5}
