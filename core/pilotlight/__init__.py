"""What every part of Pilotlight shares: resources, names, errors, protocols and storage.

Core imports no other part; the operator, the autoscaler and the gateway import core and never each
other; the command line wires them together (docs/architecture.md draws the ways).
"""

__version__ = "0.1.0"
