import logging

log = logging.getLogger()


def handler(event, context):
    print("printed")
    log.debug("for developers")
    log.warning("two\nlines")
    log.error("broken: %s", "cup")
