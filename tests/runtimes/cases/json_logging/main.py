"""Logs records that a JSON formatter must make something of."""

import logging

log = logging.getLogger("shop")


def handler(event, context):
    log.info("order %d", 7, extra={"customer": "c-1", "when": object})
    log.warning({"event": "paid", "amount": 3})
    log.debug("below the level")
    try:
        raise KeyError("missing")
    except KeyError:
        log.exception("failed")
    if event == "fail":
        raise ValueError("for the log")
