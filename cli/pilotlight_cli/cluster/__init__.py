"""The parts' wiring for the cluster's containers; local mode's is in `pilotlight_cli.local`."""
