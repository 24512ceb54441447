"""The one client of agents: what autoscaler and gateways say to a pod."""
