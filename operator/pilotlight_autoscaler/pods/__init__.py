"""Where environments come from: pods that are started, shared and given their revision."""
