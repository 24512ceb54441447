"""The one client of agents: everything that the platform says to a pod.

`connection` carries it, with the names and documents of `pilotlight_wire`. The autoscaler speaks
through `client`, a gateway through `invoke` and `events`; whoever starts a pod waits with `health`.
"""
