"""The control plane in virtual time: the real parts, and a cluster that fails by a seed."""
