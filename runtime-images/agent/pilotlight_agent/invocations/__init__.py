"""What an invocation is to the agent: what came, what goes back, how it failed, what it took."""
