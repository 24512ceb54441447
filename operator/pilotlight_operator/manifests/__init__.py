"""Manifests: pure functions from what is wanted to what Kubernetes is told, with golden files."""
