"""What the operator alone keeps in Kubernetes: pods, and the Lease of its leader."""
