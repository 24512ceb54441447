"""The services that are served, a folder each."""
