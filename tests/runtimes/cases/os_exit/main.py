"""Ends the process in the middle of an invocation, at once."""

import os


def handler(event, context):
    print("last words", end="")
    os._exit(event)
