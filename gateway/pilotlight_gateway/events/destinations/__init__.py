"""Where outcomes of events go: AWS's services, another function, an HTTP address."""
