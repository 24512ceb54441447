"""What agent and platform must agree on; standard library only."""
