"""Who is calling: default deny on the cluster, any credentials on loopback in local mode."""
