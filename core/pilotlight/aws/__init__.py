"""AWS for tenants: with whose keys its services are called, and over which connections."""
