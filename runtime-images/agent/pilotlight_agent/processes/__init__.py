"""Processes of this pod: started, found, measured, heard and killed, whatever runs in them."""
