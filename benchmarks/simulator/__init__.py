"""The autoscaler's policies in virtual time: no processes, one seed, the same result every time."""
