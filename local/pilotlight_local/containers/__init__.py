"""Functions that are container images, on this machine: who finds them, and who runs them."""
