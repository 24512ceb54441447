"""Gives back what came."""


def handler(event, context):
    return event
