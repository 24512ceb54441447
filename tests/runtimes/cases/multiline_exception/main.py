"""Fails with a message of several lines, indented, not in ASCII."""


def handler(event, context):
    raise RuntimeError("first\n  second: ünïcode \u2028 end")
