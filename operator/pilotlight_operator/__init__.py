"""Turns Function resources into revisions and pods; services decide, storage writes."""
