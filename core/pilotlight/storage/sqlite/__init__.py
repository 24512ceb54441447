"""SQLite as the store of one machine's resources and log lines."""
