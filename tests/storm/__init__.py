"""Long runs on a real cluster, outside CI: `make storm` and `make faults`."""
