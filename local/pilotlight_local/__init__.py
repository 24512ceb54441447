"""Local mode: gateway, autoscaler and function service of one machine in one process."""
