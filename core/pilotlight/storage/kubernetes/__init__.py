"""The Kubernetes API as a store of resources, and its Leases."""
