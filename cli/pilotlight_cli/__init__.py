"""The command line: `pilotlight …`, and local mode, which wires all parts in one process."""
