"""Who tells that a resource changed: kopf on a cluster, the embedded store on one machine."""
