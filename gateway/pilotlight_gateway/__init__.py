"""Serves the Lambda API and routes invocations to execution environments."""
