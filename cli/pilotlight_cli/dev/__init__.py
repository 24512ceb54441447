"""What `pilotlight dev` adds to the local platform: manifests kept applied, and what it shows."""
