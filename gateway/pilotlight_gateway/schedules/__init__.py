"""Schedules: `decide` says what is due, `scheduler` puts it into the queue of events."""
