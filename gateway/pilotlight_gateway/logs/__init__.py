"""Log groups: which functions log into one, which lines are wanted of it, who gets them."""
