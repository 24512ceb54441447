"""Asynchronous invocation: events are accepted, tried by Lambda's rules, and end somewhere."""
