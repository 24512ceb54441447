"""PostgreSQL as the store of a cluster's packages and log lines."""
