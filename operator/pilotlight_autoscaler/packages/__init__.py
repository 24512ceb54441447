"""Packages with bytecode, made once for all pods."""
