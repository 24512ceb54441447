"""The durable queue of asynchronous events: one interface, a specification and two databases."""
