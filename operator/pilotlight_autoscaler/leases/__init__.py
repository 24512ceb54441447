"""Who may use which environment, and within which limits."""
