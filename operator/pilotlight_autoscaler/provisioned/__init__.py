"""Provisioned concurrency: environments that stand initialised before anyone asks."""
