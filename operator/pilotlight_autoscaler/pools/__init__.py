"""Warm pools: generic pods that wait before anyone asks."""
