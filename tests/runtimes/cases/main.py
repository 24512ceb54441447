"""Runs the case that the event names: {"case": NAME, "event": ...}."""

import importlib


def handler(event, context):
    module = importlib.import_module(event["case"] + ".main")
    return module.handler(event.get("event"), context)
