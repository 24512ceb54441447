"""The managed Python runtime between agent and handler; standard library only."""
