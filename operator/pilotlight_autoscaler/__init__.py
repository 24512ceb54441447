"""Answers claims for execution environments; imports neither kopf nor kubernetes."""
