"""What keeps the reconciler's cache: kopf on a cluster, the store's own watch in local mode."""
