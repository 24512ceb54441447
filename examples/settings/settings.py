"""Reads its settings from the environment and logs what it does."""

import logging
import os

log = logging.getLogger(__name__)


def handler(event, context):
    """Say which settings came; of the secret only that it is there."""
    log.debug("called with %d keys", len(event))
    log.info("greeting is %s", os.environ["GREETING"])
    return {
        "greeting": os.environ["GREETING"],
        "hasToken": bool(os.environ.get("API_TOKEN")),
        "memory": context.memory_limit_in_mb,
    }
