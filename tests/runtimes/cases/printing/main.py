"""Prints in all the ways there are."""

import logging
import os
import sys

log = logging.getLogger("shop.orders")


def handler(event, context):
    print("printed", "words", 1)
    print("to stderr", file=sys.stderr)
    sys.stdout.write("no line end, ")
    sys.stdout.write("then one\n")
    os.write(1, b"from below\n")
    logging.warning("root %s", "warning")
    logging.info("not shown at the default level")
    log.error("two\nlines")
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception("caught")
    context.log("by context\n")
    print("ünïcode \U0001f680")
    print("unfinished", end="")
