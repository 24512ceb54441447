"""Services decide: what a resource's status should be, and what else must be written for it.

They know resources and stores, neither kopf nor Kubernetes, so local mode runs them too. Handlers
(`pilotlight_operator.feeds.kopf`) call them with a key; stores do the writing.
"""
