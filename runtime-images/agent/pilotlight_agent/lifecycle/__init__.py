"""What a pod lives through: specialised once, its environments, their runtime processes."""
