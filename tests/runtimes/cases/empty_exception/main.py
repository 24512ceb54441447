"""Fails with an error that says nothing."""


def handler(event, context):
    raise ValueError
