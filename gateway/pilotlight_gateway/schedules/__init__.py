"""Schedules: `decide` says what is due, `scheduler` has it invoked."""
